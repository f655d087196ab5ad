from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from massmail_plugin.delivery.doctor.findings import counted
from massmail_plugin.delivery.keeping import epoch
from massmail_plugin.delivery.running.nudges import nudge_tick


class Command(BaseCommand):
    help = (
        "Says that this is the right database, after massmail_doctor has found that a backup was restored or the "
        "database was copied. Until then nothing is sent."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--pause",
            action="store_true",
            help="A backup was restored: hold back the mailings under way until somebody has looked at each.",
        )
        what.add_argument(
            "--go-on",
            action="store_true",
            help="It was only moved and has forgotten nothing: send on at once.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if epoch.doubt() is None:
            raise CommandError("There is nothing to confirm: the database is not in doubt.")
        held = epoch.confirm(pause=options["pause"])
        nudge_tick()
        self.stdout.write(
            f"Confirmed. For somebody to press Resume or Cancel there wait: {counted(held, 'mailing')}."
        )
