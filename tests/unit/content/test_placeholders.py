"""Placeholders on their way through markup."""

from __future__ import annotations

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.content.placeholders import Placeholders

SOURCES = [
    '{{ contact.first_name | default: "there" }}',
    "{% if contact.age > 5 %}",
    "{{ a }}",
    "{%- endif -%}",
]
_plain = st.text(alphabet=st.characters(exclude_characters="{}%"), max_size=20)
_mixed = st.lists(st.one_of(_plain, st.sampled_from(SOURCES)), max_size=8).map("".join)


@settings(deadline=None)
@given(_mixed)
def test_plain_text_comes_back_unchanged(text: str) -> None:
    placeholders = Placeholders()

    protected = placeholders.protect(text)

    assert "{{" not in protected
    assert placeholders.unprotect(protected) == text
    assert placeholders.restore(protected) == text


@settings(deadline=None)
@given(_mixed)
def test_escaping_on_the_way_does_not_touch_them(text: str) -> None:
    placeholders = Placeholders()

    escaped = html.escape(placeholders.protect(text))

    for source in SOURCES:
        assert placeholders.restore(escaped).count(source) == text.count(source)


@settings(deadline=None)
@given(_mixed, st.data())
def test_positions_are_those_of_the_editor(text: str, data: st.DataObject) -> None:
    placeholders = Placeholders()
    protected = placeholders.protect(text)
    tokens = placeholders.find(protected)
    outside = [
        n for n in range(len(protected)) if not any(start <= n < end for start, end, _source in tokens)
    ]

    for offset in outside:
        assert text[placeholders.source_offset(protected, offset)] == protected[offset]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("{{ a | default: &quot;b&quot; }}", '{{ a | default: "b" }}'),
        ("{% if a &gt; 5 %}", "{% if a > 5 %}"),
        ("{{ contact.<b>name</b> }}", "{{ contact.name }}"),
        ("<b>Dear {{ contact.</b>name }}", "<b>Dear {{ contact.name }}</b>"),
        ("{{ a</p><p>}}", '{{ "{{" }} a</p><p>}}'),
        ('<a href="#unsubscribe_url">x</a>', '<a href="{{ unsubscribe_url }}">x</a>'),
        ('<a href="#tracking.demo-1">x</a>', '<a href="{{ tracking.demo-1 }}">x</a>'),
        ('<a href="#chapter">x</a>', '<a href="#chapter">x</a>'),
    ],
)
def test_rich_text(markup: str, expected: str) -> None:
    placeholders = Placeholders()

    assert placeholders.restore(placeholders.protect_html(markup)) == expected


@pytest.mark.parametrize("text", ["{{" * 200_000, "{%" * 200_000 + "}}", "{{" * 200_000 + "%}"])
def test_many_open_braces_do_not_take_for_ever(text: str) -> None:
    placeholders = Placeholders()
    assert placeholders.unprotect(placeholders.protect(text)) == text


def test_braces_that_are_no_placeholders_stay_text() -> None:
    placeholders = Placeholders()

    assert placeholders.restore("a {{ b {% c") == 'a {{ "{{" }} b {{ "{%" }} c'
