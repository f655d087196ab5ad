"""What is said over one connection, in which order, and what becomes of every combination of answers."""

import itertools

import pytest

from massmail_plugin.delivery.transports.base import Verdict
from tests.integration.transports.conftest import Fence, PlainMail
from tests.scripted_server import Line, ScriptedServer, greet

OK, NO, LATER = "250 2.0.0 OK", "550 5.1.1 No such user", "451 4.3.0 Later"
GO = "354 Go ahead"


def _serve(*answers: str, keywords: tuple[str, ...] = ("PIPELINING",), connections: int = 1):
    """Return a play that answers MAIL, RCPT and DATA so on its first connections, and then takes mails for ever."""

    def play(line: Line) -> None:
        greet(line, *keywords)
        waiting = list(answers) if line.number <= connections else []
        while command := line.hear():
            if command == "QUIT":
                line.say("221 Bye")
                return
            if command == "RSET":
                waiting.clear()
            usual = GO if command == "DATA" else OK
            answer = waiting.pop(0) if waiting else usual
            line.say(answer)
            if command == "DATA" and answer.startswith("354") and line.hear_body():
                line.say(OK)

    return play


def test_mail_rcpt_and_data_leave_in_one_write_where_the_server_offers_it(smtp_transport):
    """Were they not, this server, which answers nothing before it has all three, would be waited for."""

    def play(line: Line) -> None:
        greet(line, "pipelining")
        for _command in range(3):
            line.hear()
        line.say(OK, OK, GO)
        line.hear_body()
        line.say(OK)

    with ScriptedServer(play) as server:
        outcome = smtp_transport(server).deliver(PlainMail(), Fence())
    assert outcome.verdict is Verdict.ACCEPTED
    assert server.bodies == [b"Subject: News\r\n\r\nHello!\r\n"]


def test_each_command_waits_for_its_answer_where_the_server_does_not_offer_it(smtp_transport):
    """This one closes when something comes before it has answered."""

    def play(line: Line) -> None:
        greet(line, "SIZE 1000000")
        for answer in (OK, OK, GO):
            line.hear()
            if line._unread:
                return
            line.say(answer)
        line.hear_body()
        line.say(OK)

    with ScriptedServer(play) as server:
        assert smtp_transport(server).deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
    assert [command.split(":")[0] for command in server.heard[1:4]] == ["MAIL FROM", "RCPT TO", "DATA"]


@pytest.mark.parametrize("keywords", [("PIPELINING",), ("SIZE",)])
@pytest.mark.parametrize(
    "answers", list(itertools.product([OK, NO, LATER], [OK, "252 2.1.5 Perhaps", NO, LATER], [GO, NO, LATER]))
)
def test_every_combination_of_answers_ends_in_what_the_first_refusal_says(smtp_transport, keywords, answers):
    refused = next((answer for answer in answers if answer[0] in "45"), None)
    fence = Fence()
    with ScriptedServer(_serve(*answers, keywords=keywords)) as server:
        transport = smtp_transport(server)
        outcome = transport.deliver(PlainMail(), fence)
        following = transport.deliver(PlainMail(b"Subject: Next\r\n\r\nNext.\r\n"), Fence())
        transport.close()
    assert outcome.reply == (refused or OK)
    assert fence.asked == (refused is None)
    assert following.verdict is Verdict.ACCEPTED
    first = [] if refused else [b"Subject: News\r\n\r\nHello!\r\n"]
    assert server.bodies == [*first, b"Subject: Next\r\n\r\nNext.\r\n"], "No empty mail, and none for nobody."


def test_a_server_that_waits_for_a_message_after_it_refused_gets_none_and_is_asked_one_by_one(smtp_transport):
    with ScriptedServer(_serve(OK, NO, GO, connections=2)) as server:
        transport = smtp_transport(server)
        verdicts = [transport.deliver(PlainMail(), Fence()).verdict for _mail in range(3)]
        transport.close()
    assert verdicts == [Verdict.RECIPIENT, Verdict.RECIPIENT, Verdict.ACCEPTED]
    assert len(server.lines) == 2
    assert server.lines[0].bodies == []
    assert not [command for command in server.lines[0].heard if command in (".", "QUIT")]
    assert [command[:4] for command in server.lines[1].heard[1:4]] == ["MAIL", "RCPT", "RSET"]


