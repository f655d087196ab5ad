"""What must hold after every fault; the numbers are those of docs/faults.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from massmail_plugin.mailings.models import Delivery, Run
from massmail_plugin.mailings.states import OPEN, DeliveryState, MailingState
from tests.acceptance.faults.sink import Copy, Sink

#: A mailing may end in these; in the latter two only with a reason that a person can read.
_ENDED = (MailingState.DONE, MailingState.PAUSED, MailingState.INTERRUPTED)
_NEVER_SENT = (*OPEN, DeliveryState.SKIPPED, DeliveryState.FAILED, DeliveryState.CANCELLED)


def check(
    run: Run,
    sink: Sink,
    *,
    people: int,
    doubts: int = 0,
    said_no: Iterable[str] = (),
    logs: str = "",
) -> None:
    """Compare the ledger with what the mail server has on its disk.

    ``people``: the size of the run when it started. ``doubts``: how many mails may be in doubt at most.
    ``said_no``: who must not have got a mail any more. ``logs``: what the workers have said.
    """
    rows = list(Delivery.objects.filter(run=run))
    copies: dict[int, list[Copy]] = defaultdict(list)
    for copy in sink.copies():
        copies[copy.delivery].append(copy)
    broken = [
        *_everybody_is_there(rows, people),
        *_nobody_has_two(rows, copies),
        *_the_ledger_tells_the_truth(rows, copies),
        *_doubts_are_few(rows, doubts),
        *_it_has_ended(run, rows),
        *_who_said_no_has_nothing(copies, set(said_no)),
        *_logs_name_nobody(rows, logs),
    ]
    states = ", ".join(f"{number} {state}" for state, number in Counter(row.state for row in rows).items())
    assert not broken, "\n".join([f"The ledger: {states}.", *broken])


def _everybody_is_there(rows: list[Delivery], people: int) -> Iterable[str]:
    if len(rows) != people:
        yield f"I1: the run has {len(rows)} rows instead of {people}."


def _nobody_has_two(rows: list[Delivery], copies: dict[int, list[Copy]]) -> Iterable[str]:
    for row in rows:
        if len(found := copies.get(row.pk, [])) > 1:
            yield f"I2: {row} ({row.state}) has {len(found)} copies: {', '.join(one.file for one in found)}."
    strangers = copies.keys() - {row.pk for row in rows}
    if strangers:
        yield f"I2: the server has mails that are not in the ledger: {sorted(strangers)}."


def _the_ledger_tells_the_truth(rows: list[Delivery], copies: dict[int, list[Copy]]) -> Iterable[str]:
    """No mail is lost silently, and none has left that the ledger calls unsent."""
    for row in rows:
        found = copies.get(row.pk, [])
        if row.state == DeliveryState.ACCEPTED and not found:
            yield f"I1: {row} is lost: sent, says the ledger ({row.detail}), and the server has no copy."
        if row.state in _NEVER_SENT and found:
            yield f"I2: {row} stands at {row.state} ({row.detail}), and the server has {found[0].file}."


def _doubts_are_few(rows: list[Delivery], doubts: int) -> Iterable[str]:
    found = [row for row in rows if row.state == DeliveryState.IN_DOUBT]
    if len(found) > doubts:
        yield f"I3: {len(found)} mails are in doubt, at most {doubts} may be: {', '.join(map(str, found[:20]))}."


def _it_has_ended(run: Run, rows: list[Delivery]) -> Iterable[str]:
    mailing = type(run.mailing).objects.get(pk=run.mailing_id)
    left = [row for row in rows if row.state in OPEN]
    if mailing.state not in _ENDED or (mailing.state != MailingState.DONE and not mailing.notice):
        yield f"I4: the mailing stands at {mailing.state}, notice: {mailing.notice!r}."
    if mailing.state == MailingState.DONE and left:
        yield f"I4: the mailing is done, but {', '.join(f'{row} is {row.state}' for row in left[:20])}."


def _who_said_no_has_nothing(copies: dict[int, list[Copy]], said_no: set[str]) -> Iterable[str]:
    for copy in (one for found in copies.values() for one in found):
        if copy.recipient in said_no:
            yield f"I5: {copy.recipient} said no and got {copy.file}."


def _logs_name_nobody(rows: list[Delivery], logs: str) -> Iterable[str]:
    for row in rows:
        if row.email and row.email in logs:
            yield f"I7: the log names {row.email}."
