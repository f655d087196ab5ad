"""Mailings: listing, form, and the routes of a mailing's own page and its verbs."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.panels import MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, NumberColumn, UserColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from massmail_plugin.admin import names
from massmail_plugin.admin.access import ScopedListing, ScopedObject, reachable
from massmail_plugin.admin.alarms import alarms
from massmail_plugin.admin.columns import LinkColumn, MomentColumn, ProgressColumn, StateColumn
from massmail_plugin.admin.doubts import DoubtsView
from massmail_plugin.admin.mailing_form import MailingForm, NoLongerDraft
from massmail_plugin.admin.mailing_page import MailingPage, MailingProgress
from massmail_plugin.admin.mailing_people import MailingPeople
from massmail_plugin.admin.mailing_preview import MailingPreview
from massmail_plugin.admin.mailing_verbs import CancelView, verb_routes
from massmail_plugin.admin.screens import Create, Delete, Edit, Listing, ScopedViews
from massmail_plugin.admin.send import SendView
from massmail_plugin.admin.send_test import SendTestView
from massmail_plugin.admin.why import WhyPage
from massmail_plugin.mailings.models import Campaign, Mailing
from massmail_plugin.mailings.progress import progress_of
from massmail_plugin.mailings.states import DELETABLE, MailingState


class MailingFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        label=_("Status"), choices=MailingState.choices, widget=CheckboxSelectMultiple
    )
    owner = django_filters.ModelChoiceFilter(
        label=_("Owner"),
        queryset=lambda request: get_user_model().objects.filter(
            pk__in=reachable(request.user, Mailing).order_by().values("owner").distinct()
        ),
    )
    campaign = django_filters.ModelChoiceFilter(
        label=_("Campaign"), queryset=lambda request: reachable(request.user, Campaign).order_by("name")
    )

    class Meta:
        model = Mailing
        fields = ["state", "owner", "campaign"]


class MailingListing(ScopedListing, Listing):
    empty_text = _(
        "No mailing yet. A mailing sends one template to the lists of a campaign. Make a campaign first."
    )

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(*args, **kwargs), "alarms": alarms(self.request.user)}

    def get_table(self, object_list: Any) -> Any:
        mailings = list(object_list)
        progress = progress_of(mailing.pk for mailing in mailings)
        for mailing in mailings:
            mailing.progress = progress[mailing.pk]
        return super().get_table(mailings)

    def search_queryset(self, queryset: QuerySet[Mailing]) -> QuerySet[Mailing]:
        """By name, and by number: "12", "#12" and "id 12" find mailing 12."""
        if not self.is_searching:
            return queryset
        found = Q(name__icontains=self.search_query)
        number = self.search_query.lower().removeprefix("id").strip(" #")
        # Longer ones do not fit the database's integers.
        if number.isascii() and number.isdigit() and len(number) < 18:
            found |= Q(pk=int(number))
        return queryset.filter(found)

    def get_edit_url(self, instance: Mailing) -> str | None:
        return super().get_edit_url(instance) if instance.state == MailingState.DRAFT else None

    def get_delete_url(self, instance: Mailing) -> str | None:
        return super().get_delete_url(instance) if instance.state in DELETABLE else None


class MailingCreate(Create):
    """The owner is who writes it; ``?campaign=`` chooses the campaign."""

    def get_initial_form_instance(self) -> Mailing:
        mailing = Mailing(owner=self.request.user)
        campaign = self.request.GET.get("campaign", "")
        if campaign.isdecimal() and reachable(self.request.user, Campaign).filter(pk=campaign).exists():
            mailing.campaign_id = int(campaign)
        return mailing


class MailingCopy(ScopedObject, generic.CopyView):
    """A new draft with the same settings. Wagtail's own would save a POST over the original."""

    http_method_names = ["get", "head"]

    def get_initial_form_instance(self) -> Mailing:
        original: Mailing = self.get_object()
        name = gettext("Copy of %(name)s") % {"name": original.name}
        return Mailing(
            name=name[:150],
            campaign=original.campaign,
            template=original.template,
            owner=self.request.user,
            opt_out_entirely=original.opt_out_entirely,
            in_doubt=original.in_doubt,
            in_batches=original.in_batches,
        )


