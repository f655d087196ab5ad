"""The preview in the editor's side panel."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from wagtail.test.utils.form_data import nested_form_data, rich_text, streamfield

from massmail_plugin import preferences
from massmail_plugin.content.models import EmailTemplate
from sandbox.crm.massmail import ContactRecipients
from tests.builders import a_contact, a_template, an_editor
from tests.unit.content.reading import document, links, readable

pytestmark = pytest.mark.django_db

VIEWS = "wagtailsnippets_massmail_plugin_emailtemplate"


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(an_editor())
    return client


def preview(editor: Client, template: EmailTemplate, mode: str = "mail", **changes: Any) -> Any:
    """Type ``changes`` into the editor's form, then look at the panel."""
    url = reverse(f"{VIEWS}:preview_on_edit", args=[template.pk])
    body = [(block["type"], block["value"]) for block in changes.pop("body", template.body.get_prep_value())]
    body = [
        (name, {**value, "text": _contentstate(value["text"])} if name == "text" else value)
        for name, value in body
    ]
    fields = {
        "name": template.name,
        "subject": template.subject,
        "preheader": template.preheader,
        "text": template.text,
    }
    answer = editor.post(
        url, nested_form_data({**fields, "preview_as": "", **changes, "body": streamfield(body)})
    )
    assert answer.json() == {"is_valid": True, "is_available": True}
    return editor.get(url, {"mode": mode, "in_preview_panel": "true"})


def _contentstate(html: str) -> str:
    return rich_text(html, features=["bold", "italic", "link", "ol", "ul"])


def raw(source: str) -> list[dict[str, Any]]:
    return [{"type": "raw_mjml", "value": {"source": source}}]


def test_it_shows_the_mail_as_the_first_recipient_with_its_inbox_lines(editor: Client) -> None:
    a_contact("ada@customers.example", first_name="Ada", last_name="Ames")
    template = a_template(
        subject="News for {{ contact.first_name }}", preheader="All about {{ contact.last_name }}"
    )

    words = readable(preview(editor, template).content.decode())

    assert "Edith Editor <editor@sandbox.example>" in words
    assert "News for Ada" in words
    assert "All about Ames" in words
    assert "To: Ada Ames <ada@customers.example>, Contact" in words
    assert "Hello Ada!" in words


def test_the_inbox_lines_of_a_mail_from_right_to_left_keep_their_own_directions(editor: Client) -> None:
    """Otherwise the brackets about the addresses are turned round, and the "To" stands at the end."""
    a_contact("hasan@customers.example", first_name="حسن", last_name="منصور", language="ar")

    page = preview(editor, a_template(subject="{{ contact.first_name }}")).content.decode()

    assert 'class="massmail-inbox" dir="ltr"' in page
    assert "To: <bdi>حسن منصور</bdi> &lt;<bdi>hasan@customers.example</bdi>&gt;" in page
    assert 'class="massmail-inbox__subject" dir="auto"' in page


def test_it_can_be_shown_as_anybody(editor: Client) -> None:
    a_contact(first_name="Ada")
    a_contact("grace@customers.example", first_name="Grace")

    for query in ("grace@customers", "GRACE"):
        assert "Hello Grace!" in readable(preview(editor, a_template(), preview_as=query).content.decode())


def test_a_name_that_nobody_has_is_said(editor: Client) -> None:
    a_contact(first_name="Ada")

    words = readable(preview(editor, a_template(), preview_as="Zebulon").content.decode())

    assert "Nobody found for “Zebulon”." in words
    assert "Hello Ada!" in words


def test_samples_of_every_type_and_one_without_first_name_are_offered(editor: Client) -> None:
    a_contact(first_name="Ada", last_name="Ames")
    a_contact(first_name="", last_name="Nix")
    template = a_template('<p>Hello {{ contact.first_name | default: "you" }}!</p>')
    modes = {str(label): mode for mode, label in template.preview_modes}

    assert {"Mail", "Mail in dark mode", "Text part", "Mail as: Contact"} <= modes.keys()
    assert "Hello Ada!" in readable(preview(editor, template, modes["Mail as: Contact"]).content.decode())
    nameless = modes["Mail as: Contact without first name"]
    assert "Hello you!" in readable(preview(editor, template, nameless).content.decode())


def test_nobody_is_shown_to_those_who_may_not_see_them(editor: Client) -> None:
    """The right to write mails is no right to look up the CRM's people."""
    a_contact("ada@customers.example", first_name="Ada", last_name="Ames")
    template = a_template()
    Permission.objects.filter(content_type__app_label="crm").delete()

    for mode, query in (
        ("mail", ""),
        ("mail", "ada"),
        ("as:crm.contact", ""),
        ("as:crm.contact:nameless", ""),
    ):
        page = preview(editor, template, mode, preview_as=query).content.decode()
        assert "Ada" not in page
        assert "ada@customers.example" not in page


