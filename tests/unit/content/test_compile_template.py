"""From blocks to a mail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massmail_plugin.content.compiled import LINK_LIMIT
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.content.problems import ContentError, Problem
from tests.unit.content.drafts import (
    BARE,
    Block,
    button,
    compiled,
    draft,
    heading,
    raw,
    raw_text,
    rendered,
    text,
)
from tests.unit.content.reading import document, links, readable

OPT_OUT = CompileOptions(postal_address="1 Quay Street\nDublin")


def problems(*blocks: Block, **fields: Any) -> list[Problem]:
    with pytest.raises(ContentError) as caught:
        compile_template(draft(*blocks, **fields), BARE)
    return caught.value.problems


class TestPlaceholders:
    def test_they_survive_every_kind_of_block(self) -> None:
        source = '{{ contact.first_name | default: "you & me" }}'
        in_rich_text = source.replace('"', "&quot;").replace("&", "&amp;").replace("&amp;quot;", "&quot;")
        blocks = [
            heading(f"Hello {source}"),
            text(f"<p>Dear <b>{in_rich_text}</b></p>"),
            button(source, "https://example.com/"),
            ("columns", {"columns": [[{"type": "text", "value": text(f"<p>{in_rich_text}</p>")[1]}], []]}),
            raw_text(f'<b title="{source}">{source}</b>'),
        ]

        nobody = rendered(*blocks, variables={"contact": {}})
        ada = rendered(*blocks, variables={"contact": {"first_name": "Ada <3"}})

        assert readable(nobody.html).count("you & me") == 5
        assert readable(ada.html).count("Ada <3") == 5
        assert document(ada.html).xpath("//b[@title='Ada <3']")
        assert ada.text.count("Ada <3") == 5

    def test_subject_and_preview_line_are_merged_too(self) -> None:
        mail = rendered(
            heading("Hi"),
            subject="Hi {{ contact.name }}",
            preheader="For {{ contact.name }}",
            variables={"contact": {"name": "A & B"}},
        )

        assert mail.subject == "Hi A & B"
        assert "For A &amp; B" in mail.html
        assert "For A & B" not in readable(mail.html)

    def test_braces_that_are_no_placeholders_are_shown(self) -> None:
        mail = rendered(heading("a { b } c }} d"), raw_text("{ x }"), variables={})

        assert "a { b } c }} d" in readable(mail.html)

    def test_a_text_may_not_end_in_another_block_what_it_began(self) -> None:
        found = problems(heading("{% if contact.vip %}"), heading("{% endif %}"))

        assert [problem.where for problem in found] == ["Block 1: Heading", "Block 2: Heading"]


class TestMistakes:
    def test_they_name_block_line_column_and_excerpt(self) -> None:
        source = "<mj-section>\r\n  <mj-column>\r\n    <mj-text>Hello <b>Ada</mj-text>\r\n  </mj-column></mj-section>"

        (found,) = problems(heading("Hi"), text("<p>x</p>"), raw(source))

        assert found.where == "Block 3: Raw MJML"
        assert (found.line, found.column) == (3, 26)
        assert found.excerpt == "<mj-text>Hello <b>Ada</mj-text>"
        assert "</b>" in found.message

    def test_all_are_told_at_once(self) -> None:
        found = problems(
            heading("{{ a | shout }}"), text("<p>{% for a in b %}</p>"), raw("words"), subject="{{ x"
        )

        assert [problem.where for problem in found] == [
            "Subject",
            "Block 1: Heading",
            "Block 2: Text",
            "Block 3: Raw MJML",
        ]

    def test_a_paragraph_counts_as_a_line(self) -> None:
        (found,) = problems(text("<p>one</p><ul><li>two</li><li>three {{ a | shout }}</li></ul>"))

        assert (found.line, found.column) == (3, 14)

    def test_blocks_in_columns_are_found(self) -> None:
        column = [{"type": "heading", "value": heading("{{ a")[1]}]

        (found,) = problems(("columns", {"columns": [[], column]}))

        assert found.where == "Block 1: Columns, column 2: Heading"

    def test_an_enormous_mail_is_refused(self) -> None:
        (found,) = problems(*[raw_text("x" * 190_000)] * 6)

        assert "too long" in found.message


@pytest.mark.parametrize(
    "source",
    [
        "{{ settings | debug }}",
        "{% include 'x' %}",
        "{% load static %}",
        "{% csrf_token %}",
        "{{ contact.x.y()}}",
    ],
)
def test_no_django_template_is_ever_rendered(source: str) -> None:
    assert problems(heading(source))


def test_django_comments_and_variables_are_only_text() -> None:
    assert "{# note #}" in readable(compiled(heading("{# note #}")).html)


class TestHostileValues:
    @settings(deadline=None)
    @given(st.text(max_size=80))
    def test_no_value_can_leave_its_place(self, value: str) -> None:
        blocks = [
            heading("{{ contact.x }}"),
            raw_text('<a href="{{ contact.x }}" title="{{ contact.x }}">a</a>'),
            raw_text('<a href="https://e.example/{{ contact.x }}">b</a>'),
        ]
        hostile = document(rendered(*blocks, variables={"contact": {"x": value}}).html)
        harmless = document(rendered(*blocks, variables={"contact": {"x": "x"}}).html)

        assert [e.tag for e in hostile.iter()] == [e.tag for e in harmless.iter()]
        assert [sorted(e.keys()) for e in hostile.iter()] == [sorted(e.keys()) for e in harmless.iter()]

    @pytest.mark.parametrize(
        "value",
        [
            "javascript:alert(1)",
            "JaVaScRiPt:x",
            " \tjavascript:x",
            "data:text/html,x",
            "//evil.example",
            "x\njavascript:y",
        ],
    )
    @pytest.mark.parametrize(
        "href",
        [
            "{{ contact.x }}",
            " {{ contact.x }}",
            "{{- contact.x -}}",
            '{{ contact.x | default: "https://a.example" }}',
            "{% if contact.y %}https://a.example/{% else %}{{ contact.x }}{% endif %}",
            "{{ contact.y }}{{ contact.x }}",
        ],
    )
    def test_no_value_makes_a_link_run_something(self, value: str, href: str) -> None:
        mail = rendered(raw_text(f"<a href='{href}'>x</a>"), variables={"contact": {"x": value, "y": ""}})

        (link,) = links(mail.html)
        assert link.startswith(("#", "https://", "http://")), link

    @pytest.mark.parametrize(
        "beginning",
        ["java", "h", "ht", "http", "mailto", "{% if contact.y %}{% endif %}", "{% if 1 %}x{% endif %}"],
    )
    def test_a_value_cannot_complete_a_scheme(self, beginning: str) -> None:
        mail = rendered(
            raw_text(f"<a href='{beginning}{{{{ contact.x }}}}://a'>x</a>"), variables={"contact": {"x": "x"}}
        )

        assert links(mail.html) == ["#"]

    def test_a_condition_may_choose_between_whole_links(self) -> None:
        block = raw_text(
            "<a href='{% if contact.vip %}https://a.example/{% else %}https://b.example/{% endif %}'>x</a>"
        )

        assert links(rendered(block, variables={"contact": {"vip": True}}).html) == ["https://a.example/"]
        assert links(rendered(block, variables={"contact": {}}).html) == ["https://b.example/"]

    def test_a_bare_domain_becomes_a_link(self) -> None:
        mail = rendered(
            button("Site", "{{ contact.site }}"), variables={"contact": {"site": "example.com/a"}}
        )

        assert links(mail.html) == ["https://example.com/a"]

    @pytest.mark.parametrize("href", ["javascript:x", "java&#10;script:x", "&#106;avascript:x"])
    def test_no_editor_can_write_a_link_that_runs_something(self, href: str) -> None:
        assert links(compiled(text(f'<p><a href="{href}">x</a></p>')).html) == ["#"]


class TestOptOut:
    def test_a_mail_without_link_gets_one_in_both_parts(self) -> None:
        variables = {
            "unsubscribe_url": "https://u.example/?a=1&b=2",
            "preferences_url": "https://p.example/?a=1&b=2",
        }
        mail = rendered(heading("Hi"), options=OPT_OUT, variables=variables)

        assert links(mail.html) == ["https://u.example/?a=1&b=2", "https://p.example/?a=1&b=2"]
        leave, choose = (mail.text.index(url) for url in variables.values())
        assert leave < choose
        assert "1 Quay Street" in readable(mail.html)
        assert "1 Quay Street\nDublin" in mail.text

    @pytest.mark.parametrize(
        "block",
        [
            text('<p><a href="#unsubscribe_url">Leave</a></p>'),
            button("Leave", "{{ unsubscribe_url }}"),
            raw_text('<a href="{{ unsubscribe_url }}">Leave</a>'),
        ],
    )
    def test_a_mail_with_link_keeps_its_own(self, block: Block) -> None:
        mail = rendered(block, options=OPT_OUT, variables={"unsubscribe_url": "https://u.example/"})

        assert links(mail.html) == ["https://u.example/"]
        assert mail.text.count("https://u.example/") == 1
        assert "1 Quay Street" in readable(mail.html)

    def test_a_text_part_of_its_own_gets_the_link_too(self) -> None:
        mail = rendered(
            button("Leave", "{{ unsubscribe_url }}"),
            options=OPT_OUT,
            variables={"unsubscribe_url": "https://u.example/"},
            text="Plain words",
        )

        assert mail.text.startswith("Plain words\n")
        assert "https://u.example/" in mail.text

    def test_a_link_to_the_preference_page_that_is_there_already_is_not_repeated(self) -> None:
        variables = {"unsubscribe_url": "https://u.example/", "preferences_url": "https://p.example/"}
        mail = rendered(
            button("Choose", "{{ preferences_url }}"),
            options=OPT_OUT,
            variables=variables,
            text="Plain words",
        )

        assert links(mail.html) == ["https://p.example/", "https://u.example/"]
        assert mail.text.endswith(
            "Unsubscribe: https://u.example/\nChoose which mails you get: https://p.example/\n"
        )

    def test_it_can_be_switched_off(self) -> None:
        assert "unsubscribe_url" not in json.dumps(compiled(heading("Hi")).to_json())


class TestTracking:
    def test_plain_web_links_are_numbered_once_each(self) -> None:
        content = compiled(
            button("One", "https://a.example/?x=1&y=2"),
            text(
                '<p><a href="https://a.example/?x=1&amp;y=2">one</a> <a href="http://b.example/">two</a></p>'
            ),
            options=CompileOptions(track_clicks=True),
        )

        assert content.links == ("https://a.example/?x=1&y=2", "http://b.example/")
        assert links(content.html) == [
            "{{ links[0] }}",
            "{{ links[0] }}",
            "{{ links[1] }}",
            "{{ unsubscribe_url }}",
            "{{ preferences_url }}",
        ]
        assert "https://a.example/?x=1&y=2" in content.text

    @pytest.mark.parametrize(
        "block",
        [
            button("Me", "https://a.example/{{ contact.id }}"),
            button("Mail", "mailto:sales@example.com"),
            button("Demo", "{{ tracking.demo }}"),
            text('<p><a href="https://a.example/">https://a.example/</a></p>'),
            text('<p><a href="https://a.example/">www.a.example</a></p>'),
            text('<p><a href="https://a.example/">a.example/news</a></p>'),
        ],
    )
    def test_personal_links_and_links_that_show_their_address_stay(self, block: Block) -> None:
        assert compiled(block, options=CompileOptions(track_clicks=True)).links == ()

    def test_a_link_too_long_to_be_stored_stays_as_it_is(self) -> None:
        url = "https://a.example/" + "x" * LINK_LIMIT
        content = compiled(button("One", url), options=CompileOptions(track_clicks=True))

        assert content.links == ()
        assert url in content.html

    def test_the_pixel_is_the_last_thing_in_the_mail(self) -> None:
        mail = rendered(
            heading("Hi"),
            options=CompileOptions(track_opens=True),
            variables={"open_url": "https://o.example/1.gif"},
        )

        (image,) = document(mail.html).iter("img")
        assert image.get("src") == "https://o.example/1.gif"
        assert image.get("alt") == ""
        assert image.getnext() is None
        assert image.getparent().tag == "body"

    def test_nothing_is_counted_unless_asked_for(self) -> None:
        content = compiled(button("One", "https://a.example/"))

        assert content.links == ()
        assert "open_url" not in content.html

    def test_named_tracking_urls_are_reported(self) -> None:
        content = compiled(
            button("Demo", "{{ tracking.demo }}"),
            text('<p><a href="#tracking.price-list">x</a></p>'),
            subject="{{ tracking.demo }}",
        )

        assert content.tracking_slugs == ("demo", "price-list")


class TestAccessibleHtml:
    def test_language_title_and_roles(self) -> None:
        page = document(compiled(heading("Hi"), text("<p>x</p>")).html)

        assert page.get("lang") == "en"
        assert page.findtext("head/title") == "News"
        assert page.xpath("//meta[@name='color-scheme']/@content") == ["light dark"]
        assert {table.get("role") for table in page.iter("table")} == {"presentation"}

    def test_every_image_has_a_text(self) -> None:
        page = document(compiled(raw_text('<img src="https://a.example/a.png">')).html)

        assert [image.get("alt") for image in page.iter("img")] == [""]

    def test_relative_links_and_images_become_absolute(self) -> None:
        block = raw_text(
            '<img src="/media/a.png" alt="A"> <a href="/news/">News</a> <img src="//cdn.example/b.png" alt="B">'
        )
        page = document(compiled(block, options=CompileOptions(False, base_url="https://crm.example/")).html)

        assert [image.get("src") for image in page.iter("img")] == [
            "https://crm.example/media/a.png",
            "https://cdn.example/b.png",
        ]
        assert [link.get("href") for link in page.iter("a")] == ["https://crm.example/news/"]

    def test_a_word_processors_control_characters_do_no_harm(self) -> None:
        assert "one two" in readable(compiled(heading("one\x0btwo"), text("<p>]]&gt; a]]></p>")).html)


class TestTextPart:
    def test_it_reads_like_the_mail(self) -> None:
        content = compiled(
            heading("Spring news"),
            text("<p>Dear <b>all</b>,</p><ul><li>one</li><li>two</li></ul>"),
            text('<p><a href="https://a.example/">Read on</a></p>'),
            button("Order", "https://b.example/?a=1&b=2"),
            ("divider", None),
            ("spacer", {"height": "24"}),
        )

        lines = [line for line in content.text.splitlines() if line]
        assert lines == [
            "Spring news",
            "Dear all,",
            "* one",
            "* two",
            "Read on (https://a.example/)",
            "Order (https://b.example/?a=1&b=2)",
        ]

    def test_an_address_that_shows_itself_is_not_repeated(self) -> None:
        content = compiled(text('<p><a href="mailto:ada@a.example">ada@a.example</a></p>'))

        assert content.text.strip() == "ada@a.example"

    def test_the_hidden_preview_line_is_not_in_it(self) -> None:
        assert "What is new" not in compiled(heading("Hi")).text


@pytest.mark.parametrize("tag", ["b", "li"])
def test_rich_text_of_any_depth_is_refused_and_ends_no_process(tag: str) -> None:
    with pytest.raises(ContentError, match="nested too deeply"):
        compiled(text(f"<{tag}>" * 10_000 + "x" + f"</{tag}>" * 10_000))


def test_many_elements_beside_each_other_are_no_depth() -> None:
    mail = compiled(text("<p>a<br/>b</p>" * 400 + '<p><a href="https://a.example/?x=y">d</a></p>' * 400))
    assert readable(mail.html).endswith("d")
