"""Connections that break, hang, drip or babble, at each place: what is known about the mail afterwards."""

import contextlib
import select
import socket
import threading

import pytest

from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.transports.base import CannotOpen, Verdict
from massmail_plugin.delivery.transports.dialogue import Dialogue
from tests.integration.transports.conftest import Fence, PlainMail
from tests.scripted_server import Line, ScriptedServer, greet

OK, GO = "250 2.0.0 OK", "354 Go ahead"
#: More than any buffers on the way hold.
LARGE = PlainMail(b"Subject: Large\r\n\r\n" + b"x" * 70 * 400_000)


def _until_data(line: Line, *keywords: str) -> None:
    """Play everything up to the message."""
    greet(line, "PIPELINING", *keywords)
    _announce(line)


def _announce(line: Line) -> None:
    for answer in (OK, OK, GO):
        line.hear()
        line.say(answer)


def _deliver(smtp_transport, play, mail=None, fence=None):
    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        outcome = transport.deliver(mail or PlainMail(), fence or Fence())
        transport.close()
    return outcome, server


@pytest.mark.parametrize(
    "greeting", ["421 4.3.2 Closing", "450 Busy", "554 No", "220", "Hello", "", b"\xff\xfe"]
)
def test_f39_a_server_that_does_not_greet_costs_nobody_anything(smtp_transport, greeting):
    def play(line: Line) -> None:
        line.say(greeting)
        line.hang_up()

    outcome, _server = _deliver(smtp_transport, play)
    assert outcome.verdict is Verdict.UNREACHABLE
    assert outcome.reply


@pytest.mark.parametrize("code", ["421", "450", "504", "550"])
def test_f39_a_server_that_refuses_ehlo_costs_nobody_anything(smtp_transport, code):
    def play(line: Line) -> None:
        line.say("220 mail.test.example")
        while line.hear():
            line.say(f"{code} 5.5.2 Not you")

    outcome, _server = _deliver(smtp_transport, play)
    assert outcome.verdict is Verdict.UNREACHABLE
    assert "Not you" in outcome.reply


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("535 5.7.8 Wrong password", Verdict.ACCOUNT),
        ("454 4.7.0 Temporary failure", Verdict.UNREACHABLE),
        ("454 4.7.0 Too many login attempts", Verdict.SLOW_DOWN),
    ],
)
def test_f40_a_refused_login_is_tried_once(smtp_transport, answer, verdict):
    """Three mechanisms are on offer; three wrong tries each minute would lock the account."""

    def play(line: Line) -> None:
        greet(line, "AUTH CRAM-MD5 PLAIN LOGIN")
        line.hear()
        line.say("334 PDEyMzRAbWFpbD4=")
        line.hear()
        line.say(answer)

    with ScriptedServer(play) as server:
        transport = smtp_transport(server, username="sales", password=Secret.of("wrong-hunter2"))
        with pytest.raises(CannotOpen) as refused:
            transport.open()
    assert refused.value.outcome.verdict is verdict
    assert refused.value.outcome.reply == answer
    assert [command.split()[0] for command in server.heard if command.startswith("AUTH")] == ["AUTH"]


@pytest.mark.parametrize("answered", range(3))
@pytest.mark.parametrize("keyword", ["PIPELINING", "SIZE"])
def test_f45_a_connection_that_breaks_before_the_message_is_known_unsent(smtp_transport, answered, keyword):
    def play(line: Line) -> None:
        greet(line, keyword)
        for answer in (OK, OK, GO)[:answered]:
            line.hear()
            line.say(answer)
        line.hear()
        line.hang_up()

    fence = Fence()
    outcome, server = _deliver(smtp_transport, play, fence=fence)
    # Who has taken MAIL may be breaking because of this one mail.
    assert outcome.verdict is (Verdict.TEMPORARY if answered else Verdict.UNREACHABLE)
    assert fence.asked == 0
    assert len(server.lines) == 1, "A new connection that breaks is no old one."


