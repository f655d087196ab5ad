"""The tests' own mail server: what it is told to do has to happen, or tests of faults prove nothing."""

import smtplib

import pytest

from tests.smtp_server import SmtpServer

MAIL = "Subject: Hello\r\n\r\nText\r\n"


def send(server: SmtpServer, to: str = "ada@customers.example") -> None:
    with smtplib.SMTP(server.host, server.port) as client:
        client.sendmail("sales@sandbox.example", [to], MAIL)


def test_keeps_the_mail_with_its_envelope(smtp_server):
    send(smtp_server)
    [mail] = smtp_server.mails_to("ada@customers.example")
    assert (mail.sender, mail.message["Subject"], mail.text) == ("sales@sandbox.example", "Hello", "Text\n")


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "dot"])
def test_answers_as_told_and_keeps_nothing(smtp_server, place):
    smtp_server.answer(place, "451 4.3.0 Later", times=1)
    with pytest.raises(smtplib.SMTPException, match=r"4\.3\.0 Later"):
        send(smtp_server)
    assert smtp_server.mails == []
    send(smtp_server)
    assert smtp_server.recipients == ["ada@customers.example"]


def test_refuses_one_recipient_only(smtp_server):
    smtp_server.answer("RCPT", "550 5.1.1 No such mailbox", when="gone@")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(smtp_server, "gone@customers.example")
    send(smtp_server)
    assert smtp_server.recipients == ["ada@customers.example"]


@pytest.mark.parametrize(("place", "kept"), [("MAIL", 0), ("RCPT", 0), ("DATA", 0), ("dot", 1)])
def test_hangs_up(smtp_server, place, kept):
    smtp_server.hang_up(place)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smtp_server)
    assert len(smtp_server.mails) == kept


def test_holds_its_answer_until_released(smtp_server):
    with smtplib.SMTP(smtp_server.host, smtp_server.port) as client, smtp_server.holding("dot") as held:
        client.ehlo()
        client.mail("sales@sandbox.example")
        client.rcpt("ada@customers.example")
        client.docmd("DATA")
        client.send(MAIL + ".\r\n")
        held.wait_until_reached()
        send(smtp_server, "second@customers.example")
        held.release()
        assert client.getreply()[0] == 250
    assert smtp_server.recipients == ["ada@customers.example", "second@customers.example"]


def test_asks_for_a_password_when_it_has_users():
    with SmtpServer(users={"sales": "right"}) as server, smtplib.SMTP(server.host, server.port) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("sales", "wrong")
        client.login("sales", "right")
