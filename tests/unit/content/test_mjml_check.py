"""Mistakes in MJML written by hand: found before the compiler sees them, each at its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.content.mjml.check import MAX_DEPTH, Checker
from massmail_plugin.content.mjml.compile import to_html
from massmail_plugin.content.mjml.repair import repair
from massmail_plugin.content.placeholders import Placeholders
from massmail_plugin.content.problems import Problem

IN_TEXT = "<mj-section>\n<mj-column>\n<mj-text>{}</mj-text>\n</mj-column>\n</mj-section>"


def problems(source: str) -> list[Problem]:
    placeholders = Placeholders()
    return Checker("Block 1", placeholders.protect(source), placeholders).check()


@pytest.mark.parametrize(
    ("html", "column", "message"),
    [
        ("a < b", 12, "&lt;"),
        ("<b>x", 14, "</mj-text> stands where </b>"),
        ("x</b>", 11, "</b> stands where </mj-text>"),
        ("<p>a<br>b", 19, "</mj-text> stands where </p>"),
        ("<a href=x>y</a>", 17, "quotes"),
        ("<a href='x>y</a>", 17, "quotes"),
        ("<![CDATA[x]]>", 10, "declaration"),
        ("<!DOCTYPE html>", 10, "declaration"),
        ("<script>1</script>", 10, "<script>"),
        ("<form></form>", 10, "<form>"),
        ("<iframe></iframe>", 10, "<iframe>"),
        ('<b onclick="x()">y</b>', 13, "onclick"),
        ('<a href="JavaScript:x()">y</a>', 13, "https"),
        ('<a href="data:text/html,x">y</a>', 13, "https"),
        ('<a href=" java&#x0A;script:x">y</a>', 13, "https"),
        ('<b style="color:{{ contact.x }}">y</b>', 13, "style"),
        ("<b {{ contact.x }}>y</b>", 13, "not here"),
        ("<{{ contact.x }}>", 10, "not here"),
        ("<x{{ contact.x }}>y", 10, "not here"),
        ("<style>a{color:{{ contact.x }}}</style>", 17, "styles"),
        ("<mj-button>x</mj-button>", 10, "may not stand inside <mj-text>"),
        ('<table background="{{ contact.x }}"></table>', 17, "background"),
    ],
)
def test_mistakes_in_a_text(html: str, column: int, message: str) -> None:
    found = problems(IN_TEXT.format(html))[0]

    assert (found.line, found.column) == (3, column), found
    assert message in found.message
    assert html.split("\n")[0][:10] in found.excerpt


@pytest.mark.parametrize(
    ("source", "column", "message"),
    [
        ("<mj-text>x</mj-text>", 1, "inside <mj-column>"),
        ("<mj-column></mj-column>", 1, "inside <mj-section>"),
        ("<MJ-SECTION></MJ-SECTION>", 1, "lower case"),
        ("<mj-secton></mj-secton>", 1, "no MJML element"),
        ("<div></div>", 1, "<mj-text> or <mj-raw>"),
        ("  words", 3, "<mj-text> or <mj-raw>"),
        ("<mjml></mjml>", 1, "inside <mj-body>"),
        ('<mj-include path="/etc/passwd" />', 1, "not available"),
        ("<mj-section>", 1, "never closed"),
        ("</mj-section>", 1, "closes nothing"),
        ("<mj-section", 1, "not closed"),
        ("<!-- never ends", 1, "-->"),
        ("<!-- a -- b -->", 8, "--"),
        ("<!--[if mso]><![endif]-->", 1, "<mj-raw>"),
        ('<mj-section a="1" a="2"></mj-section>', 19, "twice"),
        ('<mj-section @a="1"></mj-section>', 13, "no name"),
        ("<mj-section foo=bar></mj-section>", 16, "quotes"),
    ],
)
def test_mistakes_in_the_structure(source: str, column: int, message: str) -> None:
    found = problems(source)[0]

    assert (found.line, found.column) == (1, column), found
    assert message in found.message


def test_positions_count_in_the_editors_text_behind_placeholders() -> None:
    source = IN_TEXT.format('{{ contact.first_name | default: "a" }} and <i>')

    found = problems(source)[0]

    assert found.line == 3
    assert source.splitlines()[2][found.column - 1 :].startswith("</mj-text>")


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 20_000])
def test_deep_nesting_is_refused_before_it_can_crash_the_compiler(depth: int) -> None:
    found = problems("<mj-raw>" + "<b>" * depth)

    assert "nested" in found[-1].message


@pytest.mark.parametrize("unfinished", ['<a b="', "<a ", "<!--", "<a b='\"", "<"])
def test_a_megabyte_of_unfinished_markup_is_read_once(unfinished: str) -> None:
    assert len(problems(unfinished * (1_000_000 // len(unfinished)))) == 1


_NAMES = [
    "mj-section",
    "mj-column",
    "mj-text",
    "mj-raw",
    "mj-image",
    "mj-table",
    "mj-button",
    "b",
    "p",
    "br",
    "td",
    "MJ-TEXT",
]
_ATTRIBUTES = [
    "",
    ' padding="0 5"',
    " css-class='a\"b'",
    ' href="{{ a }}"',
    " checked",
    ' width="5"',
    " x=y",
    ' alt="<"',
    ' x:y="1"',
    ' @click="1"',
    ' 1="]]>"',
    " a=''",
    ' a="&"',
    ' a="1" a="2"',
]
_pieces = st.one_of(
    st.builds("<{}{}>".format, st.sampled_from(_NAMES), st.sampled_from(_ATTRIBUTES)),
    st.builds("<{}{} />".format, st.sampled_from(_NAMES), st.sampled_from(_ATTRIBUTES)),
    st.builds("</{}>".format, st.sampled_from(_NAMES)),
    st.sampled_from(
        [
            "text",
            "&amp;",
            "&nbsp;",
            "&",
            "<",
            ">",
            "{{ x }}",
            "<!-- c -->",
            "\n",
            "]]>",
            '"',
            "é👋",
            "<!-- a -- b -->",
            "<!---->",
            "<!--[if mso]>",
            "<![endif]-->",
            "<!--[if !mso]><!-->",
            "<!--<![endif]-->",
            "&#0;",
            "\x0b",
        ]
    ),
)


def _tree(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, attributes, inside: f"<{name}{attributes}>{''.join(inside)}</{name}>",
        st.sampled_from(_NAMES),
        st.sampled_from(_ATTRIBUTES),
        st.lists(children, max_size=3),
    )


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.lists(_pieces, max_size=12).map("".join), st.recursive(_pieces, _tree, max_leaves=12)))
def test_what_passes_the_check_compiles(soup: str) -> None:
    for source in (soup, IN_TEXT.format(soup), f"<mj-raw>{soup}</mj-raw>"):
        placeholders = Placeholders()
        protected = placeholders.protect(source)
        if not Checker("", protected, placeholders).check():
            to_html(f"<mjml><mj-body>{repair(protected)}</mj-body></mjml>")
