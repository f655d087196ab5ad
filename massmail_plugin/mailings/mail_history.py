"""Segments may ask who was mailed, and when: registered by ``AppConfig.ready``."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet, TextChoices
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from massmail_plugin.audience.record_sets import in_any, in_none, record_pks
from massmail_plugin.audience.segments.behaviour import Behaviour
from massmail_plugin.audience.spelled import with_address
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import MAY_HAVE_GOT
from massmail_plugin.recipients import RecipientType


def who_got(
    deliveries: QuerySet[Delivery], recipient_type: RecipientType, records: QuerySet[Any]
) -> list[QuerySet[Any]]:
    """Return the primary keys of those of ``records`` who got one of ``deliveries``, as sets that may overlap.

    The first is by record, whatever its address was then. The second is by address, because two records may
    share one: those whose address, however it is spelled, is the one that the mail went to.
    """
    by_record = record_pks(deliveries.filter(recipient_type=recipient_type.key), recipient_type.model)
    mailed = deliveries.order_by().exclude(address=None).values("address__key")
    return [by_record, *with_address(records, recipient_type.email, mailed)]


class MailHistory(Behaviour):
    """Who was mailed at all, or lately, by any mailing."""

    key = "mailed"

    class When(TextChoices):
        NEVER = "never", gettext_lazy("Never mailed")
        SINCE = "since", gettext_lazy("Mailed since")
        NOT_SINCE = "not_since", gettext_lazy("Not mailed since")

    when = forms.ChoiceField(
        label=gettext_lazy("When they were mailed"),
        choices=[("", gettext_lazy("Whenever or never")), *When.choices],
        required=False,
    )
    days = forms.IntegerField(
        label=gettext_lazy("Since: so many days ago"), min_value=1, max_value=3650, required=False
    )
    date = forms.DateField(
        label=gettext_lazy("Or since: the beginning of this day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        given = [name for name in ("days", "date") if cleaned.get(name)]
        if cleaned.get("when") in (self.When.SINCE, self.When.NOT_SINCE):
            if len(given) != 1:
                raise forms.ValidationError(_("“Since” needs a number of days or a date, one of the two."))
        elif given:
            raise forms.ValidationError(_("Days and dates only mean something with “since”. Empty them."))
        return cleaned

    def condition(self, recipient_type: RecipientType, records: QuerySet[Any]) -> Q | None:
        when = self.cleaned_data["when"]
        if not when:
            return None
        got = Delivery.objects.filter(state__in=MAY_HAVE_GOT)
        if when != self.When.NEVER:
            since = self._since()
            # One that is on its way or in doubt may have no time yet.
            got = got.filter(
                Q(handed_at__gte=since) | Q(handed_at=None, doubted_at=None) | Q(doubted_at__gte=since)
            )
        sets = who_got(got, recipient_type, records)
        return in_any(sets) if when == self.When.SINCE else in_none(records, sets)

    def sentence(self) -> str:
        when = self.cleaned_data["when"]
        if not when:
            return ""
        if when == self.When.NEVER:
            return str(self.When.NEVER.label)
        since = self.When.SINCE
        if date := self.cleaned_data["date"]:
            words = _("Mailed since %(date)s") if when == since else _("Not mailed since %(date)s")
            return words % {"date": date_format(date)}
        days = self.cleaned_data["days"]
        words = (
            ngettext("Mailed in the last %(days)d day", "Mailed in the last %(days)d days", days)
            if when == since
            else ngettext("Not mailed in the last %(days)d day", "Not mailed in the last %(days)d days", days)
        )
        return words % {"days": days}

    def _since(self) -> datetime:
        if days := self.cleaned_data["days"]:
            return timezone.now() - timedelta(days=days)
        # The site's own time zone: a worker has no other, and must not mail other people than somebody saw.
        midnight = datetime.combine(self.cleaned_data["date"], time.min)
        return timezone.make_aware(midnight, timezone.get_default_timezone())
