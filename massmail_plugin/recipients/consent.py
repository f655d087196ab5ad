"""The verbs of consent. Each appends a :class:`ConsentEvent` and updates what is derived from it, together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from massmail_plugin.recipients.models import ELSEWHERE, EVERYTHING, ConsentEvent, EmailAddress, ListOptOut

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody opts in to or out of: one target list, or everything."""

    key: str = EVERYTHING
    label: str = ""


@dataclass(frozen=True, slots=True)
class How:
    """How a wish reached us, with the proof."""

    method: str
    reason: str = ""
    actor: AbstractBaseUser | None = None
    proof: dict[str, Any] = field(default_factory=dict)


def opt_out(address: EmailAddress, scopes: Iterable[Scope], how: How) -> None:
    """Opt ``address`` out of each scope. Doing it twice is harmless and is recorded twice."""
    now = timezone.now()
    with transaction.atomic():
        for scope in scopes:
            _append(address, ConsentEvent.Kind.OPT_OUT, how, scope)
            if scope.key == EVERYTHING:
                EmailAddress.objects.filter(pk=address.pk, opted_out_since=None).update(opted_out_since=now)
            else:
                ListOptOut.objects.get_or_create(address=address, scope=scope.key, defaults={"since": now})


def opt_out_like(source: Scope, target: Scope, how: How) -> None:
    """Opt everybody out of ``target`` who has opted out of ``source``; many at a time."""
    now = timezone.now()
    with transaction.atomic():
        left = ListOptOut.objects.filter(scope=source.key).values_list("address", flat=True)
        addresses = left.exclude(address__list_opt_outs__scope=target.key).order_by("address")
        rest = list(addresses)
        for start in range(0, len(rest), _CHUNK):
            some = rest[start : start + _CHUNK]
            ConsentEvent.objects.bulk_create(
                _event(number, ConsentEvent.Kind.OPT_OUT, how, target) for number in some
            )
            opt_outs = [ListOptOut(address_id=number, scope=target.key, since=now) for number in some]
            ListOptOut.objects.bulk_create(opt_outs, ignore_conflicts=True)


def opt_in(address: EmailAddress, scopes: Iterable[Scope], how: How) -> None:
    """Take the opt-outs of ``address`` from these scopes back. Others stay."""
    with transaction.atomic():
        for scope in scopes:
            _append(address, ConsentEvent.Kind.OPT_IN, how, scope)
            if scope.key == EVERYTHING:
                EmailAddress.objects.filter(pk=address.pk).update(opted_out_since=None)
            else:
                ListOptOut.objects.filter(address=address, scope=scope.key).delete()


def come_in(address: EmailAddress, scopes: Iterable[Scope], how: How) -> None:
    """Opt ``address`` in to these lists, whatever it has said before: its owner wants them now.

    Who had left everything stays out of all others, those that are made later included; the opt-out of everything
    itself is taken back, and so is a complaint.
    """
    with transaction.atomic():
        if address.opted_out_since or address.complained_since:
            opt_in(address, [Scope()], replace(how, reason=_("Came back to some lists only.")))
            _stay_out_of_others(address, how)
            EmailAddress.objects.filter(pk=address.pk).update(complained_since=None)
        opt_in(address, scopes, how)


def _stay_out_of_others(address: EmailAddress, how: How) -> None:
    others = Scope(ELSEWHERE, _("All lists that they have not chosen"))
    _append(address, ConsentEvent.Kind.OPT_OUT, replace(how, reason=_("Had left all mailings.")), others)
    ListOptOut.objects.update_or_create(address=address, scope=ELSEWHERE, defaults={"since": timezone.now()})


def mark_invalid(address: EmailAddress, how: How) -> None:
    """Record a hard bounce: nothing is mailed to this address until :func:`mark_valid`."""
    with transaction.atomic():
        _append(address, ConsentEvent.Kind.INVALID, how)
        EmailAddress.objects.filter(pk=address.pk, invalid_since=None).update(
            invalid_since=timezone.now(), invalid_reason=how.reason[:500]
        )


def mark_valid(address: EmailAddress, how: How) -> None:
    """A person says that the mailbox works again."""
    with transaction.atomic():
        _append(address, ConsentEvent.Kind.VALID, how)
        EmailAddress.objects.filter(pk=address.pk).update(invalid_since=None, invalid_reason="")


def record_complaint(address: EmailAddress, how: How) -> None:
    """Record a spam complaint, which opts the address out of everything."""
    now = timezone.now()
    with transaction.atomic():
        _append(address, ConsentEvent.Kind.COMPLAINED, how)
        EmailAddress.objects.filter(pk=address.pk, complained_since=None).update(complained_since=now)
        EmailAddress.objects.filter(pk=address.pk, opted_out_since=None).update(opted_out_since=now)


def record_erasure(address: EmailAddress, how: How) -> None:
    """Record that the person was erased; ``recipients.erased`` does it."""
    _append(address, ConsentEvent.Kind.ERASED, how)


def _append(address: EmailAddress, kind: str, how: How, scope: Scope = Scope()) -> None:
    _event(address.pk, kind, how, scope).save(force_insert=True)


def _event(address_id: int, kind: str, how: How, scope: Scope) -> ConsentEvent:
    return ConsentEvent(  # type: ignore[misc]
        address_id=address_id,
        kind=kind,
        scope=scope.key,
        scope_label=scope.label[:255],
        method=how.method,
        at=timezone.now(),
        actor=how.actor,
        reason=how.reason[:500],
        proof=how.proof,
    )
