"""The system checks say when a provider's reports cannot arrive."""

from __future__ import annotations

from typing import Any

import pytest

from massmail_plugin.checks import check_account_webhooks, check_webhooks
from massmail_plugin.models import SenderAccount
from tests.builders import an_account

POSTMARK, MAILGUN = "anymail.backends.postmark.EmailBackend", "anymail.backends.mailgun.EmailBackend"


def test_an_anymail_backend_without_a_secret_is_warned_of(settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.ANYMAIL = POSTMARK, {}
    (warning,) = check_webhooks()
    assert warning.id == "massmail_plugin.W002"
    assert "postmark" in warning.msg
    assert "WEBHOOK_SECRET" in str(warning.hint)


@pytest.mark.parametrize(
    ("backend", "given"),
    [
        (POSTMARK, {"WEBHOOK_SECRET": "user:password"}),
        (MAILGUN, {"MAILGUN_WEBHOOK_SIGNING_KEY": "key"}),
        ("django.core.mail.backends.smtp.EmailBackend", {}),
        ("anymail.backends.console.EmailBackend", {}),
        ("postmark.EmailBackend", {}),
    ],
)
def test_all_is_well(settings: Any, backend: str, given: dict[str, str]) -> None:
    settings.EMAIL_BACKEND, settings.ANYMAIL = backend, given
    assert check_webhooks() == []


@pytest.mark.django_db
def test_accounts_are_looked_at_when_the_database_may_be_asked(settings: Any) -> None:
    settings.ANYMAIL = {}
    for _ in range(2):
        an_account(kind=SenderAccount.Kind.BACKEND, backend=MAILGUN)
    an_account()
    assert check_account_webhooks(databases=None) == []
    (warning,) = check_account_webhooks(databases=["default"])
    assert "MAILGUN_WEBHOOK_SIGNING_KEY" in str(warning.hint)
