from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from massmail_plugin.delivery.doctor.findings import counted
from massmail_plugin.delivery.running.foreground import DEFAULT_THREADS, Foreground
from massmail_plugin.delivery.running.stopping import stop_when_told


class Command(BaseCommand):
    help = (
        "One pass without a cluster, for cron: starts due mailings and sends what is due, until nothing is due "
        "any more or the time is over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seconds",
            type=float,
            default=50,
            help="Begin no mail after this time; cron starts the next pass. Default: 50.",
        )
        parser.add_argument(
            "--threads",
            type=int,
            default=DEFAULT_THREADS,
            help="Accounts that send at the same time. Default: %(default)s.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        work = Foreground(threads=options["threads"])
        with stop_when_told(work.stop):
            work.run_once(options["seconds"])
        self.stdout.write(f"{counted(work.handled, 'mail')} handled.")
