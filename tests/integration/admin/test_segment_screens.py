"""Segments in the admin: making one, its own page, copying it into a list, what uses it, and who may do what."""

import django_filters
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils.translation import override

from massmail_plugin import recipients
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.models import TargetListPage
from sandbox.crm.models import Contact, Lead
from tests.builders import a_campaign, a_contact, a_mailing, a_segment, a_target_list, a_user, contacts
from tests.integration.admin.conftest import Counting, allow, messages_of, refused

pytestmark = pytest.mark.django_db


def _url(name, *args):
    return reverse(f"massmail_segments:{name}", args=[getattr(each, "pk", each) for each in args])


def _form(**fields):
    return {"name": "Dubliners", "description": "", **fields}


@pytest.fixture
def people():
    return [
        a_contact(f"{name}@example.org", city=city) for name, city in (("ada", "Dublin"), ("bob", "Cork"))
    ]


@pytest.fixture
def only_ada(monkeypatch):
    """Everybody sees only Ada among the contacts."""
    monkeypatch.setattr(
        type(recipients.get("crm.contact")),
        "choosable_by",
        lambda self, user: Contact.objects.filter(email="ada@example.org"),
        raising=False,
    )


def a_segment_keeper(*models):
    """Somebody who may do everything with segments, and look at these models."""
    verbs = ("add", "view", "change", "delete")
    user = allow(a_user(), *(f"{verb}_segment" for verb in verbs))
    for model in models:
        codename = f"view_{model._meta.model_name}"
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=model._meta.app_label, codename=codename)
        )
    return user


# --- Making and changing ------------------------------------------------------------------------------------


def test_first_one_says_whom_it_is_about(editor):
    page = editor.get(_url("add")).content.decode()
    for key, label in (("crm.contact", "Contacts"), ("crm.lead", "Leads")):
        assert f'href="{_url("add_of_type", key)}">{label}</a>' in page


def test_who_sees_only_one_type_is_not_asked(signed_in):
    response = signed_in(a_segment_keeper(Lead)).get(_url("add"))
    assert response["Location"] == _url("add_of_type", "crm.lead")


def test_who_sees_nobody_is_told_whom_to_ask(signed_in):
    page = signed_in(a_segment_keeper()).get(_url("add")).content.decode()
    assert "you need permission to view them" in page


def test_a_segment_is_made_with_filters_and_a_question_about_mails(editor, people):
    form = _form(
        **{"filter-city": "dublin", "filter-country": "", "mailed-when": "not_since", "mailed-days": "30"}
    )
    response = editor.post(_url("add_of_type", "crm.contact"), form)
    segment = Segment.objects.get()
    assert response["Location"] == _url("inspect", segment)
    assert segment.recipient_type == "crm.contact"
    assert segment.criteria == {"city": ["dublin"]}
    assert segment.behaviour == {"mailed": {"when": ["not_since"], "days": ["30"]}}
    page = editor.get(_url("inspect", segment)).content.decode()
    for words in (
        "City contains: dublin",
        "Not mailed in the last 30 days",
        "ada@example.org",
        "No campaign",
    ):
        assert words in page, words
    assert "bob@example.org" not in page


def test_what_is_wrong_is_said_and_nothing_is_lost(editor):
    form = _form(**{"filter-city": "dublin", "filter-language": "klingon", "mailed-when": "since"})
    response = editor.post(_url("add_of_type", "crm.contact"), form)
    page = response.content.decode()
    assert "klingon is not one of the available choices" in page
    assert "needs a number of days or a date" in page
    assert 'value="dublin"' in page
    assert not Segment.objects.exists()


def test_a_type_without_filters_can_be_asked_about_mails(editor, people, monkeypatch):
    monkeypatch.setattr(recipients.get("crm.contact"), "filterset_class", None, raising=False)
    editor.post(_url("add_of_type", "crm.contact"), _form(**{"mailed-when": "never", "filter-city": "x"}))
    segment = Segment.objects.get()
    assert (segment.criteria, segment.behaviour) == ({}, {"mailed": {"when": ["never"]}})


def test_the_form_shows_what_was_saved_and_saves_what_was_changed(editor, people):
    segment = a_segment(city="Dublin", is_vip="true", behaviour={"mailed": {"when": "never"}}, name="Old")
    page = editor.get(_url("edit", segment)).content.decode()
    assert 'name="filter-city" value="Dublin"' in page
    assert '<option value="never" selected>' in page
    editor.post(_url("edit", segment), _form(**{"filter-city": "Cork"}))
    segment.refresh_from_db()
    assert (segment.name, segment.criteria, segment.behaviour) == ("Dubliners", {"city": ["Cork"]}, {})


