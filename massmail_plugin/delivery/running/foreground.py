"""The whole work in one process without a cluster: ticks, and a thread for each account that has mails to send."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from django.db import DatabaseError, InterfaceError, OperationalError, connections

from massmail_plugin import conf
from massmail_plugin.delivery.models import Heartbeat
from massmail_plugin.delivery.running import heartbeats, imports
from massmail_plugin.delivery.running.nudges import take_nudges
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.single import sign_up_mails
from massmail_plugin.delivery.turns.worker import drain

logger = logging.getLogger("massmail_plugin.delivery")

#: Seconds between two ticks.
TICK_SECONDS = 60
#: Accounts that send at the same time, if nobody says otherwise.
DEFAULT_THREADS = 16
#: Seconds until the next try while the database is away, or something of ours is broken: from - to.
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 60
#: In the place of an account's number: other work, each kind of which has one thread.
_IMPORTS, _SIGN_UPS = 0, -1


@dataclass(frozen=True, slots=True)
class _TurnEnded:
    account_id: int
    handled: int = 0
    #: There is more to do for this account, now.
    more: bool = False
    #: Seconds after which the account's own pace lets more leave, if it is that.
    next_in: float | None = None


class Foreground:
    """Does the work until it is told to stop. All but :meth:`stop` belongs to one thread."""

    def __init__(self, *, threads: int) -> None:
        self.handled = 0
        self._threads = threads
        # Not an Event: its lock would be waited for in a signal's handler that interrupts whoever holds it.
        self._is_told_to_stop = False
        self._end = math.inf
        #: What ended turns and signals post; SimpleQueue may be used in a signal's handler.
        self._inbox: SimpleQueue[_TurnEnded | None] = SimpleQueue()
        self._busy: set[int] = set()
        self._waiting: deque[int] = deque()
        #: Accounts that had to stop or have nothing to do; they are looked at again at the next tick.
        self._resting: set[int] = set()
        #: When accounts that rest because of their own pace go on, by the monotonic clock.
        self._alarms: dict[int, float] = {}

    def stop(self) -> None:
        """Claim nothing more; mails in flight are finished. May be called by a signal's handler."""
        self._is_told_to_stop = True
        self._inbox.put(None)

    def is_stopping(self) -> bool:
        return self._is_told_to_stop or time.monotonic() >= self._end

    def run(self) -> None:
        """Work until :meth:`stop`. Whatever breaks is tried again, after a pause that grows up to a minute."""
        next_tick = next_beat = 0.0
        pause = _FIRST_PAUSE
        try:
            while not self.is_stopping():
                wait = float(conf.get("POLL_SECONDS"))
                try:
                    if time.monotonic() >= next_beat:
                        heartbeats.beat(Heartbeat.Kind.WORKER)
                        next_beat = time.monotonic() + heartbeats.BEAT_SECONDS
                    if take_nudges() or time.monotonic() >= next_tick:
                        self._tick()
                        next_tick = time.monotonic() + TICK_SECONDS
                    pause = _FIRST_PAUSE
                except Exception as error:
                    _say_what_broke(error, pause)
                    wait, pause = pause, min(2 * pause, _LONGEST_PAUSE)
                self._start_turns()
                self._wait(wait)
        finally:
            self._finish()
            with suppress(DatabaseError, InterfaceError):
                heartbeats.stopped()

    def run_once(self, seconds: float) -> None:
        """Work until nothing is due any more, for about ``seconds`` at most."""
        self._end = time.monotonic() + seconds
        try:
            # A pass looks at everything anyway; nobody else might ever take them away.
            take_nudges()
            self._tick()
            while not self.is_stopping() and (self._waiting or self._busy):
                self._start_turns()
                self._wait(max(0.0, self._end - time.monotonic()))
        finally:
            self._finish()
        if not self._is_told_to_stop:
            run_tick()

    def _tick(self) -> None:
        self._resting.clear()
        self._enlist([*run_tick(), *_other_work()])

    def _enlist(self, accounts: list[int]) -> None:
        known = self._busy | self._resting | set(self._waiting)
        self._waiting.extend(account_id for account_id in accounts if account_id not in known)

    def _wake(self) -> None:
        """Let those go on whose pause is over."""
        now = time.monotonic()
        for account_id in [one for one, at in self._alarms.items() if at <= now]:
            del self._alarms[account_id]
            self._resting.discard(account_id)
            self._enlist([account_id])

    def _start_turns(self) -> None:
        self._wake()
        while self._waiting and len(self._busy) < self._threads and not self.is_stopping():
            account_id = self._waiting.popleft()
            self._busy.add(account_id)
            turn = self._turn if account_id > 0 else self._other_turn
            try:
                threading.Thread(target=turn, args=[account_id], name=f"account-{account_id}").start()
            except RuntimeError as error:
                # The machine has no more threads for the moment. Nobody would ever say that this one has ended.
                self._busy.discard(account_id)
                self._waiting.appendleft(account_id)
                _say_what_broke(error, conf.get("POLL_SECONDS"))
                return

    def _turn(self, account_id: int) -> None:
        """One thread: send for a while through one account. Never raises: the others have to go on."""
        ended = _TurnEnded(account_id)
        started = time.monotonic()
        try:
            drained = drain(account_id, stop=self.is_stopping)
            ended = _TurnEnded(account_id, drained.handled, drained.more, drained.next_in)
            # Not why it stopped: servers like to repeat a recipient's address.
            how = "; it had to stop, see its last fault" if drained.stopped else ""
            took = time.monotonic() - started
            logger.info("Account %s: %s mails in %.1f s%s", account_id, drained.handled, took, how)
        except (OperationalError, InterfaceError) as error:
            logger.warning("Account %s: the database is away (%s)", account_id, type(error).__name__)
        except Exception:
            logger.exception("Account %s could not send", account_id)
        finally:
            connections.close_all()
            self._inbox.put(ended)

    def _other_turn(self, number: int) -> None:
        """The thread of one kind of other work. Never raises, like the others."""
        try:
            if number == _IMPORTS:
                imports.work_through(self.is_stopping)
            else:
                sign_up_mails.send_waiting(stop=self.is_stopping)
        except (OperationalError, InterfaceError) as error:
            logger.warning("The database is away (%s)", type(error).__name__)
        except Exception:
            logger.exception(
                "Imports broke" if number == _IMPORTS else "The mails of sign-ups could not be sent"
            )
        finally:
            connections.close_all()
            self._inbox.put(_TurnEnded(number))

    def _wait(self, seconds: float) -> None:
        """Take what comes in, or return after ``seconds``, or when an account's pause is over."""
        next_alarm = min(self._alarms.values(), default=math.inf) - time.monotonic()
        try:
            posted = self._inbox.get(timeout=max(0.0, min(seconds, next_alarm)))
        except Empty:
            return
        rested = False
        while True:
            if posted is not None:
                rested |= self._take(posted)
            try:
                posted = self._inbox.get_nowait()
            except Empty:
                break
        if rested and not self.is_stopping():
            self._look_after()

    def _take(self, ended: _TurnEnded) -> bool:
        """Take note of a turn's end; returns whether the account has nothing more to do now."""
        self._busy.discard(ended.account_id)
        self.handled += ended.handled
        if ended.more:
            self._waiting.append(ended.account_id)
        else:
            self._resting.add(ended.account_id)
            if ended.next_in is not None:
                self._alarms[ended.account_id] = time.monotonic() + ended.next_in
        return not ended.more

    def _look_after(self) -> None:
        """After an account's last mail: end finished mailings, let others go on."""
        try:
            self._enlist(run_tick())
        except Exception as error:
            _say_what_broke(error, TICK_SECONDS)

    def _finish(self) -> None:
        """Wait for the threads: they end their turns soon, with what they have in flight."""
        self._end = 0.0
        if self._busy:
            logger.info("Stopping: %s accounts finish what they have in flight", len(self._busy))
        while self._busy:
            ended = self._inbox.get()
            if ended is not None:
                self._take(ended)


def _other_work() -> list[int]:
    """Return the numbers of the kinds of other work that there is something to do for."""
    work = [_IMPORTS] if imports.waiting() else []
    return [*work, *([_SIGN_UPS] if sign_up_mails.are_waiting() else [])]


def _say_what_broke(error: Exception, pause: float) -> None:
    if isinstance(error, OperationalError | InterfaceError):
        # One line: an outage is no fault of ours.
        logger.warning("The database is away (%s); the next try is in %s s", type(error).__name__, pause)
    else:
        logger.error("Looking for work failed; the next try is in %s s", pause, exc_info=error)
    connections.close_all()
