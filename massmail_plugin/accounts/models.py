"""Ways out: the mail accounts and providers that mailings leave through."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from massmail_plugin.accounts.batches import LARGEST_BATCH, batch_syntax
from massmail_plugin.accounts.limits import SendingLimits
from massmail_plugin.accounts.secrets import SecretField
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address

#: A fault that stops nothing is of interest for so long.
FAULT_FADES_AFTER = dt.timedelta(days=1)


class SenderAccount(SendingLimits):
    """An owner's way out: an SMTP server, or any Django or Anymail e-mail backend."""

    class Kind(models.TextChoices):
        SMTP = "smtp", _("SMTP server")
        BACKEND = "backend", _("E-mail provider (Django or Anymail backend)")

    class Security(models.TextChoices):
        STARTTLS = "starttls", _("STARTTLS (usual for port 587)")
        TLS = "tls", _("TLS (usual for port 465)")
        NONE = "none", _("None (only for a server on your own machine or network)")

    class State(models.TextChoices):
        """Whether mailings may use the account."""

        READY = "ready", _("ready")
        #: Switched off by its owner.
        OFF = "off", _("switched off")
        #: Stopped by a fault of the account itself; starts again when somebody has mended it.
        FAULTY = "faulty", _("stopped by a fault")

    name = models.CharField(
        _("name"), max_length=100, help_text=_("For you and your colleagues, for example “Sales, Berlin”.")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="massmail_accounts",
        verbose_name=_("owner"),
        help_text=_("Only mailings of this person leave through the account. Empty: everybody's mailings."),
    )
    from_name = models.CharField(_("From: name"), max_length=100, blank=True)
    from_email = models.EmailField(_("From: address"))
    reply_to = models.EmailField(
        _("Reply-To address"), blank=True, help_text=_("Empty: answers go to the From address.")
    )
    kind = models.CharField(_("sends through"), max_length=10, choices=Kind.choices, default=Kind.SMTP)

    host = models.CharField(
        _("server"), max_length=255, blank=True, help_text=_("For example smtp.example.com")
    )
    port = models.PositiveIntegerField(
        _("port"),
        default=587,
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
        help_text=_("Usually 587, or 465 with TLS."),
    )
    security = models.CharField(
        _("encryption"), max_length=10, choices=Security.choices, default=Security.STARTTLS
    )
    username = models.CharField(
        _("user name"), max_length=255, blank=True, help_text=_("Empty: the server asks for none.")
    )
    password = SecretField(_("password"))

    backend = models.CharField(
        _("backend"),
        max_length=200,
        blank=True,
        help_text=_("Dotted path, for example anymail.backends.mailgun.EmailBackend"),
    )
    #: A JSON object of keyword arguments (API keys...) for the backend, encrypted as a whole.
    backend_options = SecretField(_("backend options"))

    connections = models.PositiveSmallIntegerField(
        _("connections"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_(
            "How many mails may be on their way at a time. More make slow servers faster; many servers allow 5 to 20."
        ),
    )

    batch_size = models.PositiveSmallIntegerField(
        _("mails in one call"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(LARGEST_BATCH)],
        help_text=_(
            "Mailgun and SparkPost take several at once, which is faster. The doubt is larger, too: if a call breaks "
            "off, nobody knows of all its mails whether they left. They are then listed by name for you to decide. "
            "Only mailings that allow it are sent so. 1: each mail in a call of its own."
        ),
    )

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.READY)
    last_fault = models.TextField(_("last fault"), blank=True)
    last_fault_at = models.DateTimeField(_("last fault at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("sender account")
        verbose_name_plural = _("sender accounts")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return f"{self.name} <{self.from_email}>"

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.READY

    @property
    def present_fault(self) -> str:
        """The last fault while it matters: as long as it stops the account, and else for a day."""
        if self.state == self.State.FAULTY:
            return self.last_fault
        is_new = self.last_fault_at is not None and self.last_fault_at > timezone.now() - FAULT_FADES_AFTER
        return self.last_fault if is_new else ""

    @property
    def sends_batches(self) -> bool:
        return self.kind == self.Kind.BACKEND and self.batch_size > 1

    @property
    def mails_under_way(self) -> int:
        """How many mails of one worker may be on their way at a time. With batches: those of one call."""
        return self.batch_size if self.sends_batches else self.connections

    @property
    def sending_domain(self) -> str:
        """The From address's domain in ASCII: Message-IDs are made on it."""
        try:
            return parse_address(self.from_email).envelope.rpartition("@")[2]
        except MalformedAddress:
            return "localhost"

    def clean(self) -> None:
        super().clean()
        if self.kind == self.Kind.SMTP and not self.host:
            raise ValidationError({"host": _("Enter the name of the server.")})
        if self.kind == self.Kind.BACKEND and not self.backend:
            raise ValidationError({"backend": _("Enter the dotted path of the backend.")})
        # What is no number is refused at its own field.
        if self.kind == self.Kind.BACKEND and (self.batch_size or 1) > 1 and not batch_syntax(self.backend):
            raise ValidationError(
                {
                    "batch_size": _(
                        "This provider gets one mail in a call: it cannot make several of one call that each "
                        "recipient would get as their own. Enter 1."
                    )
                }
            )


def has_own_accounts(owner_id: int | None) -> bool:
    """Return whether this owner's mailings leave through accounts of the owner's own.

    One that has stopped counts: its mails must not suddenly come from somebody else's address. One that is
    switched off does not.
    """
    own = SenderAccount.objects.exclude(state=SenderAccount.State.OFF).filter(owner_id=owner_id)
    return owner_id is not None and own.exists()


def accounts_for(owner_id: int | None) -> models.QuerySet[SenderAccount]:
    """Return the accounts that are ready for a new mailing of this owner: the owner's own, or else everybody's."""
    ready = SenderAccount.objects.filter(state=SenderAccount.State.READY)
    return ready.filter(owner_id=owner_id if has_own_accounts(owner_id) else None)