@pytest.mark.parametrize("answered", range(3))
@pytest.mark.parametrize("keyword", ["PIPELINING", "SIZE"])
def test_f50_a_recipient_at_whom_the_server_falls_silent_has_had_an_attempt(
    smtp_transport, settle, answered, keyword
):
    settle(SMTP_TIMEOUT=0.2)
    released = threading.Event()

    def play(line: Line) -> None:
        greet(line, keyword)
        for answer in (OK, OK, GO)[:answered]:
            line.hear()
            line.say(answer)
        line.hear()
        released.wait(60)

    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        transport.open()
        outcome = transport.deliver(PlainMail(), Fence())
        released.set()
    assert outcome.verdict is (Verdict.TEMPORARY if answered else Verdict.UNREACHABLE)
    assert "in time" in outcome.reply
    # A server that took MAIL lives: asking again at once would only wait as long again.
    assert len(server.lines) == (1 if answered else 2)


@pytest.mark.parametrize("place", ["hang up", "half an answer", "no answer in time", "something else"])
def test_f46_an_answer_to_the_dot_that_is_missing_leaves_a_doubt(smtp_transport, settle, place):
    settle(SMTP_FINAL_DOT_TIMEOUT=0.2)
    released = threading.Event()

    def play(line: Line) -> None:
        _until_data(line)
        line.hear_body()
        if place == "half an answer":
            line.send(b"250 2.0.0 O")
        if place == "something else":
            line.say("Bye")
        if place == "no answer in time":
            released.wait(60)
        line.hang_up()

    with ScriptedServer(play) as server:
        outcome = smtp_transport(server).deliver(PlainMail(), Fence())
        released.set()
    assert outcome.verdict is Verdict.DOUBT
    assert len(server.bodies) == 1


def test_f47_a_connection_that_breaks_in_the_middle_of_the_message_is_known_unsent(smtp_transport):
    def play(line: Line) -> None:
        _until_data(line)
        line.hear_bytes(10_000)
        line.hang_up()

    fence = Fence()
    outcome, server = _deliver(smtp_transport, play, LARGE, fence)
    assert outcome.verdict is Verdict.TEMPORARY
    assert fence.asked == 0
    assert server.bodies == []


@pytest.mark.parametrize("words", ["", "421 4.3.2 Shutting down"])
def test_f47_a_server_that_goes_while_the_fence_is_asked_has_not_taken_the_mail(smtp_transport, words):
    """The dot was never written, although everything was ready for it."""
    asked, gone = threading.Event(), threading.Event()

    def play(line: Line) -> None:
        _until_data(line)
        line._until(b"Hello!\r\n")
        assert asked.wait(60)
        if words:
            line.say(words)
        line.hang_up()
        gone.set()

    def ask() -> None:
        asked.set()
        assert gone.wait(60)

    outcome, server = _deliver(smtp_transport, play, fence=Fence(before=ask))
    assert outcome.verdict is Verdict.TEMPORARY
    assert words in outcome.reply
    assert server.bodies == []


@pytest.mark.parametrize("farewell", ["500 What", "", None])
def test_f48_what_a_server_says_to_quit_changes_nothing(smtp_transport, farewell):
    def play(line: Line) -> None:
        _until_data(line)
        line.hear_body()
        line.say(OK)
        line.hear()
        if farewell is not None:
            line.say(farewell)
        line.hang_up()

    outcome, server = _deliver(smtp_transport, play)
    assert outcome.verdict is Verdict.ACCEPTED
    assert server.heard[-1] == "QUIT"


@pytest.mark.parametrize("hangs_up", [True, False])
@pytest.mark.parametrize(
    ("refusal", "verdict"),
    [
        ("552 5.3.4 Message too big", Verdict.TOO_BIG),
        ("550 5.7.1 Spam", Verdict.POLICY),
        ("451 4.3.0 Disk full", Verdict.TEMPORARY),
        ("250 2.0.0 Half is enough for me", Verdict.TEMPORARY),
    ],
)
def test_f49_a_refusal_in_the_middle_of_the_message_is_read_at_once(
    smtp_transport, refusal, verdict, hangs_up
):
    """The server reads no further: who only wrote would wait until it gave up."""
    heard = threading.Event()

    def play(line: Line) -> None:
        _until_data(line)
        line.hear_bytes(10_000)
        line.say(refusal)
        if hangs_up:
            line.hang_up()
        assert heard.wait(60), "The client waits for a server that waits for it."

    fence = Fence()
    with ScriptedServer(play) as server:
        outcome = smtp_transport(server).deliver(LARGE, fence)
        heard.set()
    # A reset may come before the words; nothing was sent either way.
    assert outcome.verdict is verdict or (hangs_up and outcome.verdict is Verdict.TEMPORARY)
    assert fence.asked == 0
    assert server.bodies == []


