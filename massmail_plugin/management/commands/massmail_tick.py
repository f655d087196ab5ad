from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand

from massmail_plugin.delivery.ticker import run_tick
from massmail_plugin.delivery.worker import drain

logger = logging.getLogger("massmail_plugin.delivery")


class Command(BaseCommand):
    help = "One pass without a cluster, for cron: starts due mailings and sends what is due."

    def handle(self, *args: Any, **options: Any) -> None:
        handled = sum(_drain_alone(account_id) for account_id in run_tick())
        run_tick()
        self.stdout.write(f"{handled} mails handled.")


def _drain_alone(account_id: int) -> int:
    """Send through one account so that whatever goes wrong with it keeps no other from sending."""
    try:
        return drain(account_id).handled
    except Exception:
        logger.exception("Account %s could not send", account_id)
        return 0
