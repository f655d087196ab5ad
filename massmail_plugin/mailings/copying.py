"""From the audience to the ledger, inside the database."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, CharField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Concat, Left, Now, StrIndex, Substr

from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.inserting import insert_select
from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.preferred import PreferredAccounts
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress


def copy_slice(run: Run, audience: Audience, *, size: int) -> int | None:
    """Copy the next ``size`` candidates after ``run.copied_to``. Returns the last one's number; None: the rest."""
    people = audience.candidates.filter(excluded=False, pk__gt=run.copied_to).order_by("pk")
    until = people.values_list("pk", flat=True)[size - 1 : size].first()
    if until is not None:
        people = people.filter(pk__lte=until)
    new = people.exclude(key="").filter(is_repeated=False).order_by("key")
    insert_select(
        EmailAddress,
        new,
        {"key": F("key"), "invalid_reason": Value(""), "created_at": Now()},
        ignore_conflicts=True,
    )
    insert_select(Delivery, people, _columns(run))
    return until


def _columns(run: Run) -> dict[str, Any]:
    # The second record with an address must not take the address's one place in the ledger, though it be left out.
    own = EmailAddress.objects.filter(key=OuterRef("key")).values("pk")[:1]
    at = StrIndex("email", Value("@"))
    # A plain address, which nobody had to read: see ``audience.collecting``. The domain is the key's, because the
    # letters of this column may have other small ones: "I" has none with a dot in Turkish.
    envelope = Concat(Left("email", at), Substr("key", at + 1), output_field=CharField())
    return {
        "run": Value(run.pk),
        "address": Case(When(Q(is_repeated=True) | Q(key=""), then=None), default=Subquery(own)),
        "recipient_type": F("recipient_type"),
        "object_id": F("object_id"),
        "name": F("name"),
        "email": F("email"),
        "envelope": Case(
            When(Q(key="") | Q(email=""), then=Value("")),
            When(envelope="", then=envelope),
            default=F("envelope"),
        ),
        "source": F("source"),
        "state": Case(
            When(reason="", then=Value(DeliveryState.QUEUED.value)),
            default=Value(DeliveryState.SKIPPED.value),
        ),
        "reason": F("reason"),
        "detail": F("detail"),
        "attempts": Value(0),
        "claim_token": Value(""),
        "vip": F("vip"),
        "preferred_account": _preferred(run),
        "provider_id": Value(""),
    }


def _preferred(run: Run) -> Any:
    """The account that sent to the address last, of those that may write to this person."""
    accounts = PreferredAccounts(run.mailing.owner_id if run.own_accounts else None)
    if not accounts.is_choice:
        return Value(None, output_field=Delivery._meta.get_field("preferred_account"))
    return Case(
        When(~Q(reason=""), then=None),
        When(vip=True, then=Subquery(_last_sender(accounts.for_vips))),
        default=Subquery(_last_sender(accounts.for_others)),
    )


def _last_sender(accounts: set[int]) -> QuerySet[Any]:
    sent = Delivery.objects.filter(
        address__key=OuterRef("key"),
        account__in=accounts,
        state=DeliveryState.ACCEPTED,
        handed_at__isnull=False,
    )
    return sent.order_by("-handed_at", "-pk").values("account")[:1]
