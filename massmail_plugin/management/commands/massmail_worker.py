from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from massmail_plugin import conf
from massmail_plugin.delivery.doctor.findings import counted
from massmail_plugin.delivery.running.foreground import DEFAULT_THREADS, Foreground
from massmail_plugin.delivery.running.stopping import stop_when_told


class Command(BaseCommand):
    help = (
        "Does all the work in the foreground, without a cluster, until it is stopped: SIGTERM or Ctrl-C lets the "
        "mails in flight finish, a second one ends it at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--threads",
            type=int,
            default=DEFAULT_THREADS,
            help="Accounts that send at the same time. Default: %(default)s.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if conf.get("RUNNER") != "worker":
            self.stderr.write(
                'Set MASSMAIL["RUNNER"] = "worker": until then a pressed button is noticed only once a minute.'
            )
        work = Foreground(threads=options["threads"])
        with stop_when_told(work.stop):
            self.stdout.write("At work. Stop it with SIGTERM or Ctrl-C.")
            work.run()
        self.stdout.write(f"Stopped. {counted(work.handled, 'mail')} handled.")
