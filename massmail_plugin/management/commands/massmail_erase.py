from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from massmail_plugin.feedback import erasing
from massmail_plugin.recipients.addresses import MalformedAddress, parse_address
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import ConsentEvent


class Command(BaseCommand):
    help = (
        "Erases what mass mailing knows of a person, and never mails them again. This cannot be undone. "
        "Records of your own project stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="The person's e-mail address.")
        parser.add_argument(
            "--reason",
            default="",
            help='For example: "Asked for it by letter of 3 May". Do not name anybody.',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = parse_address(options["address"]).key
        except MalformedAddress as error:
            raise CommandError(f"This is no e-mail address: {error}") from error
        how = How(ConsentEvent.Method.OPERATOR, reason=options["reason"])
        done = erasing.erase(key, how)
        self.stdout.write(
            f"Erased: {done.deliveries} mails name nobody any more, {done.memberships} memberships in lists ended."
        )
