"""The form of a campaign: whom its mailings go to is ticked in boxes that can be searched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext, gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm

from massmail_plugin.admin.department_field import DepartmentField
from massmail_plugin.admin.mailing_choices import MailingsField
from massmail_plugin.admin.target_lists.permissions import lists_to_look_at
from massmail_plugin.admin.target_lists.sizes import size_of, with_sizes
from massmail_plugin.audience.choices import ManyField, SegmentsField
from massmail_plugin.audience.models import TargetListPage

_CHOSEN = ("target_lists", "segments", "excluded_lists", "excluded_segments", "excluded_mailings")


class TargetListsField(ManyField):
    """Any number of target lists, by title, with how many people each has."""

    model = TargetListPage
    nothing_to_choose = gettext_lazy(
        "There is no list that you may use. Make one under Target lists, or ask whoever gives out permissions."
    )

    def offer(self, user: Any, chosen: Iterable[Any] = ()) -> None:
        """Let ``user`` choose among the lists they may look at: the log of a mailing shows everybody in them.

        What somebody else has chosen stays, so that saving the form loses nothing.
        """
        within_reach = lists_to_look_at(user).values("pk")
        offered = TargetListPage.objects.filter(
            Q(pk__in=within_reach) | Q(pk__in=[each.pk for each in chosen])
        )
        self.queryset = with_sizes(offered)

    def label_from_instance(self, target_list: Any) -> str:
        return f"{target_list.title} ({size_of(target_list)})"


class CampaignForm(DepartmentField, WagtailAdminModelForm):
    target_lists = TargetListsField(
        label=gettext_lazy("Target lists"),
        help_text=gettext_lazy("Everybody in these lists gets the mailings, each address once."),
    )
    excluded_lists = TargetListsField(
        label=gettext_lazy("Excluded lists"),
        help_text=gettext_lazy("Nobody in these lists gets a mail, whatever other list they are in."),
    )

    segments = SegmentsField(
        label=gettext_lazy("Segments"),
        help_text=gettext_lazy(
            "Whoever is in these segments when a mailing starts gets it, each address once."
        ),
    )
    excluded_segments = SegmentsField(
        label=gettext_lazy("Excluded segments"),
        help_text=gettext_lazy("Nobody who is in these segments when a mailing starts gets it."),
    )
    excluded_mailings = MailingsField(
        label=gettext_lazy("Not to those who already got"),
        help_text=gettext_lazy(
            "Whoever got one of these mailings, at the same address, gets no mail. The search finds older ones, too."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        campaign: Any = self.instance
        for name in _CHOSEN:
            field: Any = self.fields[name]
            field.offer(self.for_user, getattr(campaign, name).all() if campaign.pk else ())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for wanted, unwanted in (("target_lists", "excluded_lists"), ("segments", "excluded_segments")):
            both = set(cleaned.get(wanted) or ()) & set(cleaned.get(unwanted) or ())
            if both:
                names = ", ".join(sorted(str(each) for each in both))
                message = gettext("Chosen and excluded at once: %(names)s. Untick one of the two.")
                self.add_error(unwanted, ValidationError(message % {"names": names}))
        return cleaned
