"""What is said to one server: nothing that it does not offer, and no address that says more than an address."""

import pytest

from massmail_plugin.delivery.transports.base import Verdict
from massmail_plugin.delivery.transports.wire_format import Unsendable, transaction


def _wire(message=b"Hello!\r\n", offers=None, sender="us@sandbox.example", recipient="ada@customers.example"):
    return transaction(sender, recipient, message, offers or {})


def test_what_a_server_does_not_offer_is_not_asked_of_it():
    wire = _wire()
    assert wire.mail == b"MAIL FROM:<us@sandbox.example>\r\n"
    assert wire.rcpt == b"RCPT TO:<ada@customers.example>\r\n"


def test_the_size_is_told():
    assert _wire(b"1\r\n", {"size": "1000"}).mail == b"MAIL FROM:<us@sandbox.example> SIZE=3\r\n"


@pytest.mark.parametrize("offered", ["", "0", "8", "many", "9" * 30])
def test_a_size_that_is_enough_or_no_number_is_no_limit(offered):
    assert _wire(b"12345\r\n8", {"size": "10"}).data
    assert _wire(b"123456\r\n", {"size": offered}).data


def test_a_mail_larger_than_the_server_takes_never_leaves():
    with pytest.raises(Unsendable) as refused:
        _wire(b"x" * 2000, {"size": "1024"})
    assert refused.value.outcome.verdict is Verdict.TOO_BIG
    assert "1.0\xa0KB" in refused.value.outcome.reply


def test_eighth_bits_leave_only_where_the_server_takes_them():
    message = "Grüße\r\n".encode()
    assert _wire(message, {"8bitmime": ""}).mail.endswith(b" BODY=8BITMIME\r\n")
    assert b"BODY" not in _wire(b"ASCII\r\n", {"8bitmime": ""}).mail
    with pytest.raises(Unsendable) as refused:
        _wire(message)
    assert refused.value.outcome.verdict is Verdict.RECIPIENT


def test_letters_before_the_at_leave_only_where_the_server_takes_them():
    wire = _wire(offers={"smtputf8": "", "8bitmime": ""}, recipient="jürgen@customers.example")
    assert wire.mail == b"MAIL FROM:<us@sandbox.example> SMTPUTF8\r\n"
    assert wire.rcpt == "RCPT TO:<jürgen@customers.example>\r\n".encode()


@pytest.mark.parametrize("offers", [{}, {"smtputf8": ""}, {"8bitmime": ""}])
@pytest.mark.parametrize(
    ("field", "verdict"), [("recipient", Verdict.RECIPIENT), ("sender", Verdict.ACCOUNT)]
)
def test_else_they_are_refused_before_anything_is_said(offers, field, verdict):
    with pytest.raises(Unsendable) as refused:
        _wire(offers=offers, **{field: "jürgen@customers.example"})
    assert refused.value.outcome.verdict is verdict
    assert "before the @" in refused.value.outcome.reply


@pytest.mark.parametrize(
    "address", ["a@b.example>\r\nRCPT TO:<c@d.example", "a\n@b.example", "a\x00@b.example"]
)
@pytest.mark.parametrize("field", ["sender", "recipient"])
def test_no_address_can_write_a_command(address, field):
    with pytest.raises(Unsendable):
        _wire(**{field: address})