def test_only_the_records_that_a_host_lets_somebody_choose_are_shown(
    editor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_contact("ada@customers.example", first_name="Ada")
    a_contact("grace@customers.example", first_name="Grace")
    monkeypatch.setattr(
        ContactRecipients, "choosable_by", lambda self, user: self.get_queryset().filter(first_name="Grace")
    )

    assert "Hello Grace!" in readable(preview(editor, a_template()).content.decode())
    assert "Ada" not in preview(editor, a_template(), preview_as="ada@customers").content.decode()


@pytest.mark.parametrize(
    "mode", ["as:crm.contact:999999", "as:crm.contact:x", "as:auth.permission", "as:", "nonsense"]
)
def test_an_unknown_mode_falls_back(editor: Client, mode: str) -> None:
    a_contact(first_name="Ada")

    assert "Hello Ada!" in readable(preview(editor, a_template(), mode).content.decode())


def test_without_any_recipient_it_still_shows_the_mail(editor: Client) -> None:
    get_user_model().objects.update(email="")

    words = readable(
        preview(
            editor, a_template('<p>Hello {{ contact.first_name | default: "you" }}!</p>')
        ).content.decode()
    )

    assert "There is nobody to show this mail as yet." in words
    assert "Hello you!" in words


def test_the_text_part_is_shown_as_text(editor: Client) -> None:
    a_contact(first_name="<i>Ada</i>")

    page = document(preview(editor, a_template(), "text").content.decode())

    assert "Hello <i>Ada</i>!" in page.findtext(".//pre")


def test_the_dark_mail_does_not_depend_on_the_editors_own_theme(editor: Client) -> None:
    template = a_template()

    assert "@media all" in preview(editor, template, "dark").content.decode()
    light = preview(editor, template, "mail").content.decode()
    assert "prefers-color-scheme" not in light
    assert "@media all" not in light


def test_mistakes_are_a_page_that_says_where(editor: Client) -> None:
    broken = "<mj-section>\n  <mj-column>\n    <mj-text>Hello <b>Ada</mj-text>\n</mj-column></mj-section>"

    response = preview(editor, a_template(), body=raw(broken))

    words = " ".join(document(response.content.decode()).text_content().split())
    assert response.status_code == 200
    assert "This mail cannot be shown yet" in words
    assert "Block 1: Raw MJML, line 3, column 26" in words
    assert "</mj-text> stands where </b> was expected." in words
    assert "<mj-text>Hello <b>Ada</mj-text>" in words


@pytest.mark.parametrize("mode", ["mail", "text", "dark"])
@pytest.mark.parametrize("subject", ["fine", "{{ broken"])
def test_every_answer_forbids_scripts(editor: Client, mode: str, subject: str) -> None:
    policy = preview(editor, a_template(), mode, subject=subject).headers["Content-Security-Policy"]

    assert policy.startswith("sandbox allow-same-origin;")
    assert "script-src 'none'" in policy
    assert "allow-scripts" not in policy


def test_hostile_words_stay_words(editor: Client) -> None:
    hostile = "<script>alert(1)</script>"
    a_contact(first_name=hostile)
    template = a_template(subject=f"{hostile} {{{{ contact.first_name }}}}", preheader=hostile)

    page = document(preview(editor, template, preview_as=hostile).content.decode())

    assert not list(page.iter("script"))
    assert page.text_content().count(hostile) >= 4


def test_links_of_the_sending_are_inert_and_nothing_is_counted(editor: Client) -> None:
    chosen = preferences.load()
    chosen.track_clicks = chosen.track_opens = chosen.mandatory_opt_out_link = True
    chosen.save()
    template = a_template('<p><a href="#tracking.demo">Demo</a> <a href="https://a.example/">A</a></p>')

    markup = preview(editor, template).content.decode()

    assert links(markup) == ["#demo", "https://a.example/", "#unsubscribe", "#preferences"]
    assert not list(document(markup).iter("img"))


def test_a_new_template_can_be_previewed_before_it_is_saved(editor: Client) -> None:
    a_contact(first_name="Ada")
    url = reverse(f"{VIEWS}:preview_on_add")
    heading = "heading", {"text": "Hello {{ contact.first_name }}", "level": "1", "alignment": "left"}
    form = {
        "name": "New",
        "subject": "",
        "preheader": "",
        "text": "",
        "preview_as": "",
        "body": streamfield([heading]),
    }

    answer = editor.post(url, nested_form_data(form))

    assert answer.json()["is_valid"] is True
    words = readable(editor.get(url).content.decode())
    assert "(no subject)" in words
    assert "Hello Ada" in words


def test_each_block_shows_an_example_in_the_block_picker(editor: Client) -> None:
    blocks = EmailTemplate._meta.get_field("body").stream_block.child_blocks

    shown = {
        name: editor.get(reverse("wagtailadmin_block_preview"), {"id": block.definition_prefix})
        for name, block in blocks.items()
        if block.is_previewable
    }

    assert {"heading", "text", "button", "columns", "raw_mjml"} <= shown.keys()
    assert all(response.status_code == 200 for response in shown.values())
    assert "Book a demo" in readable(shown["button"].content.decode())


def test_a_name_that_no_recipient_has_is_said_above_the_mail(editor: Client) -> None:
    a_contact(first_name="Ada")
    template = a_template(subject="{{ contact.firstname }}, hello")

    words = readable(preview(editor, template).content.decode())

    assert "There is no field “contact.firstname”. Did you mean “contact.first_name”?" in words
    assert "Hello Ada!" in words


def test_a_tracking_url_is_not_judged_without_its_campaign(editor: Client) -> None:
    template = a_template('<p><a href="https://x.example/">{{ tracking.offer }}</a></p>')

    assert "tracking URL" not in readable(preview(editor, template).content.decode())