def test_f50_a_slow_answer_within_its_time_is_an_answer(smtp_transport, settle):
    settle(SMTP_TIMEOUT=0.2, SMTP_FINAL_DOT_TIMEOUT=60)
    pause = threading.Event()

    def play(line: Line) -> None:
        _until_data(line)
        line.hear_body()
        for letter in OK + "\r\n":
            pause.wait(0.05)
            line.send(letter.encode())

    assert _deliver(smtp_transport, play)[0].verdict is Verdict.ACCEPTED


def test_f50_a_byte_now_and_then_is_not_waited_for_without_end(smtp_transport, settle):
    settle(SMTP_TIMEOUT=0.3)
    pause = threading.Event()

    def play(line: Line) -> None:
        greet(line)
        line.hear()
        while not pause.wait(0.02):
            line.send(b"2")

    outcome, _server = _deliver(smtp_transport, play)
    assert outcome.verdict is Verdict.UNREACHABLE
    assert "in time" in outcome.reply


def test_f50_a_server_that_takes_a_message_bit_by_bit_is_not_served_without_end(smtp_transport, settle):
    settle(SMTP_TIMEOUT=30, SMTP_FINAL_DOT_TIMEOUT=0.6)
    given_up = threading.Event()

    def play(line: Line) -> None:
        _until_data(line)
        while not given_up.wait(0.02):
            line.connection.recv(65_536)

    with ScriptedServer(play) as server:
        outcome = smtp_transport(server).deliver(LARGE, Fence())
        given_up.set()
    assert outcome.verdict is Verdict.TEMPORARY
    assert "in time" in outcome.reply


@pytest.mark.parametrize("farewell", [None, "421 4.4.2 Idle for too long", "421 4.7.0 Too many mails"])
@pytest.mark.parametrize("place", ["before MAIL", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("keyword", ["PIPELINING", "SIZE"])
def test_f51_a_server_that_closes_after_some_mails_is_called_again(smtp_transport, keyword, place, farewell):
    closed = threading.Event()

    def play(line: Line) -> None:
        greet(line, keyword)
        _announce(line)
        line.hear_body()
        line.say(OK)
        if line.number > 3:
            return
        for answer in (OK, OK)[: ("MAIL", "RCPT", "DATA").index(place) if place != "before MAIL" else 0]:
            line.hear()
            line.say(answer)
        if place != "before MAIL":
            line.hear()
        if farewell:
            line.say(farewell)
        line.hang_up()
        closed.set()

    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        for _mail in range(4):
            assert transport.deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
            if place == "before MAIL" and _mail < 3:
                assert closed.wait(60)
                closed.clear()
    assert len(server.bodies) == 4
    assert len(server.lines) == 4


@pytest.mark.parametrize("refusal", ["421 4.7.0 Too many mails", "421 4.7.28 Slow down"])
def test_f53_a_server_that_says_it_to_a_new_connection_too_is_left_alone(smtp_transport, refusal):
    def play(line: Line) -> None:
        greet(line)
        line.hear()
        line.say(refusal)
        line.hang_up()

    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        transport.open()
        outcome = transport.deliver(PlainMail(), Fence())
    assert outcome.verdict is Verdict.SLOW_DOWN
    assert outcome.reply == refusal
    assert len(server.lines) == 2


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (b"250-2.0.0 first\r\n250-2.0.0 second\r\n250 2.0.0 third", Verdict.ACCEPTED),
        (b"250 Gr\xfc\xdfe \xff\xfe\x00", Verdict.ACCEPTED),
        (b"250", Verdict.ACCEPTED),
        (b"250\t2.0.0 a tab", Verdict.DOUBT),
        (b"250 " + b"x" * 1_000_000, Verdict.ACCEPTED),
        (b"550-" + b"x" * 1_000_000 + b"\r\n550 no", Verdict.RECIPIENT),
        (b"250-more\r\n" * 20_000 + b"250 done", Verdict.ACCEPTED),
        (b"550 no code", Verdict.RECIPIENT),
        (b"250 ok\n", Verdict.ACCEPTED),
        (b"25", Verdict.DOUBT),
        (b"2500 OK", Verdict.DOUBT),
        (b"+25 OK", Verdict.DOUBT),
        (b"150 OK", Verdict.DOUBT),
        (b"350 OK", Verdict.DOUBT),
        (b"x" * 10_000_000, Verdict.DOUBT),
        (b"250-more\r\n" * 1_000_000 + b"250 done", Verdict.DOUBT),
    ],
    ids=lambda value: str(value)[:30],
)
def test_f55_an_odd_reply_to_the_dot_is_read_by_its_first_digit(smtp_transport, reply, verdict):
    def play(line: Line) -> None:
        _until_data(line)
        line.hear_body()
        line.send(reply + b"\r\n")

    outcome, _server = _deliver(smtp_transport, play)
    assert outcome.verdict is verdict
    assert len(outcome.reply) <= 1000
    assert "\x00" not in outcome.reply


