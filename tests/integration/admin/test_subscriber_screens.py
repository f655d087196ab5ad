"""Subscribers in the admin: finding them, how they stand, their names, and putting them in lists."""

import pytest
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from massmail_plugin import recipients
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, Subscriber
from massmail_plugin.recipients.subscribers import ensure_subscriber
from tests.builders import a_target_list
from tests.integration.admin.conftest import Counting, a_reader, allow, messages_of

pytestmark = pytest.mark.django_db

BY_LINK = consent.How(ConsentEvent.Method.LINK)
SIGNED_UP = consent.How(ConsentEvent.Method.SIGN_UP)
NEWS = consent.Scope("list:7", "News")


def _url(name, subscriber=None):
    return reverse(f"massmail_subscribers:{name}", args=[subscriber.pk] if subscriber else [])


def a_subscriber(email, *, name="", said=None):
    """Return a subscriber; ``said`` gets the address, if anything was ever said for it."""
    subscriber = ensure_subscriber(email, name=name)[0]
    if said:
        said(EmailAddress.objects.get_or_create(key=subscriber.key)[0])
    return subscriber


@pytest.fixture
def all_kinds():
    a_subscriber("new@x.example")
    a_subscriber("joined@x.example", said=lambda one: consent.opt_in(one, [NEWS], SIGNED_UP))
    a_subscriber("out@x.example", said=lambda one: consent.opt_out(one, [consent.Scope()], BY_LINK))
    a_subscriber("left@x.example", said=lambda one: consent.opt_out(one, [NEWS], BY_LINK))
    a_subscriber("gone@x.example", said=lambda one: consent.mark_invalid(one, BY_LINK))
    a_subscriber("angry@x.example", said=lambda one: consent.record_complaint(one, BY_LINK))


@pytest.fixture
def a_colleague():
    """Somebody who may look at subscribers and mailings, and has no permission for any page."""
    return allow(a_reader(), "view_subscriber")


def shown(page):
    return {subscriber.email.partition("@")[0] for subscriber in page.context["object_list"]}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"standing": "mailable"}, {"new", "joined", "left"}),
        ({"standing": "opted_out"}, {"out", "angry"}),
        ({"standing": "opted_out_list"}, {"left"}),
        ({"standing": "invalid"}, {"gone"}),
        ({"standing": "complained"}, {"angry"}),
        ({"signed_up": "confirmed"}, {"joined"}),
        ({"signed_up": "none"}, {"new", "out", "left", "gone", "angry"}),
        ({"q": "joined"}, {"joined"}),
    ],
)
def test_the_listing_is_narrowed(editor, all_kinds, filters, found):
    assert shown(editor.get(_url("index_results"), filters)) == found


def test_the_listing_says_how_everybody_stands(editor, all_kinds):
    page = editor.get(_url("index")).content.decode()
    for words in ("can be mailed", "opted out of all mailings", "but opted out of a list", "does not exist"):
        assert words in page, words


def test_the_filter_by_list_and_the_column_of_lists(editor):
    ada, _bob = a_subscriber("ada@x.example", name="Ada"), a_subscriber("bob@x.example", name="Bob")
    target_list = a_target_list(ada, title="Bicycle tips")
    page = editor.get(_url("index_results"), {"target_list": target_list.pk})
    assert shown(page) == {"ada"}
    assert "Bicycle tips" in page.content.decode()


def test_a_list_that_somebody_has_left_says_so(editor):
    ada = a_subscriber("ada@x.example", name="Ada")
    left, _kept = a_target_list(ada, title="Old news"), a_target_list(ada, title="Bicycle tips")
    address = EmailAddress.objects.get_or_create(key=ada.key)[0]
    consent.opt_out(address, [left.consent_scope], BY_LINK)
    lists = editor.get(_url("inspect", ada)).context["lists"]
    assert [(each["title"], each["is_left"]) for each in lists] == [
        ("Bicycle tips", False),
        ("Old news", True),
    ]


def test_lists_that_the_user_may_not_look_at_are_not_named(signed_in, a_colleague):
    ada = a_subscriber("ada@x.example", name="Ada")
    a_target_list(ada, title="Secret plans")
    client = signed_in(a_colleague)
    for url in (_url("index"), _url("inspect", ada)):
        page = client.get(url).content.decode()
        assert "Ada" in page
        assert "Secret plans" not in page


def test_a_name_is_corrected_and_the_address_stays(editor):
    ada = a_subscriber("ada@x.example", name="Ad")
    response = editor.post(
        _url("edit", ada), {"name": "Ada", "language": "en", "email": "eve@x.example"}, follow=True
    )
    assert response.request["PATH_INFO"] == _url("inspect", ada)
    ada.refresh_from_db()
    assert (ada.name, ada.language, ada.email) == ("Ada", "en", "ada@x.example")


def test_nobody_adds_or_deletes_a_subscriber_by_hand():
    for name, args in (("add", []), ("delete", [1]), ("copy", [1])):
        with pytest.raises(NoReverseMatch):
            reverse(f"massmail_subscribers:{name}", args=args)


def test_a_subscriber_is_erased_from_their_page(administrator, editor):
    ada = a_subscriber("ada@x.example", name="Ada Lovelace")
    assert "Erase" not in editor.get(_url("inspect", ada)).content.decode()
    url = f"{reverse('massmail_addresses:erase_somebody')}?{urlencode({'address': ada.email})}"
    page = administrator.get(_url("inspect", ada)).content.decode()
    assert url.replace("&", "&amp;") in page
    assert 'value="ada@x.example"' in administrator.get(url).content.decode()
    administrator.post(url, {"address": ada.email, "reason": "Asked for it."})
    assert not Subscriber.objects.filter(pk=ada.pk).exists()
    assert "Ada Lovelace" not in administrator.get(_url("index")).content.decode()


def test_everybody_found_is_put_in_a_list(editor, all_kinds):
    target_list = a_target_list(title="Chosen")
    back = f"{_url('index')}?{urlencode({'standing': 'mailable'})}"
    action = reverse("wagtail_bulk_action", args=["massmail_plugin", "subscriber", "add_to_target_list"])
    url = f"{action}?{urlencode({'next': back, 'id': 'all', 'standing': 'mailable'})}"
    answer = editor.post(url, {"number": "3", "target_list": target_list.pk}, follow=True)
    assert "3 added to “Chosen”" in messages_of(answer)
    kind = recipients.for_model(Subscriber)
    chosen = target_list.members.filter(recipient_type=kind.key).values_list("object_id", flat=True)
    emails = Subscriber.objects.filter(pk__in=list(chosen)).values_list("email", flat=True)
    assert {email.partition("@")[0] for email in emails} == {"new", "joined", "left"}


def test_a_list_leads_to_the_subscriber(editor):
    ada = a_subscriber("ada@x.example", name="Ada")
    target_list = a_target_list(ada)
    page = editor.get(reverse("massmail_target_lists:members", args=[target_list.pk])).content.decode()
    assert _url("inspect", ada) in page


def test_more_subscribers_need_no_more_queries(editor):
    queries = Counting(editor)
    a_target_list(a_subscriber("ada@x.example", said=lambda one: consent.opt_in(one, [NEWS], SIGNED_UP)))
    few = queries(_url("index"))
    for number in range(20):
        one = a_subscriber(f"{number}@x.example", said=lambda one: consent.opt_in(one, [NEWS], SIGNED_UP))
        a_target_list(one)
    assert queries(_url("index")) <= few
