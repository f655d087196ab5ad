"""What an exception of a backend proves about the mail, and what it does not."""

import smtplib
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from anymail.exceptions import (
    AnymailCancelSend,
    AnymailConfigurationError,
    AnymailInvalidAddress,
    AnymailRequestsAPIError,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)

from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.transports.provider_errors import classify


def _api_error(status):
    response = requests.Response()
    response.status_code = status
    response._content = b"{}"
    return AnymailRequestsAPIError("refused", response=response)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (_api_error(400), Verdict.RECIPIENT),
        (_api_error(422), Verdict.RECIPIENT),
        (_api_error(401), Verdict.ACCOUNT),
        (_api_error(403), Verdict.ACCOUNT),
        (_api_error(429), Verdict.SLOW_DOWN),
        (_api_error(503), Verdict.UNREACHABLE),
        (_api_error(500), Verdict.DOUBT),
        (_api_error(200), Verdict.DOUBT),
        (requests.exceptions.SSLError("bad record mac"), Verdict.DOUBT),
        (requests.exceptions.ReadTimeout(), Verdict.DOUBT),
        (requests.exceptions.ConnectTimeout(), Verdict.UNREACHABLE),
        (ConnectionRefusedError(), Verdict.UNREACHABLE),
        (AnymailInvalidAddress("bad"), Verdict.RECIPIENT),
        (AnymailSerializationError("bad"), Verdict.RECIPIENT),
        (AnymailUnsupportedFeature("bad"), Verdict.RECIPIENT),
        (AnymailCancelSend("no"), Verdict.RECIPIENT),
        (AnymailConfigurationError("no key"), Verdict.ACCOUNT),
        (smtplib.SMTPAuthenticationError(535, b"no"), Verdict.ACCOUNT),
        (smtplib.SMTPSenderRefused(550, b"no", "a@b.example"), Verdict.ACCOUNT),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (550, b"no")}), Verdict.RECIPIENT),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (451, b"later")}), Verdict.TEMPORARY),
        (smtplib.SMTPDataError(554, b"no"), Verdict.RECIPIENT),
        (smtplib.SMTPDataError(451, b"later"), Verdict.TEMPORARY),
        (smtplib.SMTPServerDisconnected("gone"), Verdict.DOUBT),
        (RuntimeError("whatever"), Verdict.DOUBT),
    ],
    ids=repr,
)
def test_verdict(error, verdict):
    assert classify(error).verdict is verdict


def test_a_provider_that_is_down_puts_nobody_in_doubt():
    """The real exception of ``requests`` for a closed port, as Anymail wraps it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    try:
        requests.post(f"http://127.0.0.1:{port}/", timeout=5)
    except requests.RequestException as refused:
        wrapped = AnymailRequestsAPIError("Error posting")
        wrapped.__cause__ = refused
        assert classify(wrapped).verdict is Verdict.UNREACHABLE
    else:
        pytest.fail("a closed port answered")


def test_a_server_that_speaks_no_tls_puts_nobody_in_doubt():
    """The same exception of ``requests`` as one that comes after the mail has left."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(_greet, server)
        with pytest.raises(requests.exceptions.SSLError) as caught:
            requests.post(f"https://127.0.0.1:{server.getsockname()[1]}/", timeout=60)
    wrapped = AnymailRequestsAPIError("Error posting")
    wrapped.__context__ = caught.value
    assert classify(wrapped).verdict is Verdict.UNREACHABLE


def _greet(server):
    connection, _address = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"220 mail.example.com\r\n")


def test_the_description_leaves_out_the_request_with_its_personal_data():
    error = RuntimeError("refused\nSending a message to ann@people.example from us")
    assert "ann@people.example" not in classify(error).reply


def test_what_a_server_says_can_always_be_written_down():
    outcome = Outcome(Verdict.ACCEPTED, "250 2.0.0\x00\r\n OK\ud800" + "x" * 5000, "id\x00" + "7" * 300)

    assert outcome.reply.startswith("250 2.0.0 OK ")
    assert len(outcome.reply) == 1000
    assert len(outcome.provider_id) == 255
    assert "\x00" not in outcome.provider_id
