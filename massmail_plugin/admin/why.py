"""Why somebody did not get a mailing, or that they did: one person across the latest mailings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK, PolicyOf, may_look
from massmail_plugin.admin.screens import signed_in
from massmail_plugin.admin.standings import standing
from massmail_plugin.audience.belonging import records_with
from massmail_plugin.mailings.models import Delivery, Mailing, Run
from massmail_plugin.recipients.access import choosable_records, choosable_types
from massmail_plugin.recipients.addresses import key_of
from massmail_plugin.recipients.models import EmailAddress

#: Mailings that are looked through, the latest first, and people who are offered.
_MAILINGS, _PEOPLE = 50, 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one person in one mailing."""

    mailing: Mailing
    url: str
    started_at: datetime
    #: What happened: "sent", for example, or why nothing was.
    words: str
    got_it: bool
    #: Whether its lists held them when it started.
    was_in_it: bool


class WhyPage(PolicyOf, PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """Asks for a name or an address; offers the people who have that name."""

    permission_model = Mailing
    any_permission_required: Sequence[str] = LOOK
    template_name = "massmail_plugin/admin/why.html"
    page_title = gettext_lazy("Did somebody get it?")
    header_icon = "help"
    _show_breadcrumbs = True

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        mailings = {"url": reverse(f"{names.MAILINGS}:index"), "label": _("Mailings")}
        return [*self.breadcrumbs_items, mailings, {"url": "", "label": self.page_title}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # PostgreSQL knows no NUL, and nobody's name has one.
        asked = self.request.GET.get("q", "").replace("\x00", "").strip()
        key = key_of(asked)
        found: dict[str, Any] = {"people": [], "answers": []}
        if key:
            answers = list(self._answers(key))
            found = {"key": key, "answers": answers, **self._standing(key, answers)}
        elif asked:
            people = list(islice(self._people(asked), _PEOPLE + 1))
            found = {"people": people[:_PEOPLE], "more_people": len(people) > _PEOPLE}
        limits = {"most_people": _PEOPLE, "most_mailings": _MAILINGS}
        return {**super().get_context_data(**kwargs), "asked": asked, **found, **limits}

    def _standing(self, key: str, answers: Sequence[Answer]) -> dict[str, Any]:
        """Return how the address stands, for those who may look at addresses or at a mailing that met it.

        Whoever may not is told nothing, not even whether it is known.
        """
        sees_addresses = may_look(self.request.user, EmailAddress)
        if not sees_addresses and not any(answer.was_in_it for answer in answers):
            return {"is_secret": True}
        address = EmailAddress.objects.filter(key=key).first()
        url = names.own_page(names.ADDRESSES, address.pk) if address and sees_addresses else ""
        return {"standing": standing(address) if address else "", "address_url": url}

    def _people(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield name and address of everybody whom the user may put in a list and who has this name."""
        user = signed_in(self.request)
        for recipient_type in choosable_types(user):
            records = recipient_type.search(choosable_records(user, recipient_type), name)
            for record in records.order_by("pk")[: _PEOPLE + 1]:
                yield recipient_type.display_name(record), recipient_type.record_email(record).strip()

    def _answers(self, key: str) -> Iterator[Answer]:
        reachable = self.permission_policy.instances_user_has_any_permission_for(self.request.user, LOOK)
        runs = Run.objects.filter(mailing__in=reachable.values("pk")).exclude(frozen_at=None)
        latest = list(runs.select_related("mailing").defer("content").order_by("-pk")[:_MAILINGS])
        rows = _rows_of(latest, key)
        for run in latest:
            url = names.own_page(names.MAILINGS, run.mailing_id)
            delivery = rows.get(run.pk)
            words = _("was not in its lists when it started") if delivery is None else _words(delivery)
            got_it = bool(delivery and delivery.handed_at)
            yield Answer(run.mailing, url, run.started_at, words, got_it, delivery is not None)


def _rows_of(runs: Sequence[Run], key: str) -> dict[int, Delivery]:
    """Return for each run what its ledger says of the person: the mail itself, if there is one."""
    same_record = [
        Q(recipient_type=type_key, object_id=pk) for type_key, pk in records_with(key, hidden=True)
    ]
    whose = Q(Q(address__key=key), *same_record, _connector=Q.OR)
    rows = Delivery.objects.filter(whose, run__in=[run.pk for run in runs]).order_by("run", "-address", "pk")
    found: dict[int, Delivery] = {}
    for delivery in rows:
        best = found.setdefault(delivery.run_id, delivery)
        if best.address_id is None and delivery.address_id is not None:
            found[delivery.run_id] = delivery
    return found


def _words(delivery: Delivery) -> str:
    sentence = delivery.get_reason_sentence()
    state = delivery.get_state_display()
    return f"{state}: {sentence}" if sentence and not delivery.handed_at else str(state)
