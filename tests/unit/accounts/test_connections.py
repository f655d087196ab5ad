"""How e-mail backends are built from the rows of accounts."""

import ast
import json
from pathlib import Path

import django
import pytest
from django.core.mail.backends.base import BaseEmailBackend

import massmail_plugin
from massmail_plugin.accounts.connections import BadBackend, build_backend
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret


class RecordingBackend(BaseEmailBackend):
    def __init__(self, **options):
        self.options = options


class Config:
    """The little of botocore's class that matters here."""

    def __init__(self, **options):
        self.options = options

    def merge(self, other):
        return Config(**{**self.options, **other.options})


class BotoBackend(BaseEmailBackend):
    def __init__(self, **options):
        self.client_params = {"config": Config(user_agent="anymail", retries={"max_attempts": 5})}


def _account(name="RecordingBackend", options=None, pk=7):
    backend_options = Secret.of(json.dumps(options or {}))
    kind = SenderAccount.Kind.BACKEND
    return SenderAccount(pk=pk, kind=kind, backend=f"{__name__}.{name}", backend_options=backend_options)


@pytest.mark.parametrize(
    ("version", "options"),
    [
        ((5, 2, 19, "final", 0), {"api_key": "k"}),
        ((6, 0, 9, "final", 0), {"api_key": "k"}),
        ((6, 1, 0, "final", 0), {"api_key": "k", "alias": "massmail-7"}),
        ((7, 0, 0, "final", 0), {"api_key": "k", "alias": "massmail-7"}),
    ],
)
def test_a_backend_gets_the_alias_that_django_wants_since_its_mailers(monkeypatch, version, options):
    monkeypatch.setattr(django, "VERSION", version)
    assert build_backend(_account(options={"api_key": "k"})).options == options


def test_an_alias_of_the_owners_is_kept(monkeypatch):
    monkeypatch.setattr(django, "VERSION", (6, 1, 0, "final", 0))
    assert build_backend(_account(options={"alias": "sales"})).options == {"alias": "sales"}


def test_nothing_else_asks_django_for_a_connection():
    """``get_connection`` raises where MAILERS is used, and so do the functions that call it."""
    forbidden = {"get_connection", "send_mail", "send_mass_mail", "mail_admins", "mail_managers"}
    used = {
        f"{path.name}: {node.name}"
        for path in Path(massmail_plugin.__file__).parent.rglob("*.py")
        for statement in ast.walk(ast.parse(path.read_text()))
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("django.core.mail")
        for node in statement.names
        if node.name in forbidden
    }
    assert used == set()


def test_a_client_that_repeats_calls_by_itself_is_kept_from_it():
    config = build_backend(_account("BotoBackend")).client_params["config"]
    assert config.options == {"user_agent": "anymail", "retries": {"total_max_attempts": 1}}


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not valid JSON"), ("[]", "JSON object"), ('{"fail": 1', "not valid JSON")]
)
def test_options_that_cannot_be_read_are_named(text, words):
    account = _account()
    account.backend_options = Secret.of(text)
    with pytest.raises(BadBackend, match=words):
        build_backend(account)
