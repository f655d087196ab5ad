"""Table of contents: the models of every room, so that Django finds them."""

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.audiences import Audience, Candidate
from massmail_plugin.audience.importing.models import ImportBatch, ImportFailure, ImportPiece, ListImport
from massmail_plugin.audience.models import TargetListIndexPage, TargetListMember, TargetListPage
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.sign_ups import SignUp
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.delivery.models import Epoch, Heartbeat, Nudge, OwnerNotice
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing, Run, TrackedLink, TrackingUrl
from massmail_plugin.preferences import DomainLimit, Holiday, MailPreferences
from massmail_plugin.recipients.models import (
    ConsentEvent,
    EmailAddress,
    ErasurePepper,
    ListOptOut,
    Subscriber,
)

__all__ = [
    "Audience",
    "Campaign",
    "Candidate",
    "ConsentEvent",
    "Delivery",
    "DeliveryEvent",
    "DomainLimit",
    "EmailAddress",
    "EmailTemplate",
    "Epoch",
    "ErasurePepper",
    "Heartbeat",
    "Holiday",
    "ImportBatch",
    "ImportFailure",
    "ImportPiece",
    "ListImport",
    "ListOptOut",
    "MailPreferences",
    "Mailing",
    "Nudge",
    "OwnerNotice",
    "Run",
    "Segment",
    "SenderAccount",
    "SignUp",
    "Subscriber",
    "TargetListIndexPage",
    "TargetListMember",
    "TargetListPage",
    "TrackedLink",
    "TrackingUrl",
]
