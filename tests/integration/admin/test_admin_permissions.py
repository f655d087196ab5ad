"""Who may open and press what: every address of ours against every role."""

import pytest
from django.urls import reverse

from tests.builders import a_contact, a_mailing, a_user, an_account
from tests.integration.admin.conftest import ROLES, refused

pytestmark = pytest.mark.django_db

EVERYBODY = {"administrator", "editor", "author", "reader"}
LOOKERS = {"administrator", "editor", "reader"}
WRITERS = {"administrator", "editor", "author"}
SENDERS = {"administrator", "editor"}

#: address, what it is about, method, who may.
TABLE = [
    ("massmail_campaigns:index", None, "get", EVERYBODY),
    ("massmail_campaigns:index_results", None, "get", EVERYBODY),
    ("massmail_campaigns:add", None, "get", WRITERS),
    ("massmail_campaigns:edit", "campaign", "get", WRITERS),
    ("massmail_campaigns:delete", "campaign", "get", {"administrator"}),
    ("massmail_campaigns:inspect", "campaign", "get", EVERYBODY),
    ("massmail_campaigns:history", "campaign", "get", WRITERS),
    ("massmail_campaigns:usage", "campaign", "get", WRITERS),
    ("massmail_campaigns:find_mailings", None, "get", EVERYBODY),
    ("massmail_campaigns:log", "campaign", "get", EVERYBODY),
    ("massmail_campaigns:log_results", "campaign", "get", EVERYBODY),
    ("massmail_campaigns:log_to_list", "campaign", "get", EVERYBODY),
    ("massmail_mailings:index", None, "get", EVERYBODY),
    ("massmail_mailings:why", None, "get", EVERYBODY),
    ("massmail_mailings:people", "mailing", "get", EVERYBODY),
    ("massmail_mailings:add", None, "get", WRITERS),
    ("massmail_mailings:edit", "mailing", "get", WRITERS),
    ("massmail_mailings:copy", "mailing", "get", WRITERS),
    ("massmail_mailings:delete", "mailing", "get", {"administrator"}),
    ("massmail_mailings:inspect", "mailing", "get", EVERYBODY),
    ("massmail_mailings:history", "mailing", "get", WRITERS),
    ("massmail_mailings:usage", "mailing", "get", WRITERS),
    ("massmail_mailings:progress", "mailing", "get", EVERYBODY),
    ("massmail_mailings:preview", "mailing", "get", EVERYBODY),
    ("massmail_mailings:send", "mailing", "get", SENDERS),
    ("massmail_mailings:send", "mailing", "post", SENDERS),
    ("massmail_mailings:send_test", "mailing", "get", SENDERS),
    ("massmail_mailings:doubts", "mailing", "get", EVERYBODY),
    ("massmail_mailings:doubts", "mailing", "post", SENDERS),
    ("massmail_mailings:cancel", "mailing", "get", SENDERS),
    ("massmail_mailings:cancel", "mailing", "post", SENDERS),
    ("massmail_mailings:withdraw", "mailing", "post", SENDERS),
    ("massmail_mailings:pause", "mailing", "post", SENDERS),
    ("massmail_mailings:resume", "mailing", "post", SENDERS),
    ("massmail_mailings:retry", "mailing", "post", SENDERS),
    ("massmail_accounts:index", None, "get", LOOKERS),
    ("massmail_accounts:add", None, "get", SENDERS),
    # Everybody's account: editors may look at it, and only administrators may change it.
    ("massmail_accounts:inspect", "account", "get", LOOKERS),
    ("massmail_accounts:edit", "account", "get", {"administrator"}),
    ("massmail_accounts:delete", "account", "get", {"administrator"}),
    ("massmail_accounts:switch_off", "account", "post", {"administrator"}),
    ("massmail_accounts:switch_on", "account", "post", {"administrator"}),
    ("massmail_accounts:check", "account", "post", LOOKERS),
    ("massmail_addresses:index", None, "get", LOOKERS),
    ("massmail_addresses:inspect", "address", "get", LOOKERS),
    ("massmail_addresses:opt_out", "address", "get", SENDERS),
    ("massmail_addresses:mark_valid", "address", "get", SENDERS),
    ("massmail_subscribers:index", None, "get", SENDERS),
    ("massmail_subscribers:inspect", "subscriber", "get", SENDERS),
    ("massmail_subscribers:edit", "subscriber", "get", SENDERS),
    ("massmail_subscribers:history", "subscriber", "get", SENDERS),
]


