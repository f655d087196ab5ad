"""What the tests' mail server can be told to do instead of the usual."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Literal

#: Where the server can be told to do something else. "DATA" is the verb, "dot" the end of the mail.
Place = Literal["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "dot", "RSET"]

#: Far more than anything here takes, so that only a hung test meets it.
PATIENCE_SECONDS = 60


class Held:
    """The server has stopped at one place and answers nothing until it is released."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()

    def wait_until_reached(self) -> None:
        assert self._reached.wait(PATIENCE_SECONDS), "No client came to where the server holds its answer."

    def release(self) -> None:
        self._released.set()

    def block_here(self) -> None:
        """Of a server with a thread for each call."""
        self._reached.set()
        self._released.wait(PATIENCE_SECONDS)

    async def stop_here(self) -> None:
        self._reached.set()
        # In another thread: the server's own has to go on serving the other connections.
        await asyncio.get_running_loop().run_in_executor(None, self._released.wait)


@dataclass
class Order:
    """What to do at one place instead of the usual."""

    place: Place
    #: A reply line; None: break the connection.
    reply: str | None = None
    held: Held | None = None
    #: Only if this is part of the verb's argument (for "dot": of the recipients, or of the client's name).
    when: str = ""
    #: How often; None: for ever.
    times: int | None = None

    def applies(self, place: Place, argument: str) -> bool:
        return self.place == place and self.when.lower() in argument.lower() and self.times != 0

    def use_up(self) -> None:
        if self.times is not None:
            self.times -= 1
