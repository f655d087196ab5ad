"""The bytes of a mail say what Django's message says: proved by parsing both, for anything that merge fields hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.content.compiled import CompiledContent
from massmail_plugin.delivery.mails import outgoing
from massmail_plugin.delivery.mails.messages import Composer, Link
from massmail_plugin.delivery.mails.outgoing import OutgoingMail
from massmail_plugin.mailings.models import Campaign, Mailing

_HTML = """<!doctype html>
<html lang="de"><body style="margin:0">
<p>Guten Tag {{ contact.first_name | default: "zusammen" }} {{ contact.last_name }},</p>
<p title="{{ contact.last_name }}">Größe = {{ contact.size }}. {% if contact.city %}In {{ contact.city }}{% endif %}</p>
.
<a href="{{ links[0] }}">One</a> <a href="{{ tracking.demo }}">Demo</a> <a href="{{ unsubscribe_url }}">Leave</a>
<img src="{{ open_url }}" alt=""></body></html>
"""
_TEXT = "Guten Tag {{ contact.first_name }}\n\nFrom here: {{ contact.last_name }}\n.\n{{ unsubscribe_url }}"
_SUBJECT = "{{ contact.first_name }}: Neues für {{ contact.city }}"

_signs = st.one_of(
    st.sampled_from("\r\n\r\n\x00\x0b\x0c\x1c\x1d\x1e\x7f\x85\u2028\u2029\ud800\u202e\u200d👋=. <>&\"'\\,@"),
    st.characters(),
)
_hostile = st.text(_signs, max_size=120)
_contacts = st.fixed_dictionaries(
    {
        "first_name": _hostile,
        "last_name": _hostile,
        "city": _hostile,
        "size": st.one_of(st.none(), st.integers()),
    }
)


def _compose(
    contact: Any, name: str = "Ada", *, subject: str = _SUBJECT, from_name: str = "Sales"
) -> OutgoingMail:
    content = CompiledContent(
        subject, _HTML, _TEXT, links=("https://www.example.com/",), tracking_slugs=("demo",)
    )
    campaign = Campaign(pk=3, name="Spring", kind=Campaign.Kind.NEWSLETTER)
    composer = Composer(
        content, Mailing(campaign=campaign), [Link(0, ""), Link(1, "demo")], "https://crm.example/"
    )
    account = SenderAccount(
        from_name=from_name, from_email="sales@sandbox.example", reply_to="nora@sandbox.example"
    )
    return composer.compose(
        account, to="ada@customers.example", name=name, contact=contact, delivery_id=7, address_id=8
    )


def _parts(message: Message) -> list[tuple[str, str | None, str]]:
    return [
        (
            part.get_content_type(),
            part.get_content_charset(),
            cast(bytes, part.get_payload(decode=True)).decode().replace("\r\n", "\n"),
        )
        for part in cast("list[Message]", message.get_payload())
    ]


def _headers(message: Message) -> dict[str, str]:
    """Return the headers as people and programs read them, without those that say how the mail is packed."""
    headers = {}
    for name, value in message.items():
        if name in ("Subject", "From", "To", "Reply-To"):
            headers[name] = str(make_header(decode_header(re.sub(r"\r?\n", "", value))))
        elif not name.startswith(("Content-", "MIME-")):
            headers[name] = re.sub(r"\r?\n", "", value)
    return headers


@pytest.fixture(autouse=True, scope="module")
def _one_moment() -> Iterator[None]:
    """Two mails of one moment have one date."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outgoing.time, "time", lambda: 1_800_000_000.5)
        yield


@settings(deadline=None)
@given(contact=_contacts, name=_hostile, from_name=_hostile)
@example({"first_name": "a\x0bBcc: everybody@example.com\x0b\x0bBody"}, "b\r\nBcc: x@y.example", "c\x1dd")
@example({"first_name": "x" * 10_000, "last_name": "é" * 10_000, "city": "\n" * 5_000}, "👋" * 10_000, "")
@example({"first_name": "\u202eEva", "last_name": ".\r\n.\r\n.\n.\r", "city": " "}, "\ud800", "\x00")
@example({"first_name": "--=_alternative_=--", "last_name": "\n--=_alternative_=\n"}, "Doe, John", '"Johnny"')
def test_the_bytes_say_what_djangos_message_says(contact: Any, name: str, from_name: str) -> None:
    mail = _compose(contact, name, from_name=from_name)

    ours, theirs = message_from_bytes(mail.as_bytes()), message_from_bytes(mail.message.message().as_bytes())

    assert not ours.defects
    assert _parts(ours) == _parts(theirs)
    if "=?" not in mail.subject + name + from_name:  # Django would let the other end decode it.
        assert _headers(ours) == _headers(theirs)
    for once in (
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "List-Unsubscribe",
        "List-Id",
        "MIME-Version",
    ):
        assert len(ours.get_all(once, [])) == 1


