"""Requests that no form of ours makes: odd numbers, odd letters, odd names of files."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, an_account

pytestmark = pytest.mark.django_db

ODD = ["\x00", "a\x00b", "9" * 40, "%", "_", "'", "\\", "\u202e", "a" * 5000, "[", "²"]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize(
    "name",
    [
        "massmail_mailings:why",
        "massmail_mailings:index",
        "massmail_campaigns:index",
        "massmail_segments:index",
    ],
)
def test_whatever_is_searched_for_is_no_fault(administrator: Any, name: str, text: str) -> None:
    assert administrator.get(reverse(name), {"q": text}).status_code == 200


@pytest.mark.parametrize("text", ODD)
def test_nor_in_a_log_the_people_of_a_mailing_or_of_a_list(administrator: Any, text: str) -> None:
    an_account()
    page = a_target_list(a_contact())
    mailing = a_mailing(campaign=a_campaign(page))
    for url in (
        reverse("massmail_mailings:people", args=[mailing.pk]),
        reverse("massmail_campaigns:log", args=[mailing.campaign_id]),
        reverse("massmail_target_lists:members", args=[page.pk]),
    ):
        assert administrator.get(url, {"q": text, "state": text, "p": text}).status_code in (200, 404)


@pytest.mark.parametrize(
    "title", ["a/../../b", "x\r\nSet-Cookie: a=b", 'q"; filename="evil.exe', "\u202egpj.exe", "é" * 100]
)
def test_the_name_of_an_exported_file_is_one_line_and_one_file(administrator: Any, title: str) -> None:
    an_account()
    page = a_target_list(a_contact(), title="T")
    type(page).objects.filter(pk=page.pk).update(title=title)
    mailing = a_mailing(campaign=a_campaign(page, name=title), name=title)
    for url in (
        reverse("massmail_mailings:people", args=[mailing.pk]),
        reverse("massmail_campaigns:log", args=[mailing.campaign_id]),
        reverse("massmail_target_lists:members", args=[page.pk]),
    ):
        response = administrator.get(url, {"export": "csv"})
        named = response.headers.get("Content-Disposition", "")
        assert response.status_code == 200, url
        assert named.startswith("attachment"), url
        assert not {"\r", "\n", "/", "\\"} & set(named), named
        assert 'evil.exe"' not in named.replace("%22", ""), named
        assert "Set-Cookie" not in response.headers or "a=b" not in response.headers["Set-Cookie"]
