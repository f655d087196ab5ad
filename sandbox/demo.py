"""``make demo``: the sandbox with all its processes, and a first mailing before your eyes.

Started again it goes on with what is there: the same people, the same mails, no second first mailing.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import smtplib
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).resolve().parent.parent
# Replaces this folder, which Python puts first: ``crm`` must not be importable beside ``sandbox.crm``.
sys.path[0] = str(REPOSITORY)

from rich.console import Console  # noqa: E402

from sandbox.processes import Child, ChildStopped, free_port, wait_until_all_answer  # noqa: E402

WEB_PORT, SMTP_PORT = 8000, 2525

console = Console(highlight=False)


def main() -> int:
    # A shell that starts it in the background has SIGINT ignored, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)
    _choose_ports()
    _set_up_django()
    from django.conf import settings

    with (settings.VAR / "demo.lock").open("a+") as lock:
        if not _lock(lock, settings.BASE_URL):
            return 1
        try:
            _run(settings)
        except KeyboardInterrupt:
            console.print("\nStopped. Everything is kept: [bold]make demo[/] goes on from here.")
        except ChildStopped as problem:
            console.print(f"\n[bold red]{problem}[/]")
            return 1
    return 0


def _run(settings: Any) -> None:
    from sandbox.first_run import prepare, send_first_mailing

    prepare(console)
    with _children(settings.VAR / "log", settings) as children:
        send_first_mailing(console, children)
        _show_where_to_click(settings)
        while True:
            for child in children:
                child.check()
            time.sleep(1)


def _choose_ports() -> None:
    """Tell the settings, and through the environment every child, which ports are ours."""
    wanted_web = urlsplit(os.environ.get("MASSMAIL_SANDBOX_URL", "")).port or WEB_PORT
    wanted_smtp = int(os.environ.get("MASSMAIL_SANDBOX_SMTP_PORT", SMTP_PORT))
    web, smtp = free_port(wanted_web), free_port(wanted_smtp)
    for usual, ours, what in ((wanted_web, web, "the web server"), (wanted_smtp, smtp, "the mail server")):
        if usual != ours:
            console.print(f"[yellow]Port {usual} is taken: {what} uses {ours} instead.[/]")
    os.environ["MASSMAIL_SANDBOX_URL"] = f"http://127.0.0.1:{web}"
    os.environ["MASSMAIL_SANDBOX_SMTP_PORT"] = str(smtp)


def _set_up_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"
    import django

    django.setup()
    # The log files have them; here they would get between the lines for people.
    logging.disable(logging.INFO)


def _lock(lock: IO[str], url: str) -> bool:
    """Refuse a second demo on the same data; the system gives the lock back however we end."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        console.print(f"The demo is already running: [bold]{lock.read()}/admin/[/]")
        return False
    lock.truncate(0)
    lock.write(url)
    lock.flush()
    return True


@contextmanager
def _children(logs: Path, settings: Any) -> Iterator[list[Child]]:
    """Start the three servers; stop them in an order in which no mail is left hanging."""
    logs.mkdir(parents=True, exist_ok=True)
    manage = [sys.executable, str(REPOSITORY / "sandbox" / "manage.py")]
    web_port = settings.BASE_URL.rpartition(":")[2]
    waitress = [
        sys.executable,
        "-m",
        "waitress",
        "--threads=8",
        f"--listen=127.0.0.1:{web_port}",
        "sandbox.wsgi:application",
    ]
    commands = {
        "mail server": [*manage, "run_mail_server"],
        "web server": waitress,
        "cluster": [*manage, "qcluster"],
    }
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    started = time.time()
    children: list[Child] = []
    try:
        for name, command in commands.items():
            children.append(Child(name, command, env, logs / f"{name.replace(' ', '-')}.log"))
        mail, web, cluster = children
        with console.status("Starting the mail server, the web server and the cluster"):
            wait_until_all_answer(
                {
                    mail: lambda: _mail_answers(settings.EMAIL_PORT),
                    cluster: lambda: _cluster_answers(started),
                    web: lambda: _web_answers(settings.BASE_URL),
                }
            )
        yield children
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with console.status("Stopping"):
            for child in reversed(children):
                child.stop()


def _mail_answers(port: int) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as connection:
            return connection.noop()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def _web_answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/admin/login/", timeout=10) as response:
            return response.status == 200
    except OSError:
        return False


def _cluster_answers(started: float) -> bool:
    """Whether a cluster that is younger than this demo says that it is up; its state is in the cache."""
    from django_q.status import Stat

    return any(stat.tob.timestamp() >= started and stat.workers for stat in Stat.get_all())


def _show_where_to_click(settings: Any) -> None:
    from sandbox.crm.first_mailing import load_first_mailing
    from sandbox.first_run import mailing_url

    console.print()
    console.print(f"  The admin      [bold]{settings.BASE_URL}/admin/[/]   log in as admin / admin")
    console.print("                 with an editor's rights: editor / editor")
    console.print(f"  The mailing    [bold]{settings.BASE_URL}{mailing_url(load_first_mailing())}[/]")
    console.print(f"  What arrived   [bold]{settings.BASE_URL}/inbox/[/]")
    console.print(f"  Logs           {settings.VAR / 'log'}")
    console.print("\nServing until you press Ctrl-C.")


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
