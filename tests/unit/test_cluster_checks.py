"""The checks of Q_CLUSTER: what makes tasks run twice, for ever or not at all is named."""

import pytest

from massmail_plugin.checks import check_apps, check_settings
from massmail_plugin.cluster_checks import check_cluster, check_cluster_in_production, needed_retry

SQLITE = {"ENGINE": "django.db.backends.sqlite3"}
POSTGRESQL = {"ENGINE": "django.db.backends.postgresql"}


def found(settings, **changes):
    """Return the ids of what is wrong with the sandbox's cluster after these changes; None takes a key away."""
    cluster = {**settings.Q_CLUSTER, **changes}
    settings.Q_CLUSTER = {key: value for key, value in cluster.items() if value is not None}
    return [message.id for message in check_cluster()]


def found_in_production(settings, **changes):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, **changes}
    return [message.id for message in check_cluster_in_production()]


def test_the_sandbox_is_clean():
    assert check_cluster() == check_cluster_in_production() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"retry": 2159}, ["massmail_plugin.W004"]),
        ({"retry": None}, ["massmail_plugin.W004"]),
        ({"workers": 1}, ["massmail_plugin.W004"]),
        ({"queue_limit": 50}, ["massmail_plugin.W004"]),
        ({"bulk": 10}, ["massmail_plugin.W004"]),
        ({"timeout": 679, "retry": 9999}, ["massmail_plugin.W005"]),
        ({"timeout": None, "retry": 9999}, ["massmail_plugin.W005"]),
        ({"timeout": 680}, []),
        ({"max_attempts": None}, ["massmail_plugin.W006"]),
        ({"ack_failures": False}, ["massmail_plugin.W006"]),
    ],
)
def test_times_and_limits(settings, changes, expected):
    assert found(settings, **changes) == expected


def test_the_formula_counts_the_wait_in_the_clusters_own_queue():
    assert needed_retry({"workers": 2, "queue_limit": 2, "bulk": 1, "timeout": 100}) == 300
    # Without a limit django-q2 fetches workers squared.
    assert needed_retry({"workers": 4, "timeout": 100}) == 100 * (5 + 1)


def test_the_timeout_follows_our_own_settings(settings):
    settings.MASSMAIL = {"SLICE_SECONDS": 200}
    assert found(settings) == ["massmail_plugin.W005"]


def test_no_cluster_at_all(settings):
    del settings.Q_CLUSTER
    (message,) = check_cluster()
    assert message.id == "massmail_plugin.E009"
    assert "massmail_worker" in message.hint


def test_a_cluster_of_another_name_must_exist_and_is_the_one_that_counts(settings):
    settings.MASSMAIL = {"CLUSTER": "bulk"}
    assert found(settings) == ["massmail_plugin.E010"]
    assert found(settings, ALT_CLUSTERS={"bulk": {"timeout": 60, "retry": 9999}}) == ["massmail_plugin.W005"]
    assert found(settings, ALT_CLUSTERS={"bulk": {}}) == []


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (POSTGRESQL, ["massmail_plugin.W007"]),
        ({**POSTGRESQL, "CONN_MAX_AGE": 60}, []),
        ({**POSTGRESQL, "CONN_MAX_AGE": None}, []),
        (SQLITE, []),
    ],
)
def test_a_connection_for_every_look_into_the_queue(settings, monkeypatch, database, expected):
    monkeypatch.setitem(settings.DATABASES, "queue", database)
    assert found(settings, orm="queue") == expected
    assert found(settings, orm=None, redis={"host": "127.0.0.1"}) == []


def test_a_broker_without_receipts_is_told_of_in_production(settings):
    assert found_in_production(settings, orm=None, redis={}) == ["massmail_plugin.I001"]


def test_a_cache_that_each_process_has_for_itself(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert found_in_production(settings) == ["massmail_plugin.W008"]


def test_another_runner_needs_no_cluster(settings, monkeypatch):
    from django.apps import apps

    settings.MASSMAIL = {"RUNNER": "worker"}
    del settings.Q_CLUSTER
    is_installed = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "django_q" and is_installed(name))
    assert check_cluster() == check_cluster_in_production() == check_apps() == []


def test_an_unknown_runner_is_named_with_the_known_ones(settings):
    settings.MASSMAIL = {"RUNNER": "celery"}
    (message,) = check_settings()
    assert (message.id, "worker" in message.hint) == ("massmail_plugin.E008", True)