def test_what_fits_no_more_is_said_and_dropped_only_by_saving(editor, people):
    segment = a_segment(city="Dublin", planet="Mars")
    page = editor.get(_url("edit", segment)).content.decode()
    assert "(planet)" in page
    assert "is dropped when you save" in page
    assert Segment.objects.get().criteria == {"city": ["Dublin"], "planet": ["Mars"]}
    editor.post(_url("edit", segment), _form(**{"filter-city": "Dublin"}))
    assert Segment.objects.get().criteria == {"city": ["Dublin"]}


def test_who_changes_one_in_use_is_told(editor):
    segment = a_segment()
    assert "is in use" not in editor.get(_url("edit", segment)).content.decode()
    campaign = a_campaign()
    campaign.segments.set([segment])
    campaign.save()
    assert "is in use" in editor.get(_url("edit", segment)).content.decode()


@pytest.mark.parametrize("page", ["edit", "inspect", "copy_people", "delete", "history"])
def test_a_segment_whose_type_is_gone_can_be_looked_at_and_deleted(administrator, page):
    segment = a_segment()
    Segment.objects.update(recipient_type="crm.gone")
    response = administrator.get(_url(page, segment), follow=True)
    assert response.status_code == 200
    if page in ("edit", "inspect", "copy_people"):
        assert "crm.gone" in response.content.decode()


def test_filters_that_fail_are_said_and_do_not_crash_the_page(editor, monkeypatch):
    class Filters(django_filters.FilterSet):
        mine = django_filters.ModelChoiceFilter(queryset=lambda request: request.user.groups.all())

        class Meta:
            model = Contact
            fields = []

    monkeypatch.setattr(recipients.get("crm.contact"), "filterset_class", Filters, raising=False)
    segment = a_segment(mine=1)
    for url in (_url("add_of_type", "crm.contact"), _url("edit", segment), _url("inspect", segment)):
        response = editor.get(url, follow=True)
        assert "the filters of Contacts fail" in response.content.decode(), url


def test_a_date_is_read_as_its_author_typed_it_also_in_a_colleagues_form(editor, monkeypatch):
    class Filters(django_filters.FilterSet):
        made = django_filters.DateFilter(field_name="created_at", lookup_expr="date__gte")

        class Meta:
            model = Contact
            fields = []

    monkeypatch.setattr(recipients.get("crm.contact"), "filterset_class", Filters, raising=False)
    segment = a_segment(made="04.03.2026")
    Segment.objects.update(language="de")
    with override("en"):
        response = editor.post(_url("edit", segment), _form(**{"filter-made": "04.03.2026"}))
    assert response.status_code == 302
    segment.refresh_from_db()
    assert (segment.language, segment.criteria) == ("de", {"made": ["04.03.2026"]})
    assert "March 4, 2026" in editor.get(_url("inspect", segment)).content.decode()


# --- The live count -----------------------------------------------------------------------------------------


def test_the_count_follows_what_is_typed_and_saves_nothing(editor, people):
    count = _url("count", "crm.contact")
    assert "<strong>2</strong> people" in editor.post(count, {}).content.decode()
    assert "<strong>1</strong> person" in editor.post(count, {"filter-city": "dub"}).content.decode()
    answer = editor.post(count, {"mailed-when": "since", "filter-city": "dub"}).content.decode()
    assert "needs a number of days or a date" in answer
    assert not Segment.objects.exists()


def test_the_count_of_a_saved_one_leaves_it_as_it_is(editor, people):
    segment = a_segment(city="Dublin")
    answer = editor.post(
        _url("count_saved", "crm.contact", segment), {"filter-city": "cork"}
    ).content.decode()
    assert "<strong>1</strong> person" in answer
    assert Segment.objects.get().criteria == {"city": ["Dublin"]}


def test_who_may_not_see_the_people_gets_no_count(signed_in, people):
    stranger = signed_in(a_segment_keeper(Lead))
    segment = a_segment(city="Dublin")
    for url in (_url("count", "crm.contact"), _url("count_saved", "crm.contact", segment)):
        assert refused(stranger.post(url, {}))
    assert stranger.post(_url("count", "crm.lead"), {}).status_code == 200
    assert stranger.post(_url("count", "crm.gone"), {}).status_code == 404


def test_who_sees_only_some_is_told_how_many_of_them_there_are(editor, people, only_ada):
    segment = a_segment()
    page = editor.get(_url("inspect", segment)).content.decode()
    assert "Of those whom you may see <strong>1</strong> person is in it now." in page
    assert "ada@example.org" in page
    assert "bob@example.org" not in page


