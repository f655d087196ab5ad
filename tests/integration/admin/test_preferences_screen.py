"""Settings › Mass mailing: limits for the whole site, for recipients' providers, and holidays."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from massmail_plugin import preferences

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def _url() -> str:
    return reverse("wagtailsettings:edit", args=["massmail_plugin", "mailpreferences", preferences.load().pk])


def _rows(name: str, rows: list[dict[str, str]]) -> dict[str, str]:
    data = {f"{name}-TOTAL_FORMS": str(len(rows)), f"{name}-INITIAL_FORMS": "0"}
    data |= {f"{name}-MIN_NUM_FORMS": "0", f"{name}-MAX_NUM_FORMS": "1000"}
    for number, row in enumerate(rows):
        data |= {f"{name}-{number}-{key}": value for key, value in {"id": "", "DELETE": "", **row}.items()}
    return data


def _form(
    holidays: list[dict[str, str]] | None = None,
    domains: list[dict[str, str]] | None = None,
    **changes: str,
) -> dict[str, str]:
    data = {
        "public_base_url": "https://www.example.com",
        "postal_address": "",
        "mandatory_opt_out_link": "on",
    }
    data |= {"per_hour_limit": "", "per_batch_limit": "", "whose_records": "everybodys"}
    return data | _rows("holidays", holidays or []) | _rows("domain_limits", domains or []) | changes


def test_limits_and_holidays_are_stored(administrator: Any) -> None:
    administrator.post(
        _url(),
        _form(
            holidays=[{"date": "2026-12-25", "name": "Christmas"}, {"date": "2026-12-24", "name": ""}],
            domains=[
                {"domain": "@Gmail.com ", "per_hour": "20"},
                {"domain": "bücher.example", "per_hour": "5"},
            ],
            per_hour_limit="1000",
            per_batch_limit="50",
        ),
    )
    site = preferences.load()
    assert (site.per_hour_limit, site.per_batch_limit) == (1000, 50)
    assert list(site.holidays.values_list("date", flat=True)) == [date(2026, 12, 24), date(2026, 12, 25)]
    limits = dict(site.domain_limits.values_list("domain", "per_hour"))
    assert limits == {"gmail.com": 20, "xn--bcher-kva.example": 5}


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        (_form(domains=[{"domain": "no domain", "per_hour": "5"}]), "This is not a domain"),
        (_form(domains=[{"domain": "gmail.com", "per_hour": "0"}]), "greater than or equal to 1"),
        (
            _form(
                domains=[{"domain": "gmail.com", "per_hour": "1"}, {"domain": "GMAIL.com", "per_hour": "2"}]
            ),
            "",
        ),
        (_form(holidays=[{"date": "2026-12-24", "name": ""}, {"date": "2026-12-24", "name": "again"}]), ""),
        (_form(per_hour_limit="0"), "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(administrator: Any, form: dict[str, str], complaint: str) -> None:
    response = administrator.post(_url(), form)
    assert response.status_code == 200
    assert complaint in response.content.decode()
    site = preferences.load()
    assert not site.holidays.exists()
    assert not site.domain_limits.exists()
    assert site.per_hour_limit is None
