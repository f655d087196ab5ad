"""What came back about a mail: facts beside the ledger, in any order, each counted once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from massmail_plugin.mailings.models import Delivery, TrackedLink


class DeliveryEvent(models.Model):
    """One fact about one delivery."""

    class Kind(models.TextChoices):
        DELIVERED = "delivered", _("delivered")
        OPENED = "opened", _("opened")
        CLICKED = "clicked", _("clicked")
        BOUNCED_HARD = "bounced_hard", _("bounced: the mailbox does not exist")
        BOUNCED_SOFT = "bounced_soft", _("bounced: not deliverable for now")
        REJECTED = "rejected", _("rejected by the provider")
        COMPLAINED = "complained", _("reported as spam")
        OPTED_OUT = "opted_out", _("opted out")
        OPTED_IN = "opted_in", _("took the opt-out back")

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("what"), max_length=16, choices=Kind.choices)
    at = models.DateTimeField(_("when"))
    link = models.ForeignKey(TrackedLink, null=True, on_delete=models.CASCADE, related_name="clicks")
    detail = models.CharField(_("detail"), max_length=1000, blank=True)
    #: Hash of what makes the event itself; providers repeat events up to 46 times and often send no id.
    dedupe_key = models.CharField(max_length=64, unique=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("delivery event")
        verbose_name_plural = _("delivery events")
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["delivery", "kind"], name="massmail_event_by_kind")]

    def __str__(self) -> str:
        return self.get_kind_display()
