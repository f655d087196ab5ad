"""What one thread waits for on behalf of many connections."""

import math
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from massmail_plugin.delivery.transports.waiting import Ready
from massmail_plugin.delivery.turns.events import Closed
from massmail_plugin.delivery.turns.switchboard import Switchboard


@pytest.fixture
def board() -> Iterator[Switchboard]:
    board = Switchboard()
    yield board
    board.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with ExitStack() as stack:
        here, there = (stack.enter_context(end) for end in socket.socketpair())
        yield here, there


def reading(sock: socket.socket, until: float = math.inf) -> Ready:
    return Ready(sock, select.POLLIN, until, "The server did not answer in time.")


def an_event() -> Closed:
    return Closed(None)  # type: ignore[arg-type]


def test_who_waits_for_an_answer_goes_on_when_it_has_come(board, pair):
    here, there = pair
    heard = []
    board.expect(reading(here), lambda error: (heard.append(error), board.tell(an_event())))
    assert board.listen(0) == []
    there.send(b"250")
    assert len(board.listen(60)) == 1
    assert heard == [None]


def test_who_has_waited_too_long_is_told_so_although_others_never_stop_talking(board, pair):
    here, there = pair
    late = []

    def again(error):
        # Nothing is read: there is always something.
        board.expect(reading(here), again)

    there.send(b"250")
    again(None)
    with socket.socket() as silent:
        board.expect(reading(silent, time.monotonic() - 1), late.append)
        board.forget(reading(silent))
        assert board.listen(0) == []
        assert late == [], "It has been forgotten."
    one, other = socket.socketpair()
    with one, other:
        board.expect(reading(one, time.monotonic() - 1), late.append)
        board.listen(0)
    assert [str(error) for error in late] == ["The server did not answer in time."]


def test_another_thread_wakes_it_up(board):
    done = []
    thread = threading.Thread(
        target=lambda: board.post(lambda: (done.append(threading.current_thread()), board.tell(an_event())))
    )
    thread.start()
    assert len(board.listen(60)) == 1
    thread.join()
    assert done == [threading.current_thread()], "It is done by the thread that listens."


def test_what_is_posted_too_late_is_not_done_and_its_thread_knows():
    board, done = Switchboard(), []
    assert board.post(lambda: done.append("before"))
    board.close()
    assert not board.post(lambda: done.append("afterwards"))
    assert done == ["before"]


def test_many_who_post_at_once_do_not_block(board):
    done = []
    for number in range(100_000):
        board.post(lambda number=number: done.append(number))
    board.listen(0)
    assert done == list(range(100_000))


def test_a_reminder_comes_when_its_time_is_over_and_not_before_what_has_been_posted(board):
    done = []
    board.remind("late", 0.0, lambda: done.append("late"))
    board.remind("forgotten", 0.0, lambda: done.append("forgotten"))
    board.remind("early", math.inf, lambda: done.append("early"))
    board.post(lambda: board.forget_reminder("forgotten"))
    board.listen(0)
    board.listen(0)
    assert done == ["late"]
