"""Mails in doubt on the screens: named with what is known, and decided by who may send."""

import re
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from massmail_plugin.delivery.mails.messages import message_id
from massmail_plugin.mailings import actions, ending
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress
from tests.builders import a_contact, a_mailing, a_user, an_account, contacts, start_now
from tests.integration.admin.conftest import Counting, allow, messages_of, refused

pytestmark = pytest.mark.django_db

#: What the box for all of them says long after the last one came into doubt.
_LATER = "2999-01-01T00:00:00+00:00"


def _url(name, mailing):
    return reverse(f"massmail_mailings:{name}", args=[mailing.pk])


def _doubtful(number=2, *, to=None, **fields):
    """Return a mailing all of whose mails are in doubt."""
    account = an_account(name="Sales, Berlin")
    mailing = a_mailing(to=to or contacts(number), **fields)
    run = start_now(mailing)
    run.deliveries.update(
        state=DeliveryState.IN_DOUBT,
        paced_at=timezone.now(),
        doubted_at=timezone.now(),
        account=account,
        attempts=1,
        detail="The connection broke after the dot.",
    )
    return mailing


def _states(mailing):
    return sorted(Delivery.objects.filter(run__mailing=mailing).values_list("state", flat=True))


def _all_of(page):
    """Return the value of the box that means all."""
    return unescape(re.search(r'name="all" value="([^"]+)"', page)[1])


def _ids(mailing):
    return list(Delivery.objects.filter(run__mailing=mailing).order_by("pk").values_list("pk", flat=True))


@pytest.mark.parametrize("screen", ["inspect", "progress", "doubts"])
def test_each_is_named_with_all_that_is_known(editor, screen):
    mailing = _doubtful(to=[a_contact("ada@x.example", first_name="Ada", last_name="<Byron>")])
    page = editor.get(_url(screen, mailing)).content.decode()
    delivery = Delivery.objects.select_related("account").get()
    for known in (
        "Ada &lt;Byron&gt;",
        "ada@x.example",
        "through Sales, Berlin",
        "The connection broke after the dot.",
        message_id(delivery.account, delivery.pk).strip("<>"),
        reverse("massmail_addresses:inspect", args=[delivery.address_id]),
    ):
        assert known in page, known
    assert "Count as sent" in page
    assert "Send again" in page
    assert "may get it twice" in page
    assert "will not get it" in page


@pytest.mark.parametrize(
    ("decision", "state", "message"),
    [
        ("sent", DeliveryState.ACCEPTED, "1 mail counts as sent"),
        ("again", DeliveryState.QUEUED, "1 mail is sent again"),
    ],
)
def test_only_what_is_ticked_is_decided(editor, decision, state, message):
    mailing = _doubtful(3)
    first, *others = _ids(mailing)
    response = editor.post(_url("doubts", mailing), {"decision": decision, "delivery": [first]}, follow=True)
    assert response.redirect_chain[-1][0] == _url("inspect", mailing)
    assert message in messages_of(response)
    assert Delivery.objects.get(pk=first).state == state
    assert set(Delivery.objects.filter(pk__in=others).values_list("state", flat=True)) == {"in_doubt"}


@pytest.mark.parametrize(("decision", "state"), [("sent", "accepted"), ("again", "queued")])
def test_all_of_them_at_once(editor, decision, state):
    mailing = _doubtful(130)
    page = editor.get(_url("doubts", mailing)).content.decode()
    assert "All 130 mails in doubt" in page
    assert page.count('name="delivery"') == 100
    assert editor.get(_url("doubts", mailing), {"p": 2}).content.decode().count('name="delivery"') == 30
    editor.post(_url("doubts", mailing), {"decision": decision, "all": _all_of(page)})
    assert set(_states(mailing)) == {state}


@pytest.mark.parametrize(("decision", "state"), [("sent", "accepted"), ("again", "queued")])
def test_all_are_those_that_the_page_has_named(editor, decision, state):
    mailing = _doubtful(3)
    *_seen, unseen = _ids(mailing)
    late = Delivery.objects.filter(pk=unseen)
    late.update(state=DeliveryState.QUEUED, doubted_at=None)
    page = editor.get(_url("doubts", mailing)).content.decode()
    late.update(state=DeliveryState.IN_DOUBT, doubted_at=timezone.now())
    editor.post(_url("doubts", mailing), {"decision": decision, "all": _all_of(page)})
    assert _states(mailing) == sorted([state, state, "in_doubt"])
    assert late.get().state == DeliveryState.IN_DOUBT


def test_a_double_click_and_a_colleagues_other_click_change_nothing(editor):
    mailing = _doubtful()
    data = {"decision": "sent", "delivery": _ids(mailing)}
    editor.post(_url("doubts", mailing), data)
    for decision in ("sent", "again"):
        response = editor.post(_url("doubts", mailing), {**data, "decision": decision}, follow=True)
        assert "not in doubt any more" in messages_of(response)
    assert _states(mailing) == ["accepted", "accepted"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"decision": "sent"}, "Tick the mails first"),
        ({"decision": "again", "delivery": ["x", "²", "9" * 30, "-1"]}, "Tick the mails first"),
        ({"decision": "again", "delivery": ["999999"]}, "not in doubt any more"),
        ({"decision": "sent", "all": "1"}, "Tick the mails first"),
        ({"decision": "sent", "all": "2026-13-40 00:00Z"}, "Tick the mails first"),
        ({"all": _LATER}, "Press one of the two buttons"),
        ({"decision": "burn", "all": _LATER}, "Press one of the two buttons"),
    ],
)
def test_a_press_that_means_nothing_says_so(editor, data, message):
    mailing = _doubtful()
    assert message in messages_of(editor.post(_url("doubts", mailing), data, follow=True))
    assert _states(mailing) == ["in_doubt", "in_doubt"]


