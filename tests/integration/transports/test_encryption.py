"""STARTTLS and TLS: asked for, checked, never downgraded, and as exact about a mail as without (F38, F56)."""

import datetime as dt
import ipaddress
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.transports.base import CannotOpen, Verdict
from tests.integration.transports.conftest import Fence, PlainMail
from tests.scripted_server import Line, ScriptedServer, greet

OK, GO = "250 2.0.0 OK", "354 Go ahead"
STARTTLS, TLS = SenderAccount.Security.STARTTLS, SenderAccount.Security.TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a file with key and certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(monkeypatch, certificate):
    """Let this machine trust the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def _begin(line: Line, security: str, context: ssl.SSLContext) -> None:
    if security == TLS:
        line.encrypt(context)
    else:
        greet(line, "STARTTLS")
        line.hear()
        line.say("220 Go ahead")
        line.encrypt(context)
        line.hear()
        line.say("250-mail.test.example", "250-PIPELINING", "250 AUTH PLAIN")
        return
    greet(line, "PIPELINING", "AUTH PLAIN")


def _take(line: Line) -> None:
    for answer in (OK, OK, GO):
        line.hear()
        line.say(answer)
    line.hear_body()
    line.say(OK)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_mails_large_and_small_leave_encrypted(smtp_transport, context, security):
    def play(line: Line) -> None:
        _begin(line, security, context)
        line.hear()
        line.say("235 2.7.0 In")
        for _mail in range(3):
            _take(line)

    large = PlainMail(b"Subject: Large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 40_000)
    with ScriptedServer(play) as server:
        transport = smtp_transport(server, security=security, username="u", password=Secret.of("p"))
        for mail in (PlainMail(), large, PlainMail()):
            assert transport.deliver(mail, Fence()).verdict is Verdict.ACCEPTED
    assert [len(body) for body in server.bodies] == [25, len(large.message), 25]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_a_refusal_in_the_middle_of_the_message_is_read_at_once(smtp_transport, context, security):
    """F49: TLS itself sends things out of turn; they are not taken for an answer, and an answer is."""
    heard = threading.Event()

    def play(line: Line) -> None:
        _begin(line, security, context)
        for answer in (OK, OK, GO):
            line.hear()
            line.say(answer)
        line.hear_bytes(10_000)
        line.say("552 5.3.4 Too big")
        assert heard.wait(60), "The client waits for a server that waits for it."

    fence = Fence()
    with ScriptedServer(play) as server:
        outcome = smtp_transport(server, security=security).deliver(PlainMail(b"x" * 30_000_000), fence)
        heard.set()
    assert outcome.verdict is Verdict.TOO_BIG
    assert fence.asked == 0


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_a_connection_that_breaks_at_the_dot_leaves_a_doubt(smtp_transport, context, security):
    def play(line: Line) -> None:
        _begin(line, security, context)
        for answer in (OK, OK, GO):
            line.hear()
            line.say(answer)
        line.hear_body()
        line.hang_up()

    with ScriptedServer(play) as server:
        outcome = smtp_transport(server, security=security).deliver(PlainMail(), Fence())
    assert outcome.verdict is Verdict.DOUBT


@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_f38_a_certificate_that_nobody_vouches_for_gets_no_password(smtp_transport, context, security):
    def play(line: Line) -> None:
        _begin(line, security, context)

    with ScriptedServer(play) as server:
        transport = smtp_transport(server, security=security, username="u", password=Secret.of("p"))
        with pytest.raises(CannotOpen) as refused:
            transport.open()
    assert refused.value.outcome.verdict is Verdict.UNREACHABLE
    assert "certificate" in refused.value.outcome.reply
    assert not [command for command in server.heard if command.startswith("AUTH")]


@pytest.mark.parametrize("keywords", [("AUTH PLAIN",), ("STARTTLS", "AUTH PLAIN")])
def test_f56_a_server_that_does_not_encrypt_gets_no_password(smtp_transport, keywords):
    def play(line: Line) -> None:
        greet(line, *keywords)
        while line.hear():
            line.say("502 5.5.1 No")

    with ScriptedServer(play) as server:
        transport = smtp_transport(server, security=STARTTLS, username="u", password=Secret.of("p"))
        with pytest.raises(CannotOpen) as refused:
            transport.open()
    assert refused.value.outcome.verdict is Verdict.ACCOUNT
    assert not [command for command in server.heard if command.startswith(("AUTH", "MAIL"))]


@pytest.mark.usefixtures("trusted")
def test_f56_words_slipped_in_before_the_encryption_are_not_the_servers(smtp_transport, context):
    """Else they would be read as the answer to EHLO, and AUTH would go where they say (CVE-2011-0411)."""

    def play(line: Line) -> None:
        greet(line, "STARTTLS")
        line.hear()
        line.say("220 Go ahead", "250-mail.test.example", "250 AUTH PLAIN")
        line.encrypt(context)
        while line.hear():
            line.say("235 In")

    with ScriptedServer(play) as server:
        transport = smtp_transport(server, security=STARTTLS, username="u", password=Secret.of("p"))
        with pytest.raises(CannotOpen) as refused:
            transport.open()
    assert refused.value.outcome.verdict is Verdict.ACCOUNT
    assert [command.split()[0] for command in server.heard] == ["EHLO", "STARTTLS"]