def test_who_sees_only_some_learns_nothing_of_the_others_by_trying_criteria(editor, people, only_ada):
    def answer_to(city):
        return editor.post(_url("count", "crm.contact"), {"filter-city": city}).content

    # Somebody whom they may not see lives in Cork; nobody does in Galway.
    assert Contact.objects.filter(city="Cork").exists()
    assert answer_to("cork") == answer_to("galway")


# --- Its own page, the listing ------------------------------------------------------------------------------


def test_the_queries_of_its_page_do_not_grow_with_its_people(editor):
    count = Counting(editor)
    contacts(3)
    segment = a_segment(city="")
    few = count(_url("inspect", segment))
    contacts(120, domain="more.example")
    assert count(_url("inspect", segment)) == few
    assert "person60@more.example" in editor.get(_url("inspect", segment) + "?p=2").content.decode()


def test_the_queries_of_the_listing_do_not_grow_with_the_segments(editor):
    count = Counting(editor)
    a_segment(city="Dublin")
    few = count(_url("index"))
    for number in range(10):
        segment = a_segment(city="Dublin", is_vip="true", assigned_to=number)
        page = a_target_list()
        page.live_segments.set([segment])
        page.save()
    assert count(_url("index")) == few


def test_the_page_names_what_uses_it(editor):
    segment = a_segment()
    campaign, page = a_campaign(name="Spring"), a_target_list(title="All of Dublin")
    campaign.excluded_segments.set([segment])
    campaign.save()
    page.live_segments.set([segment])
    page.save()
    shown = editor.get(_url("inspect", segment)).content.decode()
    assert f'href="{reverse("massmail_campaigns:inspect", args=[campaign.pk])}">Spring</a>' in shown
    assert f'href="{reverse("massmail_target_lists:members", args=[page.pk])}">All of Dublin</a>' in shown


def test_what_is_in_use_is_kept(administrator):
    segment = a_segment(name="Irish")
    page = a_target_list(title="All of Dublin")
    page.live_segments.set([segment])
    page.save()
    for method in (administrator.get, administrator.post):
        shown = method(_url("delete", segment)).content.decode()
        assert "“Irish” is kept" in shown
        assert "All of Dublin" in shown
    page.live_segments.clear()
    page.save()
    administrator.post(_url("delete", segment))
    assert not Segment.objects.exists()


# --- Copying into a list ------------------------------------------------------------------------------------


def test_its_people_are_copied_into_a_new_list(editor, people):
    segment = a_segment(city="Dublin")
    response = editor.post(_url("copy_people", segment), {"number": 1, "new_list": "Frozen"}, follow=True)
    page = TargetListPage.objects.get()
    assert [member.object_id for member in page.members.all()] == [str(people[0].pk)]
    assert "1 added to “Frozen”" in messages_of(response)
    assert response.redirect_chain[-1][0] == reverse("massmail_target_lists:members", args=[page.pk])


def test_they_are_copied_into_a_list_that_exists_and_nobody_twice(editor, people):
    page = a_target_list(people[0])
    response = editor.post(
        _url("copy_people", a_segment()), {"number": 2, "target_list": page.pk}, follow=True
    )
    assert page.members.count() == 2
    assert "1 was already in the list" in messages_of(response)


def test_who_came_in_meanwhile_is_shown_before_anything_is_copied(editor, people):
    page = a_target_list()
    shown = editor.post(_url("copy_people", a_segment()), {"number": 1, "target_list": page.pk})
    assert "it is 2 now" in shown.content.decode()
    assert not page.members.exists()


def test_only_those_whom_the_user_sees_are_copied(editor, people, only_ada):
    page, segment = a_target_list(), a_segment()
    assert "more person is in the segment" in editor.get(_url("copy_people", segment)).content.decode()
    editor.post(_url("copy_people", segment), {"number": 1, "target_list": page.pk})
    assert [member.object_id for member in page.members.all()] == [str(people[0].pk)]


def test_one_that_cannot_be_used_is_not_copied(editor, people):
    response = editor.get(_url("copy_people", a_segment(planet="Mars")), follow=True)
    assert "cannot be used" in messages_of(response)


# --- Live in a list, chosen in a campaign -------------------------------------------------------------------


