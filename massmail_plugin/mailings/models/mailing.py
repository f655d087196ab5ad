"""Mailings: what somebody writes, sends, and watches."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.mailings.models.campaign import Campaign
from massmail_plugin.mailings.states import MailingState


class Mailing(models.Model):
    """One template to the campaign's lists, from a start time on, through its owner's accounts."""

    class InDoubt(models.TextChoices):
        """What becomes of a mail of which nobody can say whether it left."""

        #: At most once.
        HOLD = "hold", _("Hold them until somebody decides: nobody gets two mails")
        #: At least once.
        RESEND = "resend", _("Send them again by itself: nobody is left without a mail")

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="mailings", verbose_name=_("campaign")
    )
    name = models.CharField(_("name"), max_length=150)
    # A mailing must never vanish with its template, so the template is protected.
    template = models.ForeignKey(
        EmailTemplate,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="mailings",
        verbose_name=_("template"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="massmailings",
        verbose_name=_("owner"),
        help_text=_("The mails leave through this person's accounts."),
    )
    start_at = models.DateTimeField(
        _("start"), null=True, blank=True, help_text=_("Empty: as soon as you press Send.")
    )
    opt_out_entirely = models.BooleanField(
        _("The opt-out link ends all mailings"),
        default=False,
        help_text=_(
            "Ticked: whoever uses the opt-out link gets no mailing again. Not ticked: they leave this campaign's lists."
        ),
    )
    in_doubt = models.CharField(
        _("mails in doubt"),
        max_length=6,
        choices=InDoubt.choices,
        default=InDoubt.HOLD,
        help_text=_(
            "When the connection breaks in the moment of sending, nobody can say whether the mail left. "
            "Held, it may be missing until you decide. Sent again, some people may get it twice."
        ),
    )
    in_batches = models.BooleanField(
        _("several mails in one call to the provider"),
        default=False,
        help_text=_(
            "Faster, for accounts that are set up for it. If a call breaks off, all of its mails are in doubt, and not "
            "only one."
        ),
    )
    state = models.CharField(
        _("status"), max_length=12, choices=MailingState.choices, default=MailingState.DRAFT, editable=False
    )
    #: What went wrong last, for people; empty when all is well.
    notice = models.TextField(_("notice"), blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("mailing")
        verbose_name_plural = _("mailings")
        ordering = ["-created_at", "-pk"]
        permissions = [
            ("send_mailing", "Can start, pause, resume and cancel mailings"),
            ("send_test_mailing", "Can send test mails"),
            ("mail_everybodys_records", "Can mail everybody's contacts"),
            ("work_for_every_department", "Can see and use what belongs to any department"),
        ]
        indexes = [models.Index(fields=["state", "start_at"], name="massmail_mailing_due")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.start_at and self.state == MailingState.DRAFT and self.start_at < timezone.now():
            raise ValidationError(
                {
                    "start_at": _(
                        "This time has passed. Choose a later one, or leave it empty to start at once."
                    )
                }
            )