@pytest.fixture
def things():
    from massmail_plugin.recipients.models import EmailAddress, Subscriber

    mailing = a_mailing(to=[a_contact()])
    return {
        "mailing": mailing,
        "campaign": mailing.campaign,
        "account": an_account(),
        "address": EmailAddress.objects.create(key="ada@customers.example"),
        "subscriber": Subscriber.objects.create(email="bob@customers.example"),
    }


@pytest.mark.parametrize("role", ROLES)
def test_each_address_answers_only_those_who_may(role, things, signed_in):
    client = signed_in(ROLES[role]())
    wrong = []
    for name, about, method, who in TABLE:
        url = reverse(name, args=[things[about].pk] if about else [])
        response = getattr(client, method)(url)
        if refused(response) == (role in who):
            wrong.append(f"{method} {name}: {response.status_code}")
    assert wrong == []


def test_every_address_of_ours_is_in_the_table():
    from massmail_plugin.admin.accounts import SenderAccountViewSet
    from massmail_plugin.admin.addresses import EmailAddressViewSet
    from massmail_plugin.admin.campaigns import CampaignViewSet
    from massmail_plugin.admin.mailings import MailingViewSet
    from massmail_plugin.admin.subscribers.viewset import SubscriberViewSet

    viewsets = (
        CampaignViewSet(),
        MailingViewSet(),
        SenderAccountViewSet(),
        EmailAddressViewSet(),
        SubscriberViewSet(),
    )
    ours = {f"{each.url_namespace}:{route.name}" for each in viewsets for route in each.get_urlpatterns()}
    tested = {name for name, _about, _method, _who in TABLE}
    #: Twins of addresses in the table, and those with tests of their own.
    twins = {name for name in ours if name.endswith("_results")} | {
        "massmail_accounts:history",
        "massmail_accounts:usage",
        "massmail_addresses:opt_in",
        # See test_address_screens.
        "massmail_addresses:erase",
        "massmail_addresses:erase_somebody",
    }
    assert ours - tested - twins == set()


@pytest.mark.parametrize("verb", ["withdraw", "pause", "resume", "retry"])
def test_a_verb_is_never_done_by_following_a_link(verb, things, administrator):
    url = reverse(f"massmail_mailings:{verb}", args=[things["mailing"].pk])
    assert administrator.get(url).status_code == 405


def test_who_may_not_send_sees_no_button_and_scripts_get_403(things, signed_in):
    client = signed_in(ROLES["author"]())
    pk = things["mailing"].pk
    page = client.get(reverse("massmail_mailings:inspect", args=[pk])).content.decode()
    assert reverse("massmail_mailings:send", args=[pk]) not in page
    assert reverse("massmail_mailings:cancel", args=[pk]) not in page
    url = reverse("massmail_mailings:send", args=[pk])
    assert client.post(url, headers={"X-Requested-With": "XMLHttpRequest"}).status_code == 403
    things["mailing"].refresh_from_db()
    assert things["mailing"].state == "draft"


def test_without_a_session_every_address_leads_to_the_login(things, client):
    for name, about, method, _who in TABLE:
        response = getattr(client, method)(reverse(name, args=[things[about].pk] if about else []))
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/"), name


def test_our_permissions_are_in_the_group_editor(administrator):
    page = administrator.get(reverse("wagtailusers_groups:add")).content.decode()
    for words in ("Can start, pause, resume and cancel mailings", "Can send test mails", "sender account"):
        assert words in page, words


def test_somebody_elses_account_is_out_of_reach_on_every_address(signed_in, editor):
    private = an_account(owner=a_user(), name="Private way out", last_fault="a secret reason")
    actions = ("inspect", "edit", "delete", "history", "history_results", "usage")
    for action in actions:
        response = editor.get(reverse(f"massmail_accounts:{action}", args=[private.pk]))
        assert refused(response), action
    for action in ("edit", "delete", "check", "switch_on", "switch_off"):
        response = editor.post(
            reverse(f"massmail_accounts:{action}", args=[private.pk]), {"name": "Mine now"}
        )
        assert refused(response), action
    private.refresh_from_db()
    assert (private.name, private.state) == ("Private way out", "ready")
    for url in ("index", "index_results"):
        page = editor.get(reverse(f"massmail_accounts:{url}")).content.decode()
        assert "Private way out" not in page
        assert "a secret reason" not in page
