"""The system checks tell an integrator what is missing and what to do."""

from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.urls import clear_url_caches, set_urlconf

from massmail_plugin import checks
from massmail_plugin.registration_checks import check_recipient_types


def _ids(messages):
    return [message.id for message in messages]


def test_the_sandbox_is_clean():
    for check in (checks.check_settings, checks.check_apps, checks.check_urls, check_recipient_types):
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


@pytest.mark.parametrize(
    ("vendor", "options", "ids"),
    [
        ("postgresql", {}, []),
        ("postgresql", {"isolation_level": IsolationLevel.READ_COMMITTED}, []),
        ("postgresql", {"isolation_level": IsolationLevel.REPEATABLE_READ}, ["massmail_plugin.E018"]),
        ("postgresql", {"isolation_level": IsolationLevel.SERIALIZABLE.value}, ["massmail_plugin.E018"]),
        ("mysql", {"isolation_level": "repeatable read"}, []),
    ],
)
def test_an_isolation_level_with_which_limits_do_not_hold_is_refused(monkeypatch, vendor, options, ids):
    monkeypatch.setattr(
        checks, "connection", SimpleNamespace(vendor=vendor, settings_dict={"OPTIONS": options})
    )
    assert _ids(checks.check_isolation()) == ids
