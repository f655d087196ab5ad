"""Which mailings the form of a campaign offers for leaving out whoever got them."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from massmail_plugin.mailings.models import Campaign, Mailing
from tests.builders import a_campaign, a_mailing
from tests.integration.admin.conftest import Counting
from tests.integration.admin.test_departments import name_departments

pytestmark = pytest.mark.django_db

FIND = "massmail_campaigns:find_mailings"
#: More than a form shows at once.
MANY = 130


@pytest.fixture
def old():
    """The oldest of many mailings."""
    return a_mailing(name="Winter news", campaign=a_campaign(name="Northern bikes"))


@pytest.fixture
def many(old):
    Mailing.objects.bulk_create(
        Mailing(name=f"Mailing no. {number}", campaign=old.campaign, template=old.template)
        for number in range(MANY)
    )
    return old


def shown(page, *, ticked=False):
    """Return the mailings that have a box."""
    html = page.content.decode()
    mark = r"[^>]*\bchecked\b" if ticked else ""
    boxes = re.findall(rf'<input type="checkbox"(?: name="excluded_mailings")? value="(\d+)"{mark}', html)
    return {int(value) for value in boxes}


def form(*mailings, **changes):
    return {
        "name": "Spring",
        "kind": "newsletter",
        "excluded_mailings": [each.pk for each in mailings],
        "tracking_urls-TOTAL_FORMS": 0,
        "tracking_urls-INITIAL_FORMS": 0,
        **changes,
    }


def found(client, text):
    labels = re.findall(
        r"<input[^>]*>\s*([^<]*)</label>", client.get(reverse(FIND), {"q": text}).content.decode()
    )
    return [unescape(label).strip() for label in labels]


def test_the_form_shows_the_newest_and_those_that_are_chosen(editor, many):
    campaign = a_campaign()
    campaign.excluded_mailings.set([many])
    campaign.save()
    page = editor.get(reverse("massmail_campaigns:edit", args=[campaign.pk]))
    newest = set(Mailing.objects.order_by("-pk").values_list("pk", flat=True)[:100])
    assert shown(page) == newest | {many.pk}
    assert shown(page, ticked=True) == {many.pk}


def test_an_old_mailing_can_be_chosen_and_stays_ticked_when_the_form_comes_back(editor, many):
    page = editor.post(reverse("massmail_campaigns:add"), form(many, name=""))
    assert shown(page, ticked=True) == {many.pk}
    editor.post(reverse("massmail_campaigns:add"), form(many))
    assert list(Campaign.objects.get(name="Spring").excluded_mailings.all()) == [many]


@pytest.mark.parametrize("text", ["winter", "NEWS winter", "winter bikes", "northern win", "winter\x00"])
def test_all_words_are_looked_for_in_mailing_and_campaign(editor, many, text):
    assert found(editor, text) == ["Winter news (Northern bikes)"]


def test_a_search_gives_no_more_than_people_read_and_nothing_for_what_is_not_there(editor, many):
    assert found(editor, "no such mailing") == []
    assert len(found(editor, "mailing")) == 50


def test_names_are_only_text(editor):
    a_mailing(name="<b>Sale</b> & more")
    html = editor.get(reverse(FIND), {"q": "sale"}).content.decode()
    assert "&lt;b&gt;Sale&lt;/b&gt; &amp; more" in html
    assert "<b>" not in html


def test_mailings_of_other_departments_are_neither_found_nor_taken(editor, old):
    support = Group.objects.get(name="Support")
    name_departments(support)
    Campaign.objects.filter(pk=old.campaign.pk).update(department=support)
    assert found(editor, "winter") == []
    page = editor.post(reverse("massmail_campaigns:add"), form(old))
    assert "excluded_mailings" in page.context["form"].errors


def test_more_mailings_need_no_more_queries(editor, old):
    queries = Counting(editor)
    few = queries(reverse("massmail_campaigns:add"))
    Mailing.objects.bulk_create(
        Mailing(name=f"Mailing {number}", campaign=old.campaign, template=old.template)
        for number in range(MANY)
    )
    assert queries(reverse("massmail_campaigns:add")) == few