class MailingEdit(Edit):
    """Only drafts can be changed."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        state = Mailing.objects.filter(pk=kwargs["pk"]).values_list("state", flat=True).first()
        if state is not None and state != MailingState.DRAFT:
            return self.refuse()
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: MailingForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except NoLongerDraft:
            return self.refuse()

    def refuse(self) -> HttpResponse:
        message = gettext(
            "This mailing can no longer be changed, because it is not a draft any more. "
            "Copy it to send something like it; withdraw it first if it still waits for its start."
        )
        messages.error(self.request, message)
        return redirect(names.own_page(names.MAILINGS, self.kwargs["pk"]))


class MailingDelete(Delete):
    def form_valid(self, form: Any) -> HttpResponse:
        # What runs must not vanish under its workers; what has run is the proof of what was sent. The lock lets
        # nobody press Send in between.
        with transaction.atomic():
            deletable = Mailing.objects.select_for_update().filter(pk=self.object.pk, state__in=DELETABLE)
            if deletable.first() is not None:
                return super().form_valid(form)
        messages.error(self.request, self.get_protected_message())
        return redirect(names.own_page(names.MAILINGS, self.object.pk))

    def get_protected_message(self) -> str:
        return gettext("“%(object)s” has been sent or scheduled, so it is kept.") % {"object": self.object}


class MailingViewSet(ScopedViews, ModelViewSet):
    model = Mailing
    name = names.MAILINGS
    url_prefix = "massmail/mailings"
    menu_label = _("Mailings")
    icon = "mail"
    index_view_class = MailingListing
    add_view_class = MailingCreate
    copy_view_class = MailingCopy
    copy_view_enabled = True
    edit_view_class = MailingEdit
    delete_view_class = MailingDelete
    inspect_view_class = MailingPage
    filterset_class = MailingFilterSet
    search_fields = ["name"]
    list_per_page = 30
    list_display = [
        "name",
        StateColumn("state", label=_("Status"), accessor="get_state_display", sort_key="state"),
        ProgressColumn("progress", label=_("Progress")),
        NumberColumn("sent_today", label=_("Sent today"), accessor="progress.sent_today"),
        NumberColumn("recipients", label=_("Recipients"), accessor="progress.recipients"),
        LinkColumn(
            "campaign", label=_("Campaign"), url_name=f"{names.CAMPAIGNS}:inspect", sort_key="campaign__name"
        ),
        Column("template", label=_("Template"), sort_key="template__name"),
        UserColumn("owner", label=_("Owner"), sort_key="owner__username"),
        MomentColumn("start_at", label=_("Start"), sort_key="start_at"),
    ]
    edit_handler = ObjectList(
        [
            MultiFieldPanel(["name", "campaign", "template"], heading=_("Mailing")),
            MultiFieldPanel(["owner", "start_at"], heading=_("From whom and when")),
            MultiFieldPanel(["opt_out_entirely"], heading=_("Opting out")),
            MultiFieldPanel(["in_doubt", "in_batches"], heading=_("When the connection breaks")),
        ],
        base_form_class=MailingForm,
    )

    def get_index_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        mailings = Mailing.objects.select_related("campaign", "template", "owner__wagtail_userprofile")
        return super().get_index_view_kwargs(**{"queryset": mailings, **kwargs})

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("progress/<int:pk>/", self.construct_view(MailingProgress), name="progress"),
            path("preview/<int:pk>/", MailingPreview.as_view(), name="preview"),
            path("people/<int:pk>/", MailingPeople.as_view(), name="people"),
            path("people-results/<int:pk>/", MailingPeople.as_view(results_only=True), name="people_results"),
            path("why/", WhyPage.as_view(), name="why"),
            path("send/<int:pk>/", self.construct_view(SendView), name="send"),
            path("send-test/<int:pk>/", self.construct_view(SendTestView), name="send_test"),
            path("doubts/<int:pk>/", self.construct_view(DoubtsView), name="doubts"),
            path("cancel/<int:pk>/", self.construct_view(CancelView), name="cancel"),
            *verb_routes(),
        ]
