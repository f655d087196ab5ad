"""Addresses and what their people have said. Consent hangs on the address, never on the record."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from massmail_plugin.exact_text import ExactCharField
from massmail_plugin.recipients.addresses import parse_address

#: The scope of a consent event that concerns every mail, and not one target list.
EVERYTHING = ""
#: The scope of an opt-out from every list but those that somebody has opted in to since then, those that are made later
#: included: what stays of "everything" when they come back to some lists.
ELSEWHERE = "elsewhere"


class EmailAddress(models.Model):
    """One row per normalised address. Changed only by the verbs in ``recipients.consent`` and ``recipients.erased``.

    The row of somebody who was erased stays, under a keyed hash in place of the address.
    """

    key = ExactCharField(_("address"), max_length=254, help_text=_("Lower case, the domain in ASCII."))
    invalid_since = models.DateTimeField(
        _("invalid since"),
        null=True,
        blank=True,
        help_text=_("A hard bounce said that this mailbox does not exist."),
    )
    invalid_reason = models.CharField(_("why it is invalid"), max_length=500, blank=True)
    opted_out_since = models.DateTimeField(
        _("opted out since"), null=True, blank=True, help_text=_("The person wants no mailing at all.")
    )
    complained_since = models.DateTimeField(
        _("complained since"), null=True, blank=True, help_text=_("The person reported a mail as spam.")
    )
    erased_since = models.DateTimeField(
        _("erased since"), null=True, blank=True, help_text=_("What was known of the person was erased.")
    )
    created_at = models.DateTimeField(_("first seen"), auto_now_add=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("e-mail address")
        verbose_name_plural = _("e-mail addresses")
        ordering = ["key"]
        permissions = [("erase_emailaddress", "Can erase what is known of a person")]
        # Not "unique" on the field: PostgreSQL would get a second index, for LIKE, which costs each new audience.
        constraints = [models.UniqueConstraint(fields=["key"], name="massmail_address_once")]

    def __str__(self) -> str:
        return str(_("erased person")) if self.erased_since else self.key

    @property
    def is_mailable(self) -> bool:
        """Whether mailings may go to this address at all; list opt-outs come on top."""
        return not (self.invalid_since or self.opted_out_since or self.complained_since or self.erased_since)


def _new_pepper() -> str:
    return secrets.token_hex(32)


class ErasurePepper(models.Model):
    """What the hashes of erased addresses are made with: one row, there as soon as anybody was erased.

    Kept in the database and not in the settings: with a key that somebody exchanges or forgets, everybody who was
    erased could be mailed again.
    """

    #: Always 1: there is one row.
    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    pepper = models.CharField(max_length=64, default=_new_pepper, editable=False)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("key of erased addresses")
        verbose_name_plural = _("keys of erased addresses")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="massmail_one_pepper")]

    def __str__(self) -> str:
        return str(self.pk)


class ListOptOut(models.Model):
    """A current opt-out from one target list, or from all others.

    Derived from :class:`ConsentEvent`, kept for fast questions.
    """

    address = models.ForeignKey(EmailAddress, on_delete=models.CASCADE, related_name="list_opt_outs")
    #: Names the list without a foreign key: consent outlives the list. Or ``ELSEWHERE``.
    scope = models.CharField(max_length=80)
    since = models.DateTimeField()

    add_to_reference_index = False

    class Meta:
        verbose_name = _("opt-out from a list")
        verbose_name_plural = _("opt-outs from lists")
        constraints = [
            models.UniqueConstraint(fields=["scope", "address"], name="massmail_one_opt_out_per_list"),
        ]

    def __str__(self) -> str:
        return f"{self.address_id} {self.scope}"


class ConsentEvent(models.Model):
    """What was said, by whom, how and when. Append-only: the truth that current consent is derived from."""

    class Kind(models.TextChoices):
        OPT_IN = "opt_in", _("opted in")
        OPT_OUT = "opt_out", _("opted out")
        COMPLAINED = "complained", _("reported as spam")
        INVALID = "invalid", _("bounced: the mailbox does not exist")
        VALID = "valid", _("marked as valid again")
        ERASED = "erased", _("erased")

    class Method(models.TextChoices):
        LINK = "link", _("link in a mail")
        ONE_CLICK = "one_click", _("one-click button of the mail program")
        PREFERENCES = "preferences", _("preference page")
        UNDO = "undo", _("undo on the page")
        SIGN_UP = "sign_up", _("sign-up, confirmed by mail")
        PROVIDER = "provider", _("reported by the e-mail provider")
        SERVER = "server", _("answer of the mail server")
        OPERATOR = "operator", _("a person in the admin")
        IMPORT = "import", _("import")

    address = models.ForeignKey(EmailAddress, on_delete=models.PROTECT, related_name="consent_events")
    kind = models.CharField(_("what"), max_length=16, choices=Kind.choices)
    scope = models.CharField(_("of what"), max_length=80, blank=True, default=EVERYTHING)
    #: The list's title at that time: the list may be gone when somebody asks.
    scope_label = models.CharField(_("list"), max_length=255, blank=True)
    method = models.CharField(_("how"), max_length=16, choices=Method.choices)
    at = models.DateTimeField(_("when"), db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("by"),
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    #: Evidence: delivery, IP address, user agent, provider's event.
    proof = models.JSONField(_("proof"), default=dict, blank=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("consent event")
        verbose_name_plural = _("consent events")
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.scope_label}".strip()

    @property
    def proof_in_words(self) -> list[str]:
        """The proof, part by part: what it is, and what it says."""
        return list(_in_words(self.proof))


_PARTS = {
    "asked": _("form"),
    "delivery": _("mail number"),
    "ip": _("IP address"),
    "list": _("list"),
    "revision": _("version of the text"),
    "sha256": _("hash of the text"),
    "user_agent": _("program"),
}


def _in_words(proof: dict[str, Any], before: str = "") -> Iterator[str]:
    for name, value in proof.items():
        words = f"{before}{_PARTS.get(name, name)}"
        if isinstance(value, dict):
            yield from _in_words(value, f"{words}, ")
        elif value not in (None, ""):
            yield f"{words}: {value}"


class Subscriber(models.Model):
    """Somebody who is known only to mass mailing: signed up on a page, or came with an imported file.

    People whom the host's own records know are members of lists through those records, and not through this.
    """

    #: As it was given.
    email = models.CharField(_("e-mail address"), max_length=254)
    #: The normalised address; follows ``email`` whenever a row is saved.
    key = ExactCharField(max_length=254, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=255, blank=True)
    language = models.CharField(
        _("language"),
        max_length=35,
        blank=True,
        help_text=_("A language code, for example “de” or “pt-br”. Empty: nobody knows."),
    )
    created_at = models.DateTimeField(_("known since"), auto_now_add=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("subscriber")
        verbose_name_plural = _("subscribers")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ``MalformedAddress`` if ``email`` is none."""
        self.key = parse_address(self.email).key
        super().save(*args, **kwargs)
