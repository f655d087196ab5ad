from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from massmail_plugin.delivery.ticker import run_tick
from massmail_plugin.delivery.worker import drain


class Command(BaseCommand):
    help = "One pass without a cluster, for cron: starts due mailings and sends what is due."

    def handle(self, *args: Any, **options: Any) -> None:
        handled = sum(drain(account_id).handled for account_id in run_tick())
        run_tick()
        self.stdout.write(f"{handled} mails handled.")
