"""The contract of a transport: hand over one mail, and say exactly what is known about it afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType

from massmail_plugin.content.headers import clean_header
from massmail_plugin.delivery.mails.outgoing import OutgoingMail

#: Asked once per mail, at the last moment before it can no longer be taken back. True: send it.
Fence = Callable[[], bool]


class Verdict(Enum):
    """What is known about a mail after an attempt to hand it over."""

    #: The server took responsibility.
    ACCEPTED = "accepted"
    #: The server refused this recipient or this mail for good.
    RECIPIENT = "recipient"
    #: Refused for now; the same mail may succeed later.
    TEMPORARY = "temporary"
    #: The server cannot be reached or is busy, whoever the recipient. Nothing was sent; nobody's attempt is used.
    UNREACHABLE = "unreachable"
    #: The account itself is at fault (password, sender address, policy). Nothing was sent; nobody's attempt is used.
    ACCOUNT = "account"
    #: Refused for a reason of policy, which may be the account's or this recipient's. Nothing was sent. The account
    #: stops, but the mail's attempt is used: else one group that takes no mail from outside would stop it for ever.
    POLICY = "policy"
    #: The server wants fewer mails for a while, whoever the recipient. Nothing was sent; nobody's attempt is used.
    SLOW_DOWN = "slow_down"
    #: No recipient of this mailing can get it: it is larger than the server takes. Nothing was sent.
    TOO_BIG = "too_big"
    #: The fence said no. Nothing was sent.
    FENCED = "fenced"
    #: The connection broke after the mail was on its way: it may or may not have been accepted.
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    #: The server's words, or ours, for people.
    reply: str = ""
    #: The provider's own id of the mail, for its webhooks.
    provider_id: str = ""
    #: With ``RECIPIENT``: the mailbox or its host does not exist, and the address is to be called invalid.
    no_such_mailbox: bool = False
    #: With ``SLOW_DOWN``: the server knew the recipient, and may mean this one or their provider alone.
    may_mean_recipient: bool = False
    #: With ``SLOW_DOWN``: seconds after which the server wants to be asked again, if it said so.
    retry_after: float | None = None

    def __post_init__(self) -> None:
        # Both come from outside. A zero byte, which PostgreSQL does not store, or an endless id must not keep
        # us from writing down that a mail was sent.
        object.__setattr__(self, "reply", clean_header(self.reply, 1000))
        object.__setattr__(self, "provider_id", clean_header(self.provider_id, 255))


class CannotOpen(Exception):
    """The way out is closed: ``outcome`` says whether it is the server's fault or the account's."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


class Transport(ABC):
    """One way out, used by one worker. A context manager; keeps its connection open over many mails."""

    @abstractmethod
    def open(self) -> None:
        """Connect and log in, if not yet connected. Raises :class:`CannotOpen`."""

    @abstractmethod
    def deliver(self, mail: OutgoingMail, fence: Fence) -> Outcome:
        """Hand over one mail, asking ``fence`` at the last moment. Never raises for a fault of the outside."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect; errors are of no interest any more."""

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
