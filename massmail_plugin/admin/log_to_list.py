"""From a campaign's log into a target list: everybody whom the log shows as it is filtered."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log
from wagtail.permissions import policy_registry

from massmail_plugin import recipients
from massmail_plugin.admin import names
from massmail_plugin.admin.access import LOOK
from massmail_plugin.admin.delivery_log import DeliveryLog
from massmail_plugin.admin.target_lists.adding import sentence
from massmail_plugin.admin.target_lists.bulk_action import ListForm
from massmail_plugin.admin.target_lists.confirming import ConfirmForm, ConfirmView
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.admin.target_lists.selection import Listing, everything_in
from massmail_plugin.audience.members import Added, insert_members
from massmail_plugin.audience.record_sets import in_any, record_pk
from massmail_plugin.audience.sources import live_scopes_of, scopes_of
from massmail_plugin.audience.spelled import with_address
from massmail_plugin.mailings.models import Campaign, Delivery, Run
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.access import choosable_records
from massmail_plugin.recipients.leaving import opt_outs_of


class AddFromLog(WagtailAdminTemplateMixin, ConfirmView):
    """Asks for the list, and puts everybody in it. Who has left one of the campaign's lists stays out."""

    header_icon = "group"
    form_class: Any = ListForm
    submit_label = gettext_lazy("Add")
    template_name = "massmail_plugin/admin/log_to_list.html"
    #: The list that they went into.
    added_to: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.campaign = get_object_or_404(Campaign, pk=kwargs["pk"])
        policy = policy_registry.get_by_type(Campaign)
        if not policy.user_has_any_permission_for_instance(request.user, LOOK, self.campaign):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_page_title(self) -> str:
        return _("Add to target list")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{names.CAMPAIGNS}:index"), "label": _("Campaigns")},
            {"url": names.own_page(names.CAMPAIGNS, self.campaign.pk), "label": str(self.campaign)},
            {"url": names.delivery_log(self.campaign.pk), "label": _("Log")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_back_url(self) -> str:
        return url_to("members", self.added_to.pk) if self.added_to else self._log_url()

    def _log_url(self) -> str:
        query = self.request.GET.urlencode()
        return names.delivery_log(self.campaign.pk) + (f"?{query}" if query else "")

    @cached_property
    def shown(self) -> QuerySet[Delivery]:
        """Every row of the log as it is filtered."""
        listing = Listing(DeliveryLog, {"permission_model": Campaign}, kwargs={"pk": self.campaign.pk})
        return everything_in(listing, self.request)

    @cached_property
    def people(self) -> dict[RecipientType, QuerySet[Any]]:
        """Primary keys, as text, of the records that this user may put in a list; each once."""
        return people_of(self.shown, self.campaign, self.request.user)

    @cached_property
    def number(self) -> int:
        return sum(ids.count() for ids in self.people.values())

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user}

    def act(self, form: ConfirmForm) -> str:
        assert isinstance(form, ListForm)
        user: Any = self.request.user
        added = Added(0, 0)
        with transaction.atomic():
            self.added_to = form.get_list()
            for recipient_type, ids in self.people.items():
                number = ids.count()
                new = insert_members(self.added_to, recipient_type.key, ids, F("object_id"), added_by=user)
                added = Added(added.new + new, added.already + max(0, number - new))
            data = {"type": str(self.campaign), "number": added.new, "already": added.already}
            log(self.added_to, "massmail.add_members", user=user, data=data)
        return sentence(added, self.added_to)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        everybody = self.shown.values("recipient_type", "object_id").distinct().count()
        return {
            **context,
            "campaign": self.campaign,
            "left_out": everybody - self.number,
            "can_choose_list": context["form"].can_choose,
            "back_url": self._log_url(),
        }


def people_of(
    deliveries: QuerySet[Delivery], campaign: Campaign, user: Any
) -> dict[RecipientType, QuerySet[Any]]:
    """Return the records of ``deliveries`` by type, as querysets of their primary keys in text.

    Without those whom ``user`` may not choose, and without who has left one of the lists, theirs or now the
    campaign's: in another list the same mails would reach them again. By the address of then and by that of today:
    the log does not have that of the contacts of others.
    """
    deliveries = deliveries.order_by()
    # By text: the second record with an address has a row without the key of the first.
    left = opt_outs_of(*_went_to(deliveries, campaign)).values("address__key")
    everybody = Delivery.objects.filter(run__mailing__campaign=campaign)
    deliveries = deliveries.exclude(in_any(with_address(everybody, "envelope", left)))
    keys = deliveries.order_by("recipient_type").values_list("recipient_type", flat=True).distinct()
    people: dict[RecipientType, QuerySet[Any]] = {}
    for recipient_type in filter(None, map(recipients.get, keys)):
        rows = deliveries.filter(recipient_type=recipient_type.key)
        rows = rows.annotate(record_pk=record_pk(rows, recipient_type.model))
        records = choosable_records(user, recipient_type).filter(pk__in=rows.values("record_pk"))
        staying = records.exclude(in_any(with_address(records, recipient_type.email, left)))
        chosen = rows.filter(record_pk__in=staying.order_by().values("pk"))
        people[recipient_type] = chosen.values_list("object_id", flat=True).distinct()
    return people


def _went_to(deliveries: QuerySet[Delivery], campaign: Campaign) -> tuple[set[str], set[str]]:
    """Return the scopes of what these mails went to, and of what was live in it; with what the campaign has now."""
    runs = Run.objects.filter(pk__in=deliveries.values("run")).only("list_scopes", "live_scopes")
    went_to = {scope.key for scope in scopes_of(campaign.sources())}
    live = set(live_scopes_of(campaign.sources()))
    for run in runs:
        went_to.update(run.list_scopes)
        live.update(run.live_scopes)
    return went_to, live - went_to
