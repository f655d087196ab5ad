"""Templates in Wagtail's editor, as a limited editor uses it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.test.utils.form_data import nested_form_data, rich_text, streamfield

from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.content.models import EmailTemplate
from tests.builders import a_template, an_administrator, an_editor

pytestmark = pytest.mark.django_db

VIEWS = "wagtailsnippets_massmail_plugin_emailtemplate"


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(an_editor())
    return client


def address(view: str, *args: Any) -> str:
    return reverse(f"{VIEWS}:{view}", args=args)


def form(*blocks: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    """Return what the editor's browser posts."""
    data = {"name": "News", "subject": "Hello", "preheader": "", "text": "", "preview_as": "", **fields}
    return nested_form_data({**data, "body": streamfield(blocks)})


def text_block(html: str) -> tuple[str, Any]:
    return "text", {
        "text": rich_text(html, features=["bold", "italic", "link", "ol", "ul"]),
        "alignment": "left",
    }


def test_an_editor_creates_a_draft_and_owns_it(editor: Client) -> None:
    response = editor.post(address("add"), form(text_block("<p>Dear {{ contact.first_name }}</p>")))

    template = EmailTemplate.objects.get()
    assert response.status_code == 302
    assert template.owner == an_editor()
    assert not template.live
    assert template.locale.language_code == "en"


def test_publishing_makes_it_live(editor: Client) -> None:
    editor.post(address("add"), {**form(text_block("<p>Hi</p>")), "action-publish": "1"})

    assert EmailTemplate.objects.get().live


def test_a_draft_saved_by_itself_leaves_the_live_template_alone(editor: Client) -> None:
    template = a_template("<p>Published words</p>", subject="Published")
    changed = form(text_block("<p>Half a sent</p>"), name=template.name, subject="Half a subj")

    # What autosave sends: a plain save that wants JSON back.
    response = editor.post(address("edit", template.pk), changed, headers={"Accept": "application/json"})

    template.refresh_from_db()
    draft = template.get_latest_revision_as_object()
    assert response.json()["success"] is True
    assert (template.subject, draft.subject) == ("Published", "Half a subj")
    assert "Published words" in str(template.body[0].value["text"].source)
    assert "Half a sent" in str(draft.body[0].value["text"].source)


def test_an_unfinished_draft_can_be_saved_with_a_name_only(editor: Client) -> None:
    assert editor.post(address("add"), form(name="Later", subject="")).status_code == 302
    assert editor.post(address("add"), form(name="", subject="x")).status_code == 200
    assert [template.name for template in EmailTemplate.objects.all()] == ["Later"]


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "example.com", "{{ a }}{{ b }}"])
def test_links_that_lead_nowhere_good_are_refused(editor: Client, link: str) -> None:
    button = "button", {"label": "Go", "link": link, "alignment": "left"}

    response = editor.post(address("add"), {**form(button), "action-publish": "1"})

    assert response.status_code == 200
    assert "https://" in response.content.decode()
    assert not EmailTemplate.objects.exists()


def test_placeholders_are_links(editor: Client) -> None:
    button = "button", {"label": "Leave", "link": "{{ unsubscribe_url }}", "alignment": "left"}

    editor.post(address("add"), {**form(button), "action-publish": "1"})

    assert EmailTemplate.objects.get().body[0].value["link"] == "{{ unsubscribe_url }}"


def test_the_rich_text_editor_keeps_placeholders(editor: Client) -> None:
    source = '{{ contact.first_name | default: "there" }} & {% if contact.city %}x{% endif %}'
    escaped = source.replace("&", "&amp;")

    editor.post(address("add"), form(text_block(f"<p>{escaped} <b>bold</b></p>")))

    content = compile_template(EmailTemplate.objects.get().get_latest_revision_as_object(), CompileOptions())
    assert source.replace("&", "&amp;") in content.html
    assert source in content.text


def test_the_listing_finds_templates(editor: Client) -> None:
    a_template(name="Spring", subject="Flowers")
    a_template(name="Autumn", subject="Leaves")

    found = editor.get(address("list"), {"q": "flowers"}).content.decode()

    assert "Spring" in found
    assert "Autumn" not in found


def test_a_copy_is_a_draft_of_whoever_copies(editor: Client) -> None:
    template = a_template("<p>Words to keep</p>", name="Spring", owner=an_administrator())

    page = editor.get(address("copy", template.pk))
    assert "Words to keep" in page.content.decode()
    editor.post(page.context["action_url"], form(text_block("<p>Words to keep</p>"), name="Spring again"))

    copy = EmailTemplate.objects.get(name="Spring again")
    assert (copy.owner, copy.live) == (an_editor(), False)


def test_nothing_can_be_written_over_the_original_by_copying(editor: Client) -> None:
    template = a_template(name="Spring")

    response = editor.post(address("copy", template.pk), form(text_block("<p>x</p>"), name="Overwritten"))

    assert response.status_code == 405
    assert EmailTemplate.objects.get().name == "Spring"


def test_a_revision_can_be_compared_and_looked_at(editor: Client) -> None:
    template = a_template("<p>One</p>")
    first = template.save_revision()
    template.subject = "Changed"
    second = template.save_revision()

    compare = editor.get(address("revisions_compare", template.pk, first.pk, second.pk))
    look = editor.get(address("revisions_view", template.pk, first.pk))

    assert compare.status_code == 200
    assert "Changed" in compare.content.decode()
    assert "One" in look.content.decode()


def test_the_text_input_has_a_name_for_screen_readers(editor: Client) -> None:
    assert "&quot;ariaLabel&quot;: &quot;Text&quot;" in editor.get(address("add")).content.decode()


def test_publishing_a_template_with_mistakes_says_that_it_cannot_be_sent(editor: Client) -> None:
    url = address("add")
    fields = form(text_block("<p>Hello {{ contact.firstname }}</p>"))

    drafted = editor.post(url, fields, follow=True)
    published = editor.post(url, {**fields, "action-publish": "yes"}, follow=True)

    assert "cannot be sent" not in drafted.content.decode()
    assert "“News” cannot be sent yet" in published.content.decode()
    assert "There is no field “contact.firstname”." in published.content.decode()


def test_publishing_a_good_template_warns_of_nothing(editor: Client) -> None:
    fields = form(text_block("<p>Hello</p>"))

    published = editor.post(address("add"), {**fields, "action-publish": "yes"}, follow=True)

    assert EmailTemplate.objects.get().live
    assert "cannot be sent" not in published.content.decode()
