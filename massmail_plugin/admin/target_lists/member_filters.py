"""By what the people of a target list are narrowed: their type and, in lists that are small enough, their status."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import WagtailFilterSet

from massmail_plugin import recipients
from massmail_plugin.admin.target_lists.rows import STATUSES
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.audience.standing import Standing

#: The value of the filter "status" for those who can be mailed; the empty value means any.
MAILABLE = "mailable"


class MemberFilterSet(WagtailFilterSet):
    """Narrows by type and, in lists that are small enough, by status."""

    recipient_type = django_filters.ChoiceFilter(label=gettext_lazy("Type"), empty_label=gettext_lazy("Any"))
    status = django_filters.ChoiceFilter(
        label=gettext_lazy("Status"), empty_label=gettext_lazy("Any"), method="filter_status"
    )

    class Meta:
        model = TargetListMember
        fields: list[str] = []

    def __init__(self, *args: Any, standing: Standing | None, types: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.standing = standing
        self.filters["recipient_type"].extra["choices"] = [(key, _type_label(key)) for key in types]
        self.filters["status"].extra["choices"] = [
            (key or MAILABLE, label) for key, label in STATUSES.items()
        ]
        if standing is None:
            del self.filters["status"]

    def filter_status(self, members: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        standing, reason = self.standing, "" if value == MAILABLE else value
        assert standing is not None
        rows = members.values_list("pk", "recipient_type", "object_id")
        return members.filter(pk__in=[pk for pk, *record in rows if standing.reason(*record) == reason])


def _type_label(key: str) -> str:
    recipient_type = recipients.get(key)
    return recipient_type.label if recipient_type else key
