"""System checks: what is missing in the host project, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import DatabaseError, connection
from django.urls import NoReverseMatch, reverse

from massmail_plugin import cluster_checks, conf, registration_checks


def register_checks() -> None:
    """Register every check; called once from ``AppConfig.ready``."""
    for check in (check_settings, check_apps, check_urls, check_webhooks, check_isolation):
        register(check, "massmail")
    register(registration_checks.check_recipient_types, "massmail")
    register(cluster_checks.check_cluster, "massmail")
    register(cluster_checks.check_cluster_in_production, "massmail", deploy=True)
    # Asks the database, so that it only runs when that is wanted: in "migrate" and "check --database".
    register(check_account_webhooks, checks.Tags.database)


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """MASSMAIL holds only keys that exist, values of their kind, and times that fit together."""
    chosen = getattr(settings, "MASSMAIL", {})
    unknown = sorted(set(chosen) - set(conf.DEFAULTS))
    wrong = [key for key in conf.DEFAULTS if key in chosen and not _is_of_its_kind(key, chosen[key])]
    return [*_unknown_keys(unknown), *_wrong_values(wrong), *([] if wrong else [*_runner(), *_short_lease()])]


def _is_of_its_kind(key: str, value: Any) -> bool:
    kinds = {int: (int, float), list: (list, tuple), str: (str,)}
    return isinstance(value, kinds[type(conf.DEFAULTS[key])]) and not isinstance(value, bool)


def _wrong_values(keys: list[str]) -> list[CheckMessage]:
    return [
        Error(
            f'MASSMAIL["{key}"] has a value of the wrong kind.',
            hint=f"Give a value like its default, {conf.DEFAULTS[key]!r}.",
            id="massmail_plugin.E006",
        )
        for key in keys
    ]


def _runner() -> list[CheckMessage]:
    if conf.get("RUNNER") in conf.RUNNERS:
        return []
    return [
        Error(
            f'MASSMAIL["RUNNER"] = {conf.get("RUNNER")!r} is not known.',
            hint=f"Choose one of {', '.join(conf.RUNNERS)}.",
            id="massmail_plugin.E008",
        )
    ]


def _short_lease() -> list[CheckMessage]:
    if conf.get("LEASE_SECONDS") > conf.get("SMTP_FINAL_DOT_TIMEOUT") + conf.get("SLICE_SECONDS"):
        return []
    hint = "Raise LEASE_SECONDS: a mail would be called in doubt while its worker still waits for the answer."
    message = (
        'MASSMAIL["LEASE_SECONDS"] should be more than SMTP_FINAL_DOT_TIMEOUT and SLICE_SECONDS together.'
    )
    return [checks.Warning(message, hint=hint, id="massmail_plugin.W003")]


def _unknown_keys(unknown: list[str]) -> list[CheckMessage]:
    return [
        Error(
            f"MASSMAIL has no key {key!r}.",
            hint=f"Known keys: {', '.join(sorted(conf.DEFAULTS))}.",
            id="massmail_plugin.E001",
        )
        for key in unknown
    ]


def check_apps(**kwargs: Any) -> list[CheckMessage]:
    """The apps that we build on are installed."""
    needed = ["anymail", "wagtail.contrib.settings"]
    if conf.get("RUNNER") != "worker":
        needed.append("django_q")
    return [
        Error(
            f"massmail_plugin needs {app!r}.",
            hint=f"Add {app!r} to INSTALLED_APPS.",
            id="massmail_plugin.E002",
        )
        for app in needed
        if not apps.is_installed(app)
    ]


def check_isolation(**kwargs: Any) -> list[CheckMessage]:
    """Claims see what others have claimed before them: the limits hang on that."""
    # MariaDB begins its moment with the first question after the locks; PostgreSQL with the locks themselves.
    if connection.vendor != "postgresql":
        return []
    from django.db.backends.postgresql.psycopg_any import IsolationLevel

    usual = IsolationLevel.READ_COMMITTED
    if connection.settings_dict["OPTIONS"].get("isolation_level", usual) == usual:
        return []
    hint = 'Leave "isolation_level" out of the database\'s OPTIONS, or set it to READ_COMMITTED.'
    message = "With this isolation level of PostgreSQL more mails may leave than an account's limits allow."
    return [Error(message, hint=hint, id="massmail_plugin.E018")]


def check_urls(**kwargs: Any) -> list[CheckMessage]:
    """The public pages are mounted: without them opt-out links lead nowhere."""
    try:
        reverse("massmail:one_click", args=["token"])
    except NoReverseMatch:
        hint = 'Add path("mail/", include("massmail_plugin.urls")) to the project\'s urls.py, before Wagtail\'s own.'
        return [
            Error("massmail_plugin's public pages are not mounted.", hint=hint, id="massmail_plugin.E003")
        ]
    return []


def check_webhooks(**kwargs: Any) -> list[CheckMessage]:
    """The project's own e-mail provider can tell us about bounces and complaints."""
    mailers = getattr(settings, "MAILERS", None)
    backends = (
        [mailer.get("BACKEND", "") for mailer in mailers.values()] if mailers else [settings.EMAIL_BACKEND]
    )
    return _shut_webhooks(backends)


def check_account_webhooks(**kwargs: Any) -> list[CheckMessage]:
    """So can the providers of the sender accounts."""
    from massmail_plugin.accounts.models import SenderAccount

    if not kwargs.get("databases"):
        return []
    try:
        return _shut_webhooks(SenderAccount.objects.exclude(backend="").values_list("backend", flat=True))
    except DatabaseError:
        return []  # The first "migrate" checks before it makes the table.


def _shut_webhooks(backends: Iterable[str]) -> list[CheckMessage]:
    from massmail_plugin.feedback.provider_webhooks import needs_secret, secret_setting

    shut = sorted({name for backend in backends if (name := needs_secret(backend))})
    return [
        checks.Warning(
            f"Mails leave through {name}, but its reports (bounces, complaints) are refused: there is no secret.",
            hint=f"Set {secret_setting(name)}, and have {name} post to .../webhooks/{name}/tracking/.",
            id="massmail_plugin.W002",
        )
        for name in shut
    ]
