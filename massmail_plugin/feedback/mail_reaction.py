"""Segments may ask who opened or clicked a mailing: registered by ``AppConfig.ready``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet, TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.permissions import policy_registry

from massmail_plugin.audience.record_sets import in_any, in_none
from massmail_plugin.audience.segments.behaviour import Behaviour
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.mail_history import who_got
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import MAY_HAVE_GOT
from massmail_plugin.recipients import RecipientType

#: Who may do one of these sees a mailing.
_LOOK = ("view", "change", "delete")
_CLICKED = (DeliveryEvent.Kind.CLICKED,)
#: Many mail programs open without telling; a click tells.
_OPENED = (DeliveryEvent.Kind.OPENED, *_CLICKED)


class MailReaction(Behaviour):
    """Who did what with the mails of one mailing."""

    key = "reaction"

    class What(TextChoices):
        OPENED = "opened", gettext_lazy("Opened")
        NOT_OPENED = "not_opened", gettext_lazy("Got but did not open")
        CLICKED = "clicked", gettext_lazy("Clicked in")
        NOT_CLICKED = "not_clicked", gettext_lazy("Got but did not click in")

    what = forms.ChoiceField(
        label=gettext_lazy("What they did with a mailing"),
        choices=[("", gettext_lazy("Anything or nothing")), *What.choices],
        required=False,
        help_text=gettext_lazy(
            "Opens are an estimate: some mail programs hide them, others open every mail by themselves."
        ),
    )
    mailing = forms.ModelChoiceField(
        Mailing.objects.filter(runs__isnull=False).distinct(),
        label=gettext_lazy("The mailing"),
        required=False,
        empty_label="---------",
    )

    def offer(self, user: Any, saved: Mapping[str, list[str]]) -> None:
        """Offer the mailings of one's own departments: who has opened others is none of one's business."""
        policy = policy_registry.get_by_type(Mailing)
        seen = policy.instances_user_has_any_permission_for(user, _LOOK).values("pk")
        before = [value for value in saved.get("mailing", []) if value.isdecimal()]
        field: Any = self.fields["mailing"]
        field.queryset = field.queryset.filter(Q(pk__in=seen) | Q(pk__in=before))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and bool(cleaned.get("what")) != bool(cleaned.get("mailing")):
            raise forms.ValidationError(_("Choose both what they did and the mailing, or neither."))
        return cleaned

    def condition(self, recipient_type: RecipientType, records: QuerySet[Any]) -> Q | None:
        what = self.cleaned_data["what"]
        if not what:
            return None
        got = Delivery.objects.filter(run__mailing=self.cleaned_data["mailing"], state__in=MAY_HAVE_GOT)
        kinds = _OPENED if what in (self.What.OPENED, self.What.NOT_OPENED) else _CLICKED
        events = DeliveryEvent.objects.filter(delivery=OuterRef("pk"), kind__in=kinds)
        did = who_got(got.filter(Exists(events)), recipient_type, records)
        if what in (self.What.OPENED, self.What.CLICKED):
            return in_any(did)
        return in_any(who_got(got, recipient_type, records)) & in_none(records, did)

    def sentence(self) -> str:
        what = self.cleaned_data["what"]
        if not what:
            return ""
        return f"{self.What(what).label}: {self.cleaned_data['mailing']}"