@pytest.mark.parametrize("answer", ["Bye", "421 4.3.2 Shutting down"])
def test_f55_a_connection_with_an_odd_end_is_not_used_again(smtp_transport, answer):
    def play(line: Line) -> None:
        _until_data(line)
        line.hear_body()
        line.say(answer if line.number == 1 else OK)
        line.hear()

    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        assert transport.deliver(PlainMail(), Fence()).verdict is not Verdict.ACCEPTED
        assert transport.deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
    assert "QUIT" not in server.lines[0].heard
    assert len(server.lines) == 2


def test_f55_what_a_server_says_too_much_is_not_taken_for_the_answer_to_the_next_mail(smtp_transport):
    def play(line: Line) -> None:
        _until_data(line)
        line.hear_body()
        line.say(OK, OK, OK)
        _announce(line)

    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        assert transport.deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
        assert transport.deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
    assert len(server.lines) == 2
    assert len(server.bodies) == 2


def test_f55_keywords_may_be_in_small_letters(smtp_transport):
    def play(line: Line) -> None:
        greet(line, "pipelining", "size 1000", "8bitmime")
        _announce(line)
        line.hear_body()
        line.say("250 ok")

    outcome, server = _deliver(smtp_transport, play, PlainMail("Grüße\r\n".encode()))
    assert outcome.verdict is Verdict.ACCEPTED
    assert server.heard[1].endswith(" BODY=8BITMIME SIZE=9")


def test_an_answer_is_known_before_the_goodbye_of_a_connections_last_mail(smtp_transport, settle):
    """Nobody has written it down yet; a server may take its time with QUIT."""
    settle(MAILS_PER_CONNECTION=1)

    def play(line: Line) -> None:
        _until_data(line)
        line.hear_body()
        line.say(OK)

    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        for number in (1, 2):
            assert transport.deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
            assert server.heard.count("QUIT") == number - 1
        transport.close()
        assert server.heard.count("QUIT") == 2


def _fill(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x" * 65_536)


def test_a_dot_that_never_left_leaves_no_doubt(smtp_transport, settle):
    """The server reads no further while the fence is asked, until nothing more can be written to it."""
    settle(SMTP_TIMEOUT=0.5)
    over = threading.Event()

    def play(line: Line) -> None:
        _until_data(line)
        over.wait(60)

    with ScriptedServer(play) as server:
        transport = smtp_transport(server)
        fence = Fence(before=lambda: _fill(transport._dialogue.sock))
        outcome = transport.deliver(PlainMail(), fence)
        over.set()
    assert outcome.verdict is Verdict.TEMPORARY
    assert server.bodies == []


def test_who_waits_to_write_the_dot_is_not_woken_up_by_what_there_is_to_read():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        _fill(ours)
        theirs.send(b"421 Closing\r\n")
        dialogue = Dialogue(timeout=5)
        dialogue.sock = ours
        assert next(dialogue.sending(b".\r\n")).events == select.POLLOUT
        assert next(dialogue.send_body(b"x", seconds=5)).events == select.POLLIN | select.POLLOUT
