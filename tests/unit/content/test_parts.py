"""The short ways of filling in a part give the same as the merge language itself."""

from __future__ import annotations

import quopri
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.content import language
from massmail_plugin.content.parts import Filled, Part

_SOURCES = [
    "{{ contact.first_name }}",
    "a {{ contact.first_name }}{{ contact.last_name }} b",
    '{{ contact.first_name | default: "there" }}',
    '{{ contact.first_name | default: fallback: "there" }}',
    "{{ contact.company.name | default: contact.first_name | upcase }}",
    "{{ contact.website | safe_link }}",
    "{{ contact.first_name.size }} {{ contact.tags.first }} {{ contact.tags[1] }} {{ contact.tags[9] }}",
    "{{ contact.first_name[0] }}",
    '{{ contact["first_name"] }}',
    "{{ contact.company }}",
    "{{ contact }}",
    "{{ nothing.at.all }}",
    "{{ 5 }}{{ 'text' }}{{ true }}{{ contact.is_vip }}",
    "{{ contact.first_name | truncate: 5 }}",
    "{% if contact.first_name %}<b>{{ contact.first_name }}</b>{% else %}none{% endif %}",
    "{% comment %}not for mails{% endcomment %}\nend\n",
]
_texts = st.text(
    st.one_of(
        st.sampled_from("<>&\"'= .\n\té"), st.characters(exclude_categories=["Cs"], exclude_characters="\r")
    ),
    max_size=30,
)
_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), _texts.map(lambda text: text.replace("\r", ""))
)
_contacts = st.fixed_dictionaries(
    {},
    optional={
        "first_name": _values,
        "last_name": _values,
        "website": _values,
        "company": st.one_of(_values, st.fixed_dictionaries({}, optional={"name": _values})),
        "tags": st.lists(_values, max_size=3),
        "is_vip": _values,
    },
)


def _fill(source: str, contact: Any, *, escape: bool) -> Filled:
    part = Part(source, escape=escape)
    return part.fill(part.context({"contact": contact}))


@settings(deadline=None, max_examples=400)
@given(source=st.sampled_from(_SOURCES), escape=st.booleans(), contact=_contacts)
def test_a_part_says_what_the_library_says(source: str, escape: bool, contact: Any) -> None:
    assert str(_fill(source, contact, escape=escape)) == language.parse(source, escape=escape).render(
        contact=contact
    )


@settings(deadline=None)
@given(source=st.sampled_from(_SOURCES), contact=_contacts)
def test_encoded_or_not_it_is_the_same_text(source: str, contact: Any) -> None:
    filled = _fill(source, contact, escape=False)

    assert quopri.decodestring(filled.encoded()).replace(b"\r\n", b"\n").decode() == str(filled)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_end_is_one_line_end(end: str) -> None:
    filled = _fill("one" + end + "{{ contact.text }}" + end, {"text": f"two{end}{end}three"}, escape=False)

    assert str(filled) == "one\ntwo\n\nthree\n"
    assert filled.encoded() == b"one\r\ntwo\r\n\r\nthree=\r\n\r\n"
