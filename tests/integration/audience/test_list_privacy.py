"""Target lists are pages, and nothing of a page's public life may show them or their people."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import swapper
from django.core.management import call_command
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path
from wagtail.api.v2.router import WagtailAPIRouter
from wagtail.api.v2.views import PagesAPIViewSet
from wagtail.contrib.sitemaps import Sitemap
from wagtail.models import Site

from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage
from tests.builders import a_contact, a_target_list, a_user

pytestmark = pytest.mark.django_db

Page = swapper.load_model("wagtailcore", "Page")

router = WagtailAPIRouter("wagtailapi")
router.register_endpoint("pages", PagesAPIViewSet)
urlpatterns = [path("api/", router.urls), path("", include("sandbox.urls"))]


@pytest.fixture(params=["beside the site", "inside the site", "as the site's root"])
def people(request: pytest.FixtureRequest, db: None) -> TargetListPage:
    """Return a list with a member, also where a list should never be: inside a site."""
    site = Site.objects.get(is_default_site=True)
    people = a_target_list(
        a_contact("secret.person@example.org", first_name="Zebediah", last_name="Quux"), title="Quuxes of Zyx"
    )
    TargetListPage.objects.filter(pk=people.pk).update(description="Wumpus")
    if request.param == "inside the site":
        get_index_page().move(Page.objects.get(pk=site.root_page_id), pos="last-child")
    if request.param == "as the site's root":
        site.root_page = Page.objects.get(pk=get_index_page().pk)
        site.save()
    people = TargetListPage.objects.get(pk=people.pk)
    assert people.live
    return people


def test_the_site_answers_not_found(client: Client, people: TargetListPage) -> None:
    folder = get_index_page()
    tails = ["/", f"/{folder.slug}/", f"/{folder.slug}/{people.slug}/", f"/{people.slug}/"]

    for tail in tails:
        answer = client.get(tail)
        assert "Zebediah" not in answer.content.decode()
        assert "Quuxes" not in answer.content.decode()
        if people.slug in tail:
            assert answer.status_code == 404


def test_serving_it_by_any_route_is_not_found(rf: RequestFactory, people: TargetListPage) -> None:
    for page in (people, get_index_page()):
        with pytest.raises(Http404):
            page.serve(rf.get("/"))


def test_it_has_no_public_address(rf: RequestFactory, people: TargetListPage) -> None:
    for page in (people, get_index_page()):
        assert page.url is None
        assert page.full_url is None
        assert page.get_url(rf.get("/")) is None


def test_it_is_in_no_sitemap_and_no_menu(rf: RequestFactory, people: TargetListPage) -> None:
    request = rf.get("/sitemap.xml")
    site = SimpleNamespace(domain="testserver")
    urls = [entry["location"] for entry in Sitemap(request).get_urls(site=site, protocol="http")]

    assert not any(people.slug in str(url) for url in urls)
    assert people.get_sitemap_urls(request) == get_index_page().get_sitemap_urls(request) == []
    # A project's own base page need not know menus.
    for page in (people, get_index_page()):
        assert not getattr(page, "show_in_menus", False)


@pytest.mark.parametrize("words", ["Quuxes", "Zebediah", "Quux", "secret.person", "Wumpus", "Target"])
def test_no_search_finds_it_or_its_people(people: TargetListPage, words: str) -> None:
    people.save_revision().publish()
    call_command("update_index", verbosity=0)
    ours = {people.pk, get_index_page().pk}

    for queryset in (Page.objects.live(), TargetListPage.objects.all(), TargetListIndexPage.objects.all()):
        assert not ours & {page.pk for page in queryset.search(words)}
        assert not ours & {page.pk for page in queryset.autocomplete(words)}


@override_settings(ROOT_URLCONF=__name__)
def test_the_public_api_does_not_know_that_it_exists(client: Client, people: TargetListPage) -> None:
    for query in (
        "",
        "?type=massmail_plugin.TargetListPage",
        "?search=Quuxes",
        f"?child_of={get_index_page().pk}",
    ):
        assert "Quuxes" not in client.get(f"/api/pages/{query}").content.decode()
    for page in (people, get_index_page()):
        assert client.get(f"/api/pages/{page.pk}/").status_code == 404
        assert client.get(f"/api/pages/find/?html_path=/{page.slug}/").status_code == 404


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?type=massmail_plugin.TargetListPage",
        "?type=massmail_plugin.TargetListPage&fields=*",
        "?fields=*,members,description",
        "?search=Zebediah",
        "?slug=secret",
    ],
)
def test_the_public_api_does_not_tell_of_people(client: Client, people: TargetListPage, query: str) -> None:
    listing = client.get(f"/api/pages/{query}").content.decode()
    detail = client.get(f"/api/pages/{people.pk}/?fields=*").content.decode()

    for answer in (listing, detail):
        for secret in ("Zebediah", "secret.person", "Wumpus", "object_id", "members"):
            assert secret not in answer.replace("unknown fields: members", "").replace(query, ""), answer


def test_it_cannot_be_previewed(client: Client, people: TargetListPage) -> None:
    client.force_login(a_user("root", is_superuser=True))

    assert not people.is_previewable()
    for url in (f"/admin/pages/{people.pk}/view_draft/", f"/admin/pages/{people.pk}/edit/preview/"):
        assert "Zebediah" not in client.get(url).content.decode()


def test_nobody_can_make_a_second_folder_inside_a_site(client: Client, db: None) -> None:
    folder = get_index_page()
    client.force_login(a_user("root", is_superuser=True))
    root: Any = Site.objects.get(is_default_site=True).root_page
    page = client.get(f"/admin/pages/{root.pk}/add_subpage/")

    assert TargetListIndexPage not in Page.allowed_subpage_models() or not TargetListIndexPage.can_create_at(
        root
    )
    assert "target list folder" not in page.content.decode().lower()
    assert TargetListPage.can_create_at(folder)
    assert not TargetListPage.can_create_at(root)
    assert not folder.can_move_to(root)
