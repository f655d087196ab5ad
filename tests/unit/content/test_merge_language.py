"""The merge language: what it can say, and what it must never do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils.safestring import mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.content import language
from massmail_plugin.content.compiled import (
    VALUE_LIMIT,
    CompiledContent,
    RenderedMail,
    Renderer,
    RenderFailed,
)
from massmail_plugin.content.merge_filters import safe_link
from tests.unit.content.reading import document


def render(source: str, contact: Any = None, **variables: Any) -> RenderedMail:
    content = CompiledContent(subject=source, html=f"<p>{source}</p>", text=source)
    return Renderer(content).render({"contact": contact or {}, **variables})


def text(source: str, contact: Any = None, **variables: Any) -> str:
    return render(source, contact, **variables).text


@pytest.mark.parametrize("first_name", [None, "", "  ", False])
def test_a_default_stands_in_for_every_kind_of_nothing(first_name: Any) -> None:
    assert text('{{ contact.first_name | default: "there" }}', {"first_name": first_name}) == "there"


def test_a_default_stands_in_for_a_field_that_this_type_does_not_have() -> None:
    assert text('{{ contact.company.name | default: "there" }}', {"first_name": "Ada"}) == "there"


def test_zero_is_a_value() -> None:
    assert text('{{ contact.visits | default: "none" }}', {"visits": 0}) == "0"


def test_conditions_choose_between_texts() -> None:
    source = '{% if contact.city == "Cork" %}near{% elsif contact.city %}far{% else %}unknown{% endif %}'

    assert [text(source, {"city": city}) for city in ("Cork", "Oslo", "")] == ["near", "far", "unknown"]


@pytest.mark.parametrize("nothing", ['""', "nil", "blank", "empty"])
def test_an_empty_field_equals_every_kind_of_nothing(nothing: str) -> None:
    source = "{% if contact.city == " + nothing + " %}none{% else %}some{% endif %}"

    assert [text(source, {"city": city}) for city in ("", None, " ", "Cork")] == [
        "none",
        "none",
        "none",
        "some",
    ]
    assert text(source) == "none"


def test_case_and_unless_work() -> None:
    assert (
        text('{% case contact.k %}{% when "a", "b" %}first{% else %}rest{% endcase %}', {"k": "b"}) == "first"
    )
    assert text("{% unless contact.vip %}plain{% endunless %}", {"vip": False}) == "plain"


@pytest.mark.parametrize(
    "source",
    [
        "{% for n in contact.names %}{{ n }}{% endfor %}",
        "{% tablerow n in (1..9) %}{% endtablerow %}",
        '{% include "secrets" %}',
        '{% render "secrets" %}',
        "{% assign a = 1 %}",
        "{% capture a %}{% endcapture %}",
        "{% increment a %}",
        "{% load static %}",
        "{% echo contact %}",
        "{% liquid echo contact %}",
        '{% if (1..99999999999) contains "a" %}{% endif %}',
        "{{ (1..99999999999) }}",
        # The library needs half a minute to see that the first one is not closed.
        "{{" * 10_000,
        "{%" * 10_000,
        "{% if " + "(" * 3000 + "true" + ")" * 3000 + " %}{% endif %}",
    ],
)
def test_what_could_take_long_or_read_files_is_refused(source: str) -> None:
    with pytest.raises(language.LiquidError):
        language.parse(source, escape=True)


@pytest.mark.parametrize(
    "source", ["{{ settings.SECRET_KEY }}", "{{ request }}", "{{ contact.owner.password }}"]
)
def test_nothing_but_the_listed_values_can_be_reached(source: str) -> None:
    class Owner:
        password = "secret"

        def __str__(self) -> str:
            return "Olga"

    assert text(source, {"owner": Owner()}) == ""


def test_a_host_object_is_shown_as_its_text() -> None:
    assert text("{{ contact.owner }}", {"owner": dt.timedelta(days=1)}) == "1 day, 0:00:00"


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", mark_safe("<b>bold</b>"), "\"'&"])
def test_values_are_escaped_in_html_only(value: str) -> None:
    mail = render("{{ contact.name }}", {"name": value})

    assert mail.text == value
    assert document(mail.html).text_content() == value


def test_literals_of_the_editor_are_escaped_once() -> None:
    mail = render('{{ contact.name | default: "A & <B>" }}', {"name": ""})

    assert mail.html == "<p>A &amp; &lt;B&gt;</p>"
    assert mail.text == "A & <B>"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_value_becomes_markup(value: str) -> None:
    mail = render("{{ contact.name }}", {"name": value})

    elements = [element.tag for element in document(mail.html).iter()]
    assert elements == ["html", "body", "p"]
    mail.html.encode("utf-8")
    mail.text.encode("utf-8")


def test_control_characters_and_lone_surrogates_do_not_reach_the_mail() -> None:
    mail = render("{{ contact.name }}", {"name": "A\x00B\ud800C\x0bD\nE"})

    assert mail.text == "A B C D\nE"
    assert mail.subject == "A B C D E"


def test_right_to_left_text_and_emoji_stay_whole() -> None:
    name = "‏محمد 👩‍👩‍👧 ‮"

    assert text("{{ contact.name }}", {"name": name}) == name


def test_an_enormous_value_is_cut() -> None:
    mail = render("{{ contact.name }}", {"name": "x" * 10 * VALUE_LIMIT})

    assert len(mail.text) == VALUE_LIMIT
    assert len(mail.subject) <= 250


def test_an_enormous_mail_is_refused_for_this_person_only() -> None:
    renderer = Renderer(CompiledContent("", "{{ contact.name }}" * 1000, ""))

    with pytest.raises(RenderFailed):
        renderer.render({"contact": {"name": "x" * VALUE_LIMIT}})
    assert renderer.render({"contact": {"name": "Ada"}}).html == "Ada" * 1000


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{{ contact.born | date: "%d.%m.%Y" }}', "09.12.1906"),
        ('{{ contact.born | date: "%999999999d" }}', "1906-12-09"),
        ("{{ contact.owed | round: 2 }}", "12.35"),
        ("{{ contact.name | round: 2 }}", "ada lovelace"),
        ("{{ contact.name | capitalize }}", "Ada lovelace"),
        ("{{ contact.name | truncate: 6 }}", "ada..."),
        ("{{ contact.name | url_encode }}", "ada+lovelace"),
        ("{{ contact.site | safe_link }}", "#"),
        ("{{ contact.domain | safe_link }}", "https://example.com/a"),
    ],
)
def test_filters(source: str, expected: str) -> None:
    contact = {
        "born": dt.date(1906, 12, 9),
        "owed": 12.345678,
        "name": "ada lovelace",
        "site": "javascript:alert(1)",
        "domain": "example.com/a",
    }
    assert text(source, contact) == expected


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_safe_link_never_runs_anything(value: str) -> None:
    url = safe_link(value).lower()
    assert url == "#" or url.startswith(("https://", "http://", "mailto:", "tel:"))


def test_uses_are_found_with_their_place() -> None:
    source = "{% if contact.vip %}{{ contact.company.name | default: sender.name | upcase }}{% endif %}"

    uses = language.inspect(language.parse(source, escape=False))

    assert [(str(used), source[used.offset :].startswith(used.parts[0])) for used in uses.variables] == [
        ("contact.vip", True),
        ("contact.company.name", True),
        ("sender.name", True),
    ]
    assert [used.may_be_empty for used in uses.variables] == [True, True, True]
    assert [name for name, _offset in uses.filters] == ["default", "upcase"]


def test_content_survives_json() -> None:
    content = CompiledContent("s {{ a }}", "<p>é</p>", "t", ("https://a.example/?x=1&y=2",), ("demo",))

    assert CompiledContent.from_json(content.to_json()) == content
