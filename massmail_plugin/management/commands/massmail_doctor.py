from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from massmail_plugin.delivery.doctor.examine import examine
from massmail_plugin.delivery.doctor.findings import Finding, Level


class Command(BaseCommand):
    help = "Says whether mail can flow, line by line, and what to do if not. Exit status 0 only if it can."
    # The doctor shows the system checks as findings; they must not keep it from coming.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for monitoring")
        parser.add_argument(
            "--connect",
            action="store_true",
            help="also connect and log in through every account that is ready",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found: list[Finding] = []
        for finding in examine(connect=options["connect"]):
            found.append(finding)
            if not options["json"]:
                self.stdout.write(str(finding), self._style(finding.level))
        problems = sum(finding.level is Level.PROBLEM for finding in found)
        if options["json"]:
            report = {"mail_can_flow": not problems, "findings": [finding.as_dict() for finding in found]}
            self.stdout.write(json.dumps(report, indent=2))
        elif problems:
            self.stdout.write(f"Mail cannot flow: {problems} problem{'s' if problems > 1 else ''}.")
        else:
            self.stdout.write("Mail can flow.")
        if problems:
            sys.exit(1)

    def _style(self, level: Level) -> Any:
        return {Level.PROBLEM: self.style.ERROR, Level.WARNING: self.style.WARNING}.get(level)