def test_who_may_not_send_sees_them_and_decides_nothing(signed_in):
    mailing = _doubtful()
    reader = signed_in(allow(a_user(), "view_mailing"))
    for screen in ("inspect", "doubts"):
        page = reader.get(_url(screen, mailing)).content.decode()
        assert "The connection broke after the dot." in page
        for hidden in ('name="delivery"', 'name="all"', "Count as sent", "Send again", "/addresses/"):
            assert hidden not in page, hidden
    assert refused(reader.post(_url("doubts", mailing), {"decision": "sent", "all": _LATER}))
    assert _states(mailing) == ["in_doubt", "in_doubt"]
    assert refused(signed_in(allow(a_user())).get(_url("doubts", mailing)))


def test_of_a_cancelled_mailing_nothing_can_be_sent_again(editor):
    mailing = _doubtful()
    actions.cancel(mailing)
    page = editor.get(_url("inspect", mailing)).content.decode()
    assert "Count as sent" in page
    assert "Send again" not in page
    response = editor.post(_url("doubts", mailing), {"decision": "again", "all": _LATER}, follow=True)
    assert "was cancelled" in messages_of(response)


def test_a_done_mailing_says_how_many_are_left_to_decide_also_in_the_listing(editor):
    mailing = _doubtful()
    ending.finish_runs()
    page = editor.get(_url("inspect", mailing)).content.decode()
    assert "2 mails are in doubt: decide below" in page
    listing = editor.get(reverse("massmail_mailings:index")).content.decode()
    assert "2 mails in doubt" in listing
    editor.post(_url("doubts", mailing), {"decision": "sent", "all": _LATER})
    assert "in doubt" not in editor.get(reverse("massmail_mailings:index_results")).content.decode()
    assert "Every mail has found its end" in editor.get(_url("inspect", mailing)).content.decode()
    assert "No mail of this mailing is in doubt" in editor.get(_url("doubts", mailing)).content.decode()


def test_the_log_leads_to_the_decision(editor):
    mailing = _doubtful(name="Spring & news")
    log = reverse("massmail_campaigns:log", args=[mailing.campaign_id])
    page = editor.get(log).content.decode()
    assert "2 mails of “Spring &amp; news” are in doubt" in page
    assert _url("doubts", mailing) in page
    Delivery.objects.update(state=DeliveryState.ACCEPTED, doubted_at=None)
    assert _url("doubts", mailing) not in editor.get(log).content.decode()


def test_the_log_tells_how_a_doubt_ended_and_through_which_list(editor):
    mailing = _doubtful()
    editor.post(_url("doubts", mailing), {"decision": "sent", "all": _LATER})
    log = reverse("massmail_campaigns:log", args=[mailing.campaign_id])
    for page in (editor.get(log), editor.get(_url("inspect", mailing))):
        text = page.content.decode()
        assert "editor decided to count it as sent" in text
        assert mailing.campaign.target_lists.get().title in text
    rows = b"".join(editor.get(log, {"export": "csv"}).streaming_content).decode("utf-8-sig").splitlines()
    assert rows[0].split(",")[3] == "Through"
    assert mailing.campaign.target_lists.get().title in rows[1]


def test_a_mail_whose_account_and_list_are_gone_is_still_named(editor):
    mailing = _doubtful()
    Delivery.objects.update(account=None, source="", paced_at=None)
    delivery = Delivery.objects.order_by("pk").first()
    page = editor.get(_url("doubts", mailing)).content.decode()
    assert f"mm.{delivery.pk}." in page
    assert "localhost" not in page


def test_the_pages_need_no_more_queries_for_more_doubts(editor):
    few = _doubtful(2)
    many = a_mailing(to=contacts(60, domain="many.example"))
    start_now(many).deliveries.update(state=DeliveryState.IN_DOUBT, doubted_at=timezone.now())
    count = Counting(editor)
    for screen in ("inspect", "progress", "doubts"):
        assert count(_url(screen, few)) == count(_url(screen, many)), screen


def test_the_choice_is_in_the_form_and_goes_into_a_copy(editor):
    mailing = a_mailing(owner=editor.user)
    data = {
        "name": mailing.name,
        "campaign": mailing.campaign_id,
        "template": mailing.template_id,
        "owner": mailing.owner_id,
        "start_at": "",
        "in_doubt": "resend",
    }
    editor.post(_url("edit", mailing), data)
    assert Mailing.objects.get(pk=mailing.pk).in_doubt == Mailing.InDoubt.RESEND
    assert editor.get(_url("copy", mailing)).context["form"]["in_doubt"].value() == "resend"
    assert EmailAddress.objects.count() == 0
