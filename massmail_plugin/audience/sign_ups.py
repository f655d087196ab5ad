"""People who have asked to join a public list and have not yet proved that the address is theirs."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.exact_text import ExactCharField

#: How long the link in the confirmation mail works, and how long it can still say what has become of it.
LINK_WORKS, LINK_IS_KNOWN = dt.timedelta(days=3), dt.timedelta(days=14)


class SignUp(models.Model):
    """One filled-in form. It is forgotten after two weeks; what was confirmed is in the consent ledger by then."""

    target_list = models.ForeignKey(TargetListPage, on_delete=models.CASCADE, related_name="sign_ups")
    key = ExactCharField(max_length=254, db_index=True)
    #: As it was given.
    email = models.CharField(max_length=254)
    name = models.CharField(max_length=255, blank=True)
    asked_at = models.DateTimeField(default=timezone.now, db_index=True)
    #: Of the form: IP address, user agent, and which text it had.
    proof = models.JSONField(default=dict)
    confirmed_at = models.DateTimeField(null=True)

    #: Which account the confirmation mail has left through, or is leaving, and when: it counts against its limits.
    account = models.ForeignKey(
        "massmail_plugin.SenderAccount", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    paced_at = models.DateTimeField(null=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    #: When the confirmation mail may be tried next. Empty: it was sent, or cannot be.
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("sign-up")
        verbose_name_plural = _("sign-ups")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_too_old(self) -> bool:
        """Whether its link no longer confirms anything."""
        return self.confirmed_at is None and self.asked_at < timezone.now() - LINK_WORKS
