"""The system checks tell an integrator what is missing and what to do."""

import pytest
from django.apps import apps
from django.urls import clear_url_caches, set_urlconf

from massmail_plugin import checks, recipients
from massmail_plugin.recipients import registry
from massmail_plugin.recipients.types import RecipientType
from sandbox.crm.models import Contact, Lead


def _ids(messages):
    return [message.id for message in messages]


def test_the_sandbox_is_clean():
    for check in (checks.check_settings, checks.check_apps, checks.check_urls, checks.check_recipient_types):
        assert check() == []


def test_a_misspelt_setting_is_named_with_the_known_ones(settings):
    settings.MASSMAIL = {"LEASE_SECS": 5}
    (message,) = checks.check_settings()
    assert "LEASE_SECS" in message.msg
    assert "LEASE_SECONDS" in message.hint


@pytest.mark.parametrize(
    ("key", "value"), [("LEASE_SECONDS", "900"), ("SECRET_KEYS", "abc"), ("CLAIM_SIZE", None)]
)
def test_a_value_of_the_wrong_kind_is_named(settings, key, value):
    settings.MASSMAIL = {key: value}
    (message,) = checks.check_settings()
    assert (message.id, key in message.msg) == ("massmail_plugin.E006", True)


def test_a_lease_that_ends_before_the_servers_answer_may_come_is_warned_of(settings):
    settings.MASSMAIL = {"LEASE_SECONDS": 300}
    assert _ids(checks.check_settings()) == ["massmail_plugin.W003"]


def test_a_project_without_our_urls_is_told_the_line_to_add(settings):
    settings.ROOT_URLCONF = "wagtail.urls"
    clear_url_caches()
    set_urlconf(None)
    (message,) = checks.check_urls()
    assert 'include("massmail_plugin.urls")' in message.hint


def test_a_missing_app_is_named(monkeypatch):
    is_installed = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "anymail" and is_installed(name))
    assert _ids(checks.check_apps()) == ["massmail_plugin.E002"]


def test_a_project_without_recipients_is_told_where_to_write_them(monkeypatch):
    monkeypatch.setattr(registry, "_types", {})
    (message,) = checks.check_recipient_types()
    assert "massmail.py" in message.hint


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"email": "mail"}, ["massmail_plugin.E004"]),
        ({"email": ""}, ["massmail_plugin.E004"]),
        ({"email": "company__nothing"}, ["massmail_plugin.E004"]),
        ({"owner": "boss"}, ["massmail_plugin.E004"]),
        ({"merge_fields": ["frist_name"]}, ["massmail_plugin.E005"]),
        ({"merge_fields": "first_name"}, ["massmail_plugin.E007"]),
        ({"name": "nick"}, ["massmail_plugin.E005"]),
        ({"vip": "is_dear"}, ["massmail_plugin.E005"]),
        ({"vip": "full_name"}, []),
        ({"merge_fields": ["company__name", "pk"]}, []),
    ],
)
def test_a_registration_that_names_what_does_not_exist(monkeypatch, attributes, expected):
    recipient_type = type("Wrong", (RecipientType,), attributes)(Contact)
    monkeypatch.setattr(registry, "_types", {recipient_type.key: recipient_type})
    assert _ids(checks.check_recipient_types()) == expected


def test_two_registrations_of_one_model_are_refused(monkeypatch):
    from django.core.exceptions import ImproperlyConfigured

    monkeypatch.setattr(registry, "_types", {})
    recipients.register(Lead)(type("First", (RecipientType,), {}))
    with pytest.raises(ImproperlyConfigured, match="registered twice"):
        recipients.register(Lead)(type("Second", (RecipientType,), {}))
