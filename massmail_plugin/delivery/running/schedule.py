"""Creates the one django-q2 schedule that keeps everything going."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import transaction

from massmail_plugin import conf

NAME = "massmail_tick"


def ensure_schedule(**kwargs: Any) -> None:
    """Create or correct the schedule; connected to ``post_migrate``, and safe to call at any time.

    Where no cluster does our work, there is none.
    """
    if not apps.is_installed("django_q"):
        return  # A system check says so.
    from django_q.models import Schedule

    wanted = {
        "func": "massmail_plugin.delivery.tasks.tick",
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
        "repeats": -1,
        # A schedule without a cluster only runs on the default one.
        "cluster": conf.get("CLUSTER") or None,
    }
    using = kwargs.get("using", "default")
    if conf.get("RUNNER") == "worker":
        Schedule.objects.using(using).filter(name=NAME).delete()
        return
    with transaction.atomic(using=using):
        # Names are not unique in the table, so that "get or create" could find two.
        mine = Schedule.objects.using(using).filter(name=NAME).order_by("pk")
        first = mine.first()
        if first is None:
            Schedule.objects.using(using).create(name=NAME, **wanted)
            return
        mine.exclude(pk=first.pk).delete()
        mine.filter(pk=first.pk).update(**wanted)
