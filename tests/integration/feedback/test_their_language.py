"""The pages behind the links of a mail speak its recipient's language, where the site has it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from massmail_plugin import recipients
from massmail_plugin.feedback import opting_out, preference_centre
from massmail_plugin.feedback.their_language import language_of
from massmail_plugin.recipients.subscribers import ensure_subscriber
from sandbox.crm.models import Contact
from tests.integration.feedback.conftest import ADDRESS, Sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host says in the country's field which language its contacts speak."""
    of_contact: Any = recipients.for_model(Contact)
    monkeypatch.setattr(of_contact, "language", "country")


@pytest.mark.parametrize(
    ("in_record", "expected"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("pt_BR", "pt-br"),
        ("Klingon", ""),
        ("", ""),
        ("xx", ""),
        ("x" * 60, ""),
    ],
)
def test_it_is_the_one_in_the_record(spoken: None, sent: Sent, in_record: str, expected: str) -> None:
    Contact.objects.filter(email=ADDRESS).update(country=in_record)
    assert language_of(opting_out.bearer_of(sent.opt_out_token())) == expected


def test_a_subscribers_counts_where_the_record_says_nothing(spoken: None, sent: Sent) -> None:
    ensure_subscriber(ADDRESS, language="fr")
    assert language_of(opting_out.bearer_of(sent.opt_out_token())) == "fr"


@pytest.mark.parametrize("what", ["opt_out", "preferences", "one_click"])
def test_the_pages_speak_it_whatever_the_browser_wants(
    client: Client, monkeypatch: pytest.MonkeyPatch, spoken: None, sent: Sent, what: str
) -> None:
    Contact.objects.filter(email=ADDRESS).update(country="de")
    bearer = opting_out.bearer_of(sent.opt_out_token())
    preferences = f"/mail/preferences/{preference_centre.link_for(bearer)}/"
    url = {"opt_out": sent.opt_out_url(), "preferences": preferences, "one_click": sent.one_click_url()}[what]
    page = client.get(url, headers={"accept-language": "fr"}).content.decode()

    assert 'lang="de"' in page
    assert translation.get_language() == "en", "For this page only."


def test_a_record_that_is_gone_has_none(client: Client, spoken: None, sent: Sent) -> None:
    Contact.objects.all().delete()
    assert client.get(sent.opt_out_url()).status_code == 200
