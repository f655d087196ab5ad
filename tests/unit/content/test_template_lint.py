"""What a template is told before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from massmail_plugin import recipients
from massmail_plugin.content.lint import lint
from massmail_plugin.content.problems import Severity
from massmail_plugin.recipients import RecipientType
from sandbox.crm.models import Contact, Ticket
from tests.unit.content.drafts import Block, button, draft, heading, raw_text, text


class People(RecipientType):
    merge_fields = ["first_name", "last_name", "company__name"]


class Requests(RecipientType):
    merge_fields = ["subject", "last_name"]


PEOPLE, REQUESTS = People(Contact), Requests(Ticket)


def said(*blocks: Block, types: Any = (PEOPLE,), slugs: Any = ("demo",), **fields: Any) -> list[str]:
    """Return "severity where: message" for each problem."""
    template = draft(*(blocks or [heading("Hi")]), **fields)
    return [f"{problem.severity} {problem}" for problem in lint(template, types, slugs)]


def test_a_good_template_is_left_in_peace() -> None:
    blocks = [
        heading('Hello {{ contact.first_name | default: "there" }} from {{ contact.company.name }}'),
        button("Go", "{{ tracking.demo }}"),
        text(
            "<p>{{ sender.name }} {{ sender.email }} {{ campaign.name }} {{ today | date }} {{ view_url }}</p>"
        ),
    ]
    assert said(*blocks) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "{{ contact.frist_name }}",
            "There is no field “contact.frist_name”. Did you mean “contact.first_name”?",
        ),
        ("{{ first_name }}", "There is no field “first_name”. Did you mean “contact.first_name”?"),
        ("{{ contact.owner.password }}", "There is no field “contact.owner.password”."),
        ("{{ contact }}", "There is no field “contact”."),
        ("{{ settings }}", "There is no field “settings”."),
        (
            "{{ tracking.dmo }}",
            "The campaign has no tracking URL “dmo”. Add it there, or change the link. Did you mean “tracking.demo”?",
        ),
        ("{{ a | shout }}", "There is no filter “shout”."),
    ],
)
def test_unknown_names_are_errors(source: str, message: str) -> None:
    assert any(line.startswith(f"error Block 1: Heading: {message}") for line in said(heading(source)))


def test_a_field_that_only_some_have_needs_a_default() -> None:
    (warning,) = said(heading("{{ contact.first_name }}"), types=[PEOPLE, REQUESTS])

    assert warning.startswith("warning Block 1: Heading: Tickets have no “contact.first_name”")
    assert '{{ contact.first_name | default: "…" }}' in warning


@pytest.mark.parametrize(
    "source",
    [
        '{{ contact.first_name | default: "there" }}',
        "{% if contact.first_name %}x{% endif %}",
        "{{ contact.last_name }}",
    ],
)
def test_with_a_default_or_in_a_condition_it_is_fine(source: str) -> None:
    assert said(heading(source), types=[PEOPLE, REQUESTS]) == []


def test_without_recipient_types_the_contacts_fields_are_not_judged() -> None:
    assert said(heading("{{ contact.whatever }}"), types=[]) == []


def test_an_empty_subject_stops_and_an_empty_preview_line_warns() -> None:
    found = said(subject=" ", preheader="")

    # Neither says twice where it is.
    assert [line.split(" is empty")[0] for line in found] == ["error The subject", "warning The preview line"]


def test_an_empty_mail_stops() -> None:
    template = draft()

    assert ("Body", Severity.ERROR) in [
        (problem.where, problem.severity) for problem in lint(template, [], [])
    ]


@pytest.mark.parametrize(("size", "expected"), [(80_000, 0), (88_000, 1), (120_000, 1)])
def test_a_mail_that_gmail_would_cut_is_warned_of(size: int, expected: int) -> None:
    found = [line for line in said(raw_text("x" * size)) if "Gmail" in line]

    assert len(found) == expected
    assert all(line.startswith("warning") for line in found)


def test_an_image_without_text_or_file_is_an_error() -> None:
    image = {"image": None, "alt": "", "decorative": False, "link": "", "alignment": "center"}

    (found,) = said(("image", image))

    assert found.startswith("error Block 1: Image: The image has been deleted.")


def test_errors_come_first() -> None:
    found = said(heading("{{ contact.x }}"), preheader="")

    assert [line.split()[0] for line in found] == ["error", "warning"]


def test_the_sandbox_types_can_be_linted_against() -> None:
    assert said(heading("{{ contact.first_name | default: 'x' }}"), types=recipients.all_types()) == []
