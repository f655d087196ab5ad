"""What the demo does with the sandbox: fill it, send its first mailing, and show how that goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import StringIO

from django.core.management import call_command
from django.db.models import Count
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from massmail_plugin.admin import names
from massmail_plugin.delivery.running.nudges import nudge_tick
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import OPEN, DeliveryState, MailingState
from massmail_plugin.mailings.verbs import Refused
from sandbox.crm.first_mailing import load_first_mailing
from sandbox.processes import Child

_POLL_SECONDS = 0.25
#: Seconds without any change after which waiting makes no sense.
_PATIENCE = 90
#: A mailing that has reached one of these will not go on by itself.
_ENDED = (MailingState.DONE, MailingState.PAUSED, MailingState.INTERRUPTED, MailingState.CANCELLED)


def prepare(console: Console) -> None:
    """Bring the database up to date and fill the CRM."""
    with console.status("Preparing the database"):
        call_command("migrate", verbosity=0)
    with console.status("Filling the CRM with 3,000 people"):
        call_command("load_sandbox", stdout=StringIO())
    console.print("The CRM holds 3,000 people, among them the awkward ones of every real import.")


def send_first_mailing(console: Console, children: Sequence[Child]) -> None:
    """Press Send as an editor would, and follow the mailing to its end; only once in the sandbox's life."""
    mailing = load_first_mailing()
    if mailing.state == MailingState.DRAFT:
        try:
            actions.release(mailing, user=mailing.owner)
        except Refused as refusal:
            console.print(f"[yellow]The first mailing was not sent. {refusal}[/]")
            return
        nudge_tick()
    elif mailing.state in _ENDED:
        console.print(f"The first mailing has been sent before: {mailing.get_state_display()}.")
        return
    _follow(console, mailing, children)


def mailing_url(mailing: Mailing) -> str:
    """Return the path of the mailing's page in the admin."""
    return names.own_page(names.MAILINGS, mailing.pk)


def _follow(console: Console, mailing: Mailing, children: Sequence[Child]) -> None:
    """Show what the database says until the mailing has ended, or until nothing moves any more."""
    counts: dict[str, int] = {}
    with Progress(*_columns(), console=console) as progress:
        task = progress.add_task(f"Sending “{mailing}”", total=None)
        moved_at = time.monotonic()
        while mailing.state not in _ENDED and time.monotonic() - moved_at < _PATIENCE:
            for child in children:
                child.check()
            time.sleep(_POLL_SECONDS)
            mailing.refresh_from_db()
            before, counts = counts, _counts(mailing)
            if counts != before:
                moved_at = time.monotonic()
                total, waiting = sum(counts.values()), sum(counts.get(state, 0) for state in OPEN)
                progress.update(task, total=total, completed=total - waiting, description=_summary(counts))
    console.print(f"“{mailing}”: {mailing.get_state_display()}. {_summary(counts)}. {mailing.notice}".strip())
    if mailing.state not in _ENDED:
        console.print("[yellow]Nothing has moved for a while. The log of the cluster may say why.[/]")


def _columns() -> tuple[ProgressColumn, ...]:
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()


def _counts(mailing: Mailing) -> dict[str, int]:
    states = Delivery.objects.filter(run__mailing=mailing).order_by().values_list("state")
    return dict(states.annotate(number=Count("pk")))


def _summary(counts: dict[str, int]) -> str:
    return (
        f"{counts.get(DeliveryState.ACCEPTED, 0)} sent, {counts.get(DeliveryState.FAILED, 0)} failed, "
        f"{counts.get(DeliveryState.SKIPPED, 0)} left out"
    )
