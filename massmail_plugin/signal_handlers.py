"""Connects our receivers. Called once from ``AppConfig.ready``; makes no queries."""

from __future__ import annotations

from django.apps import apps
from django.db.models.signals import post_migrate


def register_signal_handlers() -> None:
    """Connect every receiver of the app."""
    from anymail.signals import tracking

    from massmail_plugin.delivery.running.schedule import ensure_schedule
    from massmail_plugin.feedback.webhooks import receive_tracking_event

    config = apps.get_app_config("massmail_plugin")
    post_migrate.connect(ensure_schedule, sender=config, dispatch_uid="massmail_plugin.schedule")
    if apps.is_installed("django_q"):
        from django_q.signals import post_spawn

        from massmail_plugin.delivery.running.cluster_ends import watch_worker

        post_spawn.connect(watch_worker, dispatch_uid="massmail_plugin.cluster_ends")
    tracking.connect(receive_tracking_event, dispatch_uid="massmail_plugin.tracking")
