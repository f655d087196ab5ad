"""Settings of the sandbox. What massmail_plugin needs stands at the end, under its own heading."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).resolve().parent.parent

# Everything that the sandbox writes: database, uploads, cache, received mail, logs.
VAR = Path(os.environ.get("MASSMAIL_SANDBOX_VAR") or REPOSITORY / "var" / "sandbox").resolve()
VAR.mkdir(parents=True, exist_ok=True)

BASE_URL = os.environ.get("MASSMAIL_SANDBOX_URL", "http://127.0.0.1:8000").rstrip("/")

SECRET_KEY = "sandbox only: no secret, and never to be used for a real site"
DEBUG = bool(os.environ.get("MASSMAIL_SANDBOX_DEBUG"))
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", urlsplit(BASE_URL).hostname or "localhost"]
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "sandbox.crm",
    "sandbox.inbox",
    "massmail_plugin",
    "anymail",
    "django_q",
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.contrib.settings",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_filters",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
]

ROOT_URLCONF = "sandbox.urls"
WSGI_APPLICATION = "sandbox.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [REPOSITORY / "sandbox" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "wagtail.contrib.settings.context_processors.settings",
            ],
        },
    },
]

SQLITE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": VAR / "sandbox.sqlite3",
    "OPTIONS": {
        # Seconds to wait for another writer. IMMEDIATE takes the write lock when a transaction begins:
        # one that reads first and writes later would fail at once instead of waiting.
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        # WAL lets web and workers read while one of them writes. FULL: a commit survives a power cut;
        # with NORMAL a mail that has left could look unsent afterwards.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    },
}
POSTGRESQL = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ.get("PGHOST", "127.0.0.1"),
    "PORT": os.environ.get("PGPORT", "5432"),
    "USER": os.environ.get("PGUSER", "postgres"),
    "PASSWORD": os.environ.get("PGPASSWORD", ""),
    "NAME": os.environ.get("PGDATABASE", "massmail_sandbox"),
    # A worker asks the same few questions again and again: PostgreSQL plans each once, which sends more mails.
    # Not through a PgBouncer older than 1.21, for which each transaction is on another connection.
    "OPTIONS": {"server_side_binding": True, "prepare_threshold": 5},
}
MARIADB = {
    "ENGINE": "django.db.backends.mysql",
    "HOST": os.environ.get("MYSQL_HOST", "127.0.0.1"),
    "PORT": os.environ.get("MYSQL_TCP_PORT", "3306"),
    "USER": os.environ.get("MYSQL_USER", "root"),
    "PASSWORD": os.environ.get("MYSQL_PWD", ""),
    "NAME": os.environ.get("MYSQL_DATABASE", "massmail_sandbox"),
    "OPTIONS": {"charset": "utf8mb4"},
}
_DATABASES: dict[str, dict[str, Any]] = {"postgresql": POSTGRESQL, "mariadb": MARIADB}
DATABASES = {
    "default": {
        **_DATABASES.get(os.environ.get("MASSMAIL_TEST_DATABASE", ""), SQLITE),
        # With 0 the cluster's ORM broker would open a connection for every single operation.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Shared by all processes: the cluster tells its state through it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR / "cache",
    },
}

LANGUAGE_CODE = "en"
TIME_ZONE = "Europe/Berlin"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
# Straight from the apps' folders, also without DEBUG: nothing has to be collected first.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

MEDIA_URL = "/media/"
MEDIA_ROOT = VAR / "media"

# Wagtail's page editor sends more fields than Django's default of 1000.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

WAGTAIL_SITE_NAME = "Sandbox CRM"
WAGTAILADMIN_BASE_URL = BASE_URL
# The sandbox works without a network: no portraits and no news from outside.
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_ENABLE_WHATS_NEW_BANNER = False
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}

# The sandbox's own notifications (Wagtail's, the password reset) go to its inbox, too.
SMTP_PORT = int(os.environ.get("MASSMAIL_SANDBOX_SMTP_PORT", "2525"))
MAILDIR = VAR / "mail"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = SMTP_PORT
DEFAULT_FROM_EMAIL = "Sandbox CRM <crm@sandbox.example>"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # aiosmtpd writes down every line of every conversation, django-tasks every step of every task.
    "loggers": {"mail.log": {"level": "WARNING"}, "django_tasks": {"level": "WARNING"}},
}

# What massmail_plugin needs

# A mail server may take ten minutes to answer one mail, after a task's slice of 20 seconds.
_WORKERS, _QUEUE_LIMIT, _TIMEOUT = 2, 2, 720

Q_CLUSTER = {
    "name": "massmail-sandbox",
    # A broker with receipts: a task whose worker dies runs again.
    "orm": "default",
    "workers": _WORKERS,
    "queue_limit": _QUEUE_LIMIT,
    "bulk": 1,
    "timeout": _TIMEOUT,
    # Counts from when a task is fetched, so it must also cover the wait in the cluster's own queue:
    # timeout x (ceil((queue_limit + bulk + 1) / workers) + 1).
    "retry": _TIMEOUT * (-(-(_QUEUE_LIMIT + 2) // _WORKERS) + 1),
    # Without these two a task that always fails would come back for ever.
    "max_attempts": 5,
    "ack_failures": True,
    # Every finished task loads all kept results: keep few.
    "save_limit": 20,
    "catch_up": False,
    "recycle": 300,
    "poll": 0.5,
}

ANYMAIL = {"WEBHOOK_SECRET": "sandbox:not-a-secret"}

MASSMAIL: dict[str, object] = {
    "BASE_URL": BASE_URL,
    "JOURNAL_DIR": str(VAR / "journal"),
    # "worker" for trying out massmail_worker.
    "RUNNER": os.environ.get("MASSMAIL_SANDBOX_RUNNER", "django-q"),
}
if "MASSMAIL_SANDBOX_REDIS" in os.environ:
    # For trying out the cluster with Redis, for example "redis://127.0.0.1:6379/5". It gives no receipts.
    del Q_CLUSTER["orm"]
    Q_CLUSTER["redis"] = os.environ["MASSMAIL_SANDBOX_REDIS"]
if "MASSMAIL_SANDBOX_LEASE_SECONDS" in os.environ:
    # For trying out what becomes of a dead worker's mails without waiting a quarter of an hour.
    MASSMAIL["LEASE_SECONDS"] = int(os.environ["MASSMAIL_SANDBOX_LEASE_SECONDS"])
