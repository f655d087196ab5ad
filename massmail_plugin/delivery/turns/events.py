"""What the connections of a turn tell it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from massmail_plugin.delivery.transports.base import Outcome, OutgoingMail
from massmail_plugin.mailings.models import Delivery


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One mail of the ledger, ready to leave."""

    delivery: Delivery
    mail: OutgoingMail


class Sender(ABC):
    """One connection. It tells its events to the turn's switchboard, and never touches the database."""

    @abstractmethod
    def hand(self, job: Job) -> None:
        """Let this mail be sent next."""

    @abstractmethod
    def answer(self, may_send: bool) -> None:
        """Answer what :class:`Asks` asks."""

    @abstractmethod
    def dismiss(self) -> None:
        """End after the mail in hand, if there is one; it does not pass a fence any more that it has not passed."""

    @abstractmethod
    def hang_up(self) -> None:
        """End now, whatever becomes of the mail in hand; or with the process, where that cannot be done."""


@dataclass(slots=True, eq=False)
class Opened:
    """The connection stands."""

    sender: Sender


@dataclass(slots=True, eq=False)
class NotOpened:
    """There is no connection; the sender has ended."""

    sender: Sender
    outcome: Outcome


@dataclass(slots=True, eq=False)
class Asks:
    """All of the mail but the dot is with the server: may it be sent? Waits for :meth:`Sender.answer`."""

    sender: Sender
    job: Job


@dataclass(slots=True, eq=False)
class Finished:
    """The mail has had its attempt; the sender waits for the next."""

    sender: Sender
    job: Job
    outcome: Outcome


@dataclass(slots=True, eq=False)
class Crashed:
    """A transport has raised what it must not; the sender has ended."""

    sender: Sender
    job: Job | None
    error: BaseException


@dataclass(slots=True, eq=False)
class Closed:
    """Dismissed, and gone."""

    sender: Sender


Event = Opened | NotOpened | Asks | Finished | Crashed | Closed