def test_the_people_of_a_list_say_what_comes_live_and_how_many(editor, people):
    page = a_target_list(people[1], title="Ireland")
    page.live_segments.set(
        [a_segment(city="Dublin", name="Dubliners"), a_segment(planet="Mars", name="Lost")]
    )
    page.save()
    shown = editor.get(reverse("massmail_target_lists:members", args=[page.pk])).content.decode()
    for words in ("Dubliners", "1 person now", "“Lost” cannot be used"):
        assert words in shown, words


def test_a_list_takes_live_segments_in_its_form(editor, people):
    page, segment = a_target_list(title="Ireland"), a_segment(name="Dubliners", city="Dublin")
    url = reverse("wagtailadmin_pages:edit", args=[page.pk])
    assert "Dubliners (Contacts)" in editor.get(url).content.decode()
    form = {"title": "Ireland", "description": "", "live_segments": [segment.pk], "action-publish": "1"}
    editor.post(url, form)
    assert list(TargetListPage.objects.get().live_segments.all()) == [segment]
    listing = editor.get(reverse("massmail_target_lists:index")).content.decode()
    assert "1 segment" in listing


def test_a_campaign_takes_segments_and_leaves_out_others_and_mailings(editor):
    wanted, unwanted, sent = a_segment(name="In"), a_segment(name="Out"), a_mailing(name="Last year")
    form = {
        "name": "Spring",
        "kind": "newsletter",
        "segments": [wanted.pk],
        "excluded_segments": [unwanted.pk],
        "excluded_mailings": [sent.pk],
        "tracking_urls-TOTAL_FORMS": 0,
        "tracking_urls-INITIAL_FORMS": 0,
    }
    response = editor.post(reverse("massmail_campaigns:add"), form, follow=True)
    campaign = response.context["object"]
    assert campaign.sources() == [wanted]
    assert campaign.excluded_sources() == [unwanted]
    assert list(campaign.excluded_mailings.all()) == [sent]
    page = response.content.decode()
    for words in (
        "segment, Contacts",
        ">In</a>",
        ">Out</a>",
        ">Last year</a>",
        "whoever already got this mailing",
    ):
        assert words in page, words
    both = editor.post(reverse("massmail_campaigns:add"), {**form, "excluded_segments": [wanted.pk]})
    assert "Chosen and excluded at once: In" in str(both.context["form"].errors)


def test_only_segments_of_people_whom_the_user_sees_are_offered(signed_in):
    hidden, seen = a_segment(name="Contacts of all"), a_segment(Lead, name="Leads of all")
    user = a_segment_keeper(Lead)
    permissions = Permission.objects.filter(codename__in=["add_campaign", "change_campaign", "view_campaign"])
    user.user_permissions.add(*permissions)
    url = reverse("massmail_campaigns:add")
    client = signed_in(get_user_model().objects.get(pk=user.pk))
    assert list(client.get(url).context["form"].fields["segments"].queryset) == [seen]
    campaign = a_campaign()
    campaign.segments.set([hidden])
    campaign.save()
    fields = client.get(reverse("massmail_campaigns:edit", args=[campaign.pk])).context["form"].fields
    assert list(fields["segments"].queryset) == [hidden, seen]


# --- Who may do what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["index", "inspect", "edit", "delete", "copy_people"])
def test_who_has_nothing_to_do_with_segments_is_refused(signed_in, page):
    stranger = signed_in(allow(a_user()))
    assert refused(stranger.get(_url(page, *([] if page == "index" else [a_segment()]))))


def test_who_may_not_see_the_people_sees_the_segment_without_them(signed_in, people):
    client = signed_in(a_segment_keeper(Lead))
    segment = a_segment(city="Dublin")
    page = client.get(_url("inspect", segment)).content.decode()
    assert "You may not see Contacts." in page
    assert "ada@example.org" not in page
    assert "<strong>" not in page.split('id="massmail-people"')[1].split("</section>")[0]
    for name in ("edit", "copy_people"):
        assert refused(client.get(_url(name, segment)))
        assert _url(name, segment) not in page
    assert refused(client.get(_url("add_of_type", "crm.contact")))


def test_a_reader_changes_nothing(signed_in, people):
    reader = allow(a_user(), "view_segment")
    reader.user_permissions.add(Permission.objects.get(codename="view_contact"))
    client = signed_in(reader)
    segment = a_segment(city="Dublin")
    assert "ada@example.org" in client.get(_url("inspect", segment)).content.decode()
    for url in (
        _url("edit", segment),
        _url("delete", segment),
        _url("add"),
        _url("add_of_type", "crm.contact"),
    ):
        assert refused(client.get(url)), url
    assert refused(client.post(_url("count", "crm.contact"), {}))
