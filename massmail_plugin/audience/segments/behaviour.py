"""What segments may ask about mails. The rooms that know about mails bring the questions.

This room knows no mailings, so that each question registers itself here, from ``AppConfig.ready``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.db.models import Q, QuerySet

from massmail_plugin.recipients import RecipientType


class Behaviour(forms.Form):
    """A question about the mails that people got. Its fields are the form in the segment's editor; empty: any."""

    #: Names it in saved segments, and must never change.
    key: ClassVar[str]

    def offer(self, user: Any, saved: Mapping[str, list[str]]) -> None:
        """Narrow what can be chosen to what ``user`` may see, and to what was chosen before (``saved``, by field).

        Only for the editor's form: whoever evaluates a saved segment asks for nobody.
        """

    @abstractmethod
    def condition(self, recipient_type: RecipientType, records: QuerySet[Any]) -> Q | None:
        """Return which of ``records``, all of them of this type, fit; None: any. Only called if it is valid."""

    @abstractmethod
    def sentence(self) -> str:
        """Return what was chosen, for people; empty: any. Only called if it is valid."""


_behaviours: dict[str, type[Behaviour]] = {}


def register(behaviour: type[Behaviour]) -> type[Behaviour]:
    """Class decorator: offers this question in segments."""
    _behaviours[behaviour.key] = behaviour
    return behaviour


def all_behaviours() -> list[type[Behaviour]]:
    """Return every question, in order of registration."""
    return list(_behaviours.values())


def get(key: str) -> type[Behaviour] | None:
    """Return the question with this key, or None if there is none any more."""
    return _behaviours.get(key)
