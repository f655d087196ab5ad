"""A list that a campaign uses cannot vanish under it."""

import pytest
import swapper
from django.test import Client
from django.urls import reverse

from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListPage
from tests.builders import a_campaign, a_target_list, an_administrator

BASE_PAGE = swapper.get_model_name("wagtailcore", "Page").lower().replace(".", "/")

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_administrator())
    return client


def delete(browser: Client, pk: int) -> str:
    """Return the page that a wish to delete ends at."""
    return browser.post(f"/admin/pages/{pk}/delete/", follow=True).content.decode()


def test_an_unused_list_can_be_deleted(browser: Client) -> None:
    delete(browser, a_target_list(title="Old").pk)
    assert not TargetListPage.objects.exists()


def test_a_list_that_a_campaign_mails_is_kept(browser: Client) -> None:
    used = a_target_list(title="Customers")
    campaign = a_campaign(used, name="Spring")
    for page in (delete(browser, used.pk), browser.get(f"/admin/pages/{used.pk}/delete/").content.decode()):
        assert "“Customers” is kept, because campaigns use it:" in page
        assert f'<a href="{reverse("massmail_campaigns:inspect", args=[campaign.pk])}">Spring</a>' in page
        assert "Yes, delete" not in page
    assert TargetListPage.objects.get() == used


def test_a_list_that_a_campaign_excludes_is_kept(browser: Client) -> None:
    excluded = a_target_list(title="Never")
    a_campaign(a_target_list(), excluding=[excluded], name="Spring")
    assert "“Never” is kept" in delete(browser, excluded.pk)
    assert TargetListPage.objects.filter(pk=excluded.pk).exists()


def test_their_folder_is_kept_with_them(browser: Client) -> None:
    a_campaign(a_target_list(title="Customers"))
    assert "“Customers” is kept" in delete(browser, get_index_page().pk)
    assert TargetListPage.objects.exists()


def test_several_at_once_are_kept_too(browser: Client) -> None:
    used, unused = a_target_list(title="Customers"), a_target_list(title="Old")
    a_campaign(used)
    url = f"/admin/bulk/{BASE_PAGE}/delete/?id={used.pk}&id={unused.pk}&next=/admin/"
    # At once, and not after "Are you sure?".
    for ask in (browser.get, browser.post):
        assert "“Customers” is kept" in ask(url).content.decode()
    assert TargetListPage.objects.count() == 2
    unasked = f"/admin/bulk/{BASE_PAGE}/delete/?id={unused.pk}&next=/admin/"
    assert "Are you sure" in browser.get(unasked).content.decode()
