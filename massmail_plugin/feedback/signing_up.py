"""Signing up for a public list: a form, a mail with a link, and the button behind the link (double opt-in)."""

from __future__ import annotations

import hashlib
from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from massmail_plugin import tokens
from massmail_plugin.audience import joining
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.sign_ups import SignUp
from massmail_plugin.delivery.running.nudges import nudge_sign_ups
from massmail_plugin.feedback import bots
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress

#: Mails that one address can be sent in a day, whoever asks for them.
_MAILS_A_DAY = 3


class SignUpForm(forms.Form):
    """What is asked of a visitor."""

    email = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": _("Enter your e-mail address.")},
    )
    name = forms.CharField(
        label=_("Name (optional)"),
        max_length=255,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    #: Out of sight; only bots fill it in.
    website = forms.CharField(required=False)
    stamp = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        try:
            parse_address(email)
        except MalformedAddress as error:
            raise forms.ValidationError(_("This is no e-mail address. Example: anna@example.com")) from error
        return email


def ask(target_list: TargetListPage, email: str, name: str, proof: dict[str, Any]) -> None:
    """Remember the wish, and have the confirmation mail sent: by a worker, so that the page tells nothing by its time.

    Too many mails to one address are silently not sent; the visitor is not told, as it may not be theirs.
    """
    key = parse_address(email).key
    if bots.is_too_often("sign-up mail", key, _MAILS_A_DAY, 24 * 60 * 60):
        return
    with transaction.atomic():
        SignUp.objects.create(
            target_list=target_list,
            key=key,
            email=email,
            name=name,
            proof={**proof, "form": _form_version(target_list)},
        )
        nudge_sign_ups()


def sign_up_of(token: str) -> SignUp | None:
    """Return the sign-up that a confirmation link was made for; None if it is forgotten. Raises ``BadToken``."""
    (number,) = tokens.read(tokens.Purpose.SIGN_UP, token, count=1)
    return SignUp.objects.filter(pk=number).select_related("target_list__locale").first()


def confirm(sign_up: SignUp, proof: dict[str, Any]) -> EmailAddress | None:
    """Let the person in, with the proof of both steps; None if it was done before. Pressing twice does no harm."""
    with transaction.atomic():
        mine = SignUp.objects.filter(pk=sign_up.pk, confirmed_at=None)
        if not mine.update(confirmed_at=timezone.now(), next_attempt_at=None):
            return None
        asked = {**sign_up.proof, "at": sign_up.asked_at.isoformat()}
        how = How(ConsentEvent.Method.SIGN_UP, proof={**proof, "asked": asked})
        return joining.join(sign_up.target_list, sign_up.email, how, name=sign_up.name)


def _form_version(target_list: TargetListPage) -> dict[str, Any]:
    """Return which text the visitor has read: the page's revision, and a hash of what was shown."""
    shown = f"{target_list.title}\0{target_list.sign_up_intro}"
    return {
        "list": target_list.pk,
        "revision": target_list.live_revision_id,
        "sha256": hashlib.sha256(shown.encode()).hexdigest(),
    }