@settings(deadline=None)
@given(contact=_contacts, name=_hostile, from_name=_hostile)
def test_a_parser_finds_what_was_meant(contact: Any, name: str, from_name: str) -> None:
    mail = _compose(contact, name, from_name=from_name)

    message = cast(EmailMessage, message_from_bytes(mail.as_bytes(), policy=policy.default))

    assert not message.defects
    assert not any(part.defects for part in message.walk())
    assert message["Subject"] == mail.subject
    assert [address.addr_spec for address in message["To"].addresses] == ["ada@customers.example"]
    assert [address.addr_spec for address in message["From"].addresses] == ["sales@sandbox.example"]
    text, html = message.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == mail.rendered.text
    assert html.get_content().replace("\r\n", "\n") == mail.rendered.html


@settings(deadline=None)
@given(contact=_contacts, name=_hostile)
@example({"first_name": "x" * 10_000, "last_name": "é" * 10_000, "city": " " * 5_000}, "👋" * 10_000)
def test_nothing_on_the_wire_is_long_eight_bit_a_leading_dot_or_a_bare_line_end(
    contact: Any, name: str
) -> None:
    data = _compose(contact, name).as_bytes()

    assert data.isascii()
    assert b"\x00" not in data
    assert data.endswith(b"\r\n")
    head, _blank, body = data.partition(b"\r\n\r\n")
    lines = data.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert not any(line.startswith(b".") for line in lines)
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76


def test_it_is_dated_when_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = _compose({})

    for second in (1_800_000_000, 1_800_003_600):
        monkeypatch.setattr(outgoing.time, "time", lambda second=second: second + 0.5)
        date = parsedate_to_datetime(message_from_bytes(mail.as_bytes())["Date"])
        assert date.timestamp() == second
        assert date.utcoffset() is not None


def test_a_backend_gets_djangos_message_and_what_webhooks_hand_back() -> None:
    mail = _compose({"first_name": "Ada"}, "Ada Löwe")

    assert mail.message is mail.message
    name, address = parseaddr(mail.message.to[0])
    assert (str(make_header(decode_header(name))), address) == ("Ada Löwe", "ada@customers.example")
    assert mail.message.metadata == {"massmail_delivery": "7"}
    assert parseaddr(mail.message.from_email) == ("Sales", "sales@sandbox.example")


def test_an_address_that_is_not_ascii_is_refused_here_and_left_to_backends() -> None:
    content = CompiledContent("Hello", "<p>Hello</p>", "Hello")
    composer = Composer(content, Mailing(campaign=Campaign(pk=3)), [], "https://crm.example")
    account = SenderAccount(from_name="Sales", from_email="sales@sandbox.example")

    mail = composer.compose(
        account, to="jürgen@customers.example", name="Jürgen", contact={}, delivery_id=7, address_id=8
    )

    with pytest.raises(ValueError, match="To"):
        mail.as_bytes()
    assert "<jürgen@customers.example>".encode() in mail.as_bytes(utf8=True)
    assert mail.message.to == ["jürgen@customers.example"]


def test_answers_to_a_domain_with_letters_beyond_ascii_go_to_its_name_in_ascii() -> None:
    content = CompiledContent("Hello", "<p>Hello</p>", "Hello")
    composer = Composer(content, Mailing(campaign=Campaign(pk=3)), [], "https://crm.example")
    account = SenderAccount(from_email="sales@sandbox.example", reply_to="sales@münchen.example")

    mail = composer.compose(
        account, to="ada@customers.example", name="", contact={}, delivery_id=7, address_id=8
    )

    assert b"\r\nReply-To: sales@xn--mnchen-3ya.example\r\n" in mail.as_bytes()


def test_a_site_with_letters_beyond_ascii_has_links_that_stand_in_a_header() -> None:
    content = CompiledContent("Hello", '<a href="{{ unsubscribe_url }}">Leave</a>', "{{ unsubscribe_url }}")
    composer = Composer(content, Mailing(campaign=Campaign(pk=3)), [], "https://grüße.example:8443/über")
    account = SenderAccount(from_name="Sales", from_email="sales@sandbox.example")

    mail = composer.compose(account, to="ada@a.example", name="", contact={}, delivery_id=7, address_id=8)

    assert mail.headers["List-Unsubscribe"].startswith("<https://xn--gre-6ka8l.example:8443/%C3%BCber/")
    assert b"xn--gre-6ka8l.example" in mail.as_bytes()
