import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from sandbox.inbox.maildir import Maildir
from sandbox.inbox.server import serve


class Command(BaseCommand):
    help = "Accepts mail by SMTP and shows it at /inbox/."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.SMTP_PORT)

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(serve(Maildir(settings.MAILDIR), options["host"], options["port"]))
