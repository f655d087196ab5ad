"""Segments to look at, and a target list that follows one of them."""

from django.contrib.auth import get_user_model
from django.db import transaction

from massmail_plugin import recipients
from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.models import Segment
from sandbox.crm.models import Contact, Lead
from sandbox.crm.people import HOME_CITY

NEW_LEADS = "Qualified leads, never mailed"
CUSTOMERS = f"{HOME_CITY}: customers not mailed for a month"
VIPS = "VIPs among our customers"
LIVE_LIST = "VIPs, always up to date"


@transaction.atomic
def load_segments() -> None:
    """Make the segments and the list that are missing, and change nothing else."""
    _segment(NEW_LEADS, Lead, {"status": [Lead.Status.QUALIFIED.value]}, {"mailed": {"when": ["never"]}})
    _segment(CUSTOMERS, Contact, {"city": [HOME_CITY]}, {"mailed": {"when": ["not_since"], "days": ["30"]}})
    vips = _segment(VIPS, Contact, {"is_vip": ["true"]}, {})
    folder = get_index_page()
    if not TargetListPage.objects.child_of(folder).filter(title=LIVE_LIST).exists():
        owner = get_user_model().objects.get(username="editor")
        description = "Nobody keeps it up: it follows a segment."
        folder.add_child(
            instance=TargetListPage(
                title=LIVE_LIST, owner=owner, description=description, live_segments=[vips]
            )
        )


def _segment(
    name: str, model: type, criteria: dict[str, list[str]], behaviour: dict[str, dict[str, list[str]]]
) -> Segment:
    recipient_type = recipients.for_model(model)
    assert recipient_type is not None
    chosen = {
        "recipient_type": recipient_type.key,
        "criteria": criteria,
        "behaviour": behaviour,
        "language": "en",
    }
    return Segment.objects.get_or_create(name=name, defaults=chosen)[0]
