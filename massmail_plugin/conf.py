"""The ``MASSMAIL`` settings dictionary: every key, its default and what it means.

Read through :func:`get`, at use and never at import, so that tests and hosts may override settings.
Settings that editors may change live in :mod:`massmail_plugin.preferences` instead.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    # Public address of this site, used in every link of a mail, for example "https://crm.example.com".
    # Empty: the editors' setting, and then WAGTAILADMIN_BASE_URL.
    "BASE_URL": "",
    # Keys that sign links and encrypt account passwords, newest first. Add a new key in front and keep
    # the old ones: links in mails already delivered must work for years. Empty: [SECRET_KEY].
    "SECRET_KEYS": [],
    # Seconds that a worker owns the mails it has claimed. Longer than SMTP_FINAL_DOT_TIMEOUT, so that
    # a mail is never called "in doubt" while its worker still waits for the server's answer.
    "LEASE_SECONDS": 900,
    # Mails that a worker claims at a time.
    "CLAIM_SIZE": 20,
    # Seconds after which a worker ends its task and asks for another one. Well below Q_CLUSTER["timeout"].
    "SLICE_SECONDS": 20,
    # Seconds by which a mailing may start late by itself, because nothing was running at its time. After that it
    # waits for somebody to press Resume.
    "START_GRACE_SECONDS": 3600,
    # Own attempts for one mail before it is called failed.
    "MAX_ATTEMPTS": 3,
    # Seconds to wait for the server: for any verb, and for the answer to the final dot
    # (RFC 5321 4.5.3.2.6 asks for 10 minutes: giving up sooner makes duplicates, RFC 1047).
    "SMTP_TIMEOUT": 60,
    "SMTP_FINAL_DOT_TIMEOUT": 600,
    # The name by which we introduce ourselves to mail servers, for example "crm.example.com". Empty: this machine's
    # full name, or the domain of the sender's address if it has none.
    "EHLO_NAME": "",
    # Mails after which a connection is closed and a new one made; 0: never. Yahoo asks for 20 from who delivers to it
    # directly.
    "MAILS_PER_CONNECTION": 0,
    # Folder of this machine where workers write down what became of a mail before the database knows it, and which
    # database they work for. Empty: a folder of their own under /var/tmp. In containers: on a volume that stays.
    "JOURNAL_DIR": "",
    # Who does the work: "django-q" (a cluster, "qcluster") or "worker" ("massmail_worker", or "massmail_tick"
    # from cron). With "worker" nothing is put in django-q2's queue, and its settings are not looked at.
    "RUNNER": "django-q",
    # Seconds between two looks of "massmail_worker" whether somebody has pressed a button.
    "POLL_SECONDS": 2,
    # Megabytes that a file may have which is imported into a target list.
    "IMPORT_MAX_MEGABYTES": 100,
    # The django-q2 cluster (ALT_CLUSTERS name) that gets our tasks. Empty: the default cluster.
    "CLUSTER": "",
}

#: What ``RUNNER`` may be.
RUNNERS = ("django-q", "worker")


def get(key: str) -> Any:
    """Return the setting ``key``, or its default. Raises ``KeyError`` for a key that does not exist."""
    return getattr(settings, "MASSMAIL", {}).get(key, DEFAULTS[key])


def secret_keys() -> list[str]:
    """Return the keys for signing and encrypting, newest first; never empty."""
    return list(get("SECRET_KEYS")) or [settings.SECRET_KEY]
