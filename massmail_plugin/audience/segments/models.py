"""Segments: who has these properties now."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from massmail_plugin import recipients
from massmail_plugin.recipients import RecipientType, consent

#: What was chosen in a form: its parameters by name, as texts, without those that were left empty.
Chosen = dict[str, list[str]]


class Segment(models.Model):
    """Saved criteria over one recipient type. Who fits them is asked anew each time, and never stored.

    Without any criteria everybody of the type is in it. ``audience.segments.people`` says who is.
    """

    name = models.CharField(_("name"), max_length=150)
    description = models.TextField(
        _("description"), blank=True, help_text=_("What is it for? Only your colleagues see it.")
    )
    #: Key of the recipient type: "app_label.modelname".
    recipient_type = models.CharField(_("type"), max_length=100)
    #: What was chosen in the type's filters.
    criteria = models.JSONField(_("filters"), default=dict, blank=True)
    #: What was chosen about mails: by key of the behaviour, what was chosen in its form.
    behaviour = models.JSONField(_("mails"), default=dict, blank=True)
    #: The language in which the criteria were typed: dates are read in it, whoever asks.
    language = models.CharField(max_length=35, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def consent_scope(self) -> consent.Scope:
        """What somebody opts out of who got a mailing to this segment."""
        return consent.Scope(key=f"segment:{self.pk}", label=self.name)

    @property
    def type(self) -> RecipientType | None:
        """The recipient type; None if the host no longer registers it."""
        return recipients.get(self.recipient_type)

    def get_recipient_type_display(self) -> str:
        """Return the name of the type for people to read."""
        return self.type.label_plural if self.type else self.recipient_type

    def is_everybody(self) -> bool:
        """Return whether there are no criteria at all."""
        chosen: list[Any] = [self.criteria, *self.behaviour.values()]
        return not any(chosen)