@pytest.mark.parametrize("keywords", [("PIPELINING",), ("SIZE",)])
@pytest.mark.parametrize("answer", ["250 2.0.0 Fine, I have it", "Bye", "999 What", "", "334 Go ahead"])
def test_another_answer_than_354_to_data_sends_nothing(smtp_transport, keywords, answer):
    fence = Fence()
    with ScriptedServer(_serve(OK, OK, answer, keywords=keywords)) as server:
        outcome = smtp_transport(server).deliver(PlainMail(), fence)
    assert outcome.verdict is Verdict.TEMPORARY
    assert fence.asked == 0
    assert server.bodies == []


def test_the_sender_is_told_by_a_full_name(smtp_transport, settle, monkeypatch):
    from massmail_plugin.delivery.transports.connecting import DNS_NAME

    names = []
    with ScriptedServer(_serve()) as server:
        for machine, chosen in (("crm.example.com", ""), ("3f2a9c", ""), ("3f2a9c", "mail.example.org")):
            settle(EHLO_NAME=chosen)
            monkeypatch.setattr(DNS_NAME, "_fqdn", machine, raising=False)
            transport = smtp_transport(server)
            transport.deliver(PlainMail(), Fence())
            transport.close()
            names.append(server.lines[-1].heard[0])
    assert names == ["EHLO crm.example.com", "EHLO sandbox.example", "EHLO mail.example.org"]


def test_a_server_from_before_ehlo_is_greeted_by_helo(smtp_transport):
    def play(line: Line) -> None:
        line.say("220 old.example")
        line.hear()
        line.say("502 5.5.2 Unknown command")
        for answer in ("250 old.example", OK, OK, GO):
            line.hear()
            line.say(answer)
        line.hear_body()
        line.say("250 taken")

    with ScriptedServer(play) as server:
        assert smtp_transport(server).deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
    assert [command[:4] for command in server.heard[:3]] == ["EHLO", "HELO", "MAIL"]


@pytest.mark.parametrize(("limit", "connections"), [(0, 1), (2, 3)])
def test_a_connection_may_be_limited_to_some_mails(smtp_transport, settle, limit, connections):
    settle(MAILS_PER_CONNECTION=limit)
    with ScriptedServer(_serve()) as server:
        transport = smtp_transport(server)
        for _mail in range(5):
            assert transport.deliver(PlainMail(), Fence()).verdict is Verdict.ACCEPTED
        transport.close()
        assert len(server.lines) == connections
    assert all(line.heard[-1] == "QUIT" for line in server.lines)


def test_a_mail_larger_than_the_server_takes_costs_no_connection(smtp_transport):
    with ScriptedServer(_serve(keywords=("SIZE 100",))) as server:
        transport = smtp_transport(server)
        outcome = transport.deliver(PlainMail(b"x" * 200 + b"\r\n"), Fence())
        assert outcome.verdict is Verdict.TOO_BIG
        assert transport.deliver(PlainMail(b"x" * 50 + b"\r\n"), Fence()).verdict is Verdict.ACCEPTED
    assert len(server.lines) == 1
    assert server.heard[1].endswith(" SIZE=52")


def test_the_fence_stands_between_the_last_byte_of_the_message_and_the_dot(smtp_transport):
    arrived = []

    def play(line: Line) -> None:
        greet(line, "PIPELINING")
        for _command in range(3):
            line.hear()
        line.say(OK, OK, GO)
        arrived.append(line._until(b"Hello!\r\n"))
        arrived.append(line._unread)
        arrived.append(line.connection.recv(100))

    with ScriptedServer(play) as server:
        outcome = smtp_transport(server).deliver(PlainMail(), Fence(answer=False))
    assert outcome.verdict is Verdict.FENCED
    assert arrived == [b"Subject: News\r\n\r\nHello!\r\n", b"", b""], (
        "Neither a dot nor a word after the message."
    )


def test_whoever_stops_us_at_the_fence_leaves_no_half_mail_behind(smtp_transport):
    def stop() -> None:
        raise SystemExit

    with ScriptedServer(_serve()) as server:
        transport = smtp_transport(server)
        with pytest.raises(SystemExit):
            transport.deliver(PlainMail(), Fence(before=stop))
        transport.close()
    assert server.bodies == []
    assert "QUIT" not in server.heard
