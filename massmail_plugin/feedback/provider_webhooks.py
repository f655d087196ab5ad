"""Anymail's webhook views under our own address, shut as long as nobody could tell a forged post from a true one.

Anymail serves a webhook without any secret, too, and only warns. A forged bounce or complaint ends an address
for every mailing, so that here a provider without a secret has no address at all.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from anymail.exceptions import AnymailConfigurationError, AnymailError, AnymailWebhookValidationFailure
from anymail.utils import get_anymail_setting
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from massmail_plugin.feedback.request_size import is_longer

logger = logging.getLogger("massmail_plugin.feedback")

#: Bytes of one post; the largest batches that providers send are below 1 MB.
MAX_BODY = 10_000_000

# What a payload that is no payload makes a parser raise.
_UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
    AnymailError,
)


@dataclass(frozen=True, slots=True)
class Provider:
    """An e-mail provider of Anymail's, as in the module names of its backends and webhooks."""

    #: Class of the tracking view, in ``anymail.webhooks.<module>``.
    view: str
    #: Name of the key by which the provider signs its posts; empty: it only knows basic authentication.
    signing_key: str = ""
    #: Another key that Anymail takes when the first is not set.
    fallback_key: str = ""


PROVIDERS = {
    "amazon_ses": Provider("AmazonSESTrackingWebhookView"),
    "brevo": Provider("BrevoTrackingWebhookView"),
    "mailersend": Provider("MailerSendTrackingWebhookView", "signing_secret"),
    "mailgun": Provider("MailgunTrackingWebhookView", "webhook_signing_key", "api_key"),
    "mailjet": Provider("MailjetTrackingWebhookView"),
    "mailtrap": Provider("MailtrapTrackingWebhookView", "tracking_secret"),
    "mandrill": Provider("MandrillCombinedWebhookView", "webhook_key"),
    "postal": Provider("PostalTrackingWebhookView", "webhook_key"),
    "postmark": Provider("PostmarkTrackingWebhookView"),
    "resend": Provider("ResendTrackingWebhookView", "signing_secret"),
    "sendgrid": Provider("SendGridTrackingWebhookView", "tracking_webhook_verification_key"),
    "sparkpost": Provider("SparkPostTrackingWebhookView"),
    "unisender_go": Provider("UnisenderGoTrackingWebhookView", "api_key"),
}


def has_secret(name: str) -> bool:
    """Whether posts of this provider can be told from forged ones: by Anymail's WEBHOOK_SECRET or its signature.

    An empty key counts as none: anybody can sign with it.
    """
    provider = PROVIDERS[name]
    secret = get_anymail_setting("webhook_secret", default="")
    secrets = [secret] if isinstance(secret, str) else list(secret or ())
    if secrets and all(entry.partition(":")[2] for entry in secrets):
        return True
    keys = [provider.signing_key, provider.fallback_key]
    given = [get_anymail_setting(key, esp_name=name, allow_bare=True, default=None) for key in keys if key]
    # Anymail takes the first that is set, even if it is empty.
    return bool(next((value for value in given if value is not None), None))


def needs_secret(backend: str) -> str:
    """Return the provider of an e-mail backend (a dotted path) whose webhook is shut; empty if all is well."""
    package, _dot, name = backend.removesuffix(".EmailBackend").rpartition(".")
    return name if package == "anymail.backends" and name in PROVIDERS and not has_secret(name) else ""


def secret_setting(name: str) -> str:
    """Return the name of the setting that a provider's webhook still needs, for checks and people."""
    key = PROVIDERS[name].signing_key
    return f'ANYMAIL["{name.upper()}_{key.upper()}"]' if key else 'ANYMAIL["WEBHOOK_SECRET"]'


@csrf_exempt
@login_not_required
def provider_webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """Receive the events of one provider: 404 without a secret, 400 if forged or unreadable, 413 if huge."""
    if provider not in PROVIDERS:
        raise Http404
    if not has_secret(provider):
        logger.warning("A post to the webhook of %s was refused: set %s", provider, secret_setting(provider))
        raise Http404
    if is_longer(request, MAX_BODY):
        return HttpResponse(status=413)
    try:
        return _view(provider)(request)
    except AnymailWebhookValidationFailure as error:
        # Left to Django it would be an error with a traceback for each post, and a mail to the site's
        # administrators: anybody could flood them.
        logger.warning("A post to the webhook of %s was refused: %s", provider, error)
        return HttpResponse(status=400)
    except AnymailConfigurationError as error:
        # Its message names settings only: a missing key, or an inbound route that was pointed here.
        logger.warning("The webhook of %s is not set up: %s", provider, error)
        raise Http404 from error


@cache
def _view(name: str) -> Any:
    # Imported when first needed: each module may want a package that only its own provider's users have.
    base = import_string(f"anymail.webhooks.{name}.{PROVIDERS[name].view}")
    strict: Any = type(f"Strict{base.__name__}", (_Strict, base), {})
    return strict.as_view()


class _Strict:
    """Answers 400 to what cannot be read, and drops the unreadable events of a batch instead of the whole batch."""

    def run_validators(self, request: HttpRequest) -> None:
        try:
            super().run_validators(request)  # type: ignore[misc]
        except AnymailWebhookValidationFailure:
            raise
        except _UNREADABLE as error:
            raise BadRequest("unreadable payload") from error

    def parse_events(self, request: HttpRequest) -> list[Any]:
        try:
            parsed = super().parse_events(request)  # type: ignore[misc]
        except _UNREADABLE as error:
            raise BadRequest("unreadable payload") from error
        readable = [event for event in parsed if event is not None]
        if parsed and not readable:
            raise BadRequest("no readable event")
        return readable

    def esp_to_anymail_event(self, *args: Any) -> Any:
        try:
            return super().esp_to_anymail_event(*args)  # type: ignore[misc]
        except _UNREADABLE as error:
            logger.warning("An event of %s was not readable: %s", self.esp_name, type(error).__name__)  # type: ignore[attr-defined]
            return None
