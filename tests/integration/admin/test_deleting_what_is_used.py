"""What is in use is not deleted: the page says so at once, names what uses it, and has no button for it."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.mailings import actions
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing
from massmail_plugin.mailings.needs import mailings_that_need
from massmail_plugin.models import SenderAccount
from tests.builders import a_campaign, a_contact, a_mailing, a_template, a_user, an_account, start_now

pytestmark = pytest.mark.django_db

TEMPLATES = "wagtailsnippets_massmail_plugin_emailtemplate"


def _url(namespace, instance):
    return reverse(f"{namespace}:delete", args=[instance.pk])


def _is_kept(client, url, *words):
    """Whether neither looking nor posting deletes, and both say these words; there is no button to press."""
    for response in (client.get(url), client.post(url)):
        assert response.status_code == 200
        page = response.content.decode()
        for word in ("Cannot be deleted", *words):
            assert word in page, word
        assert "Yes, delete" not in page


def _own(mailing):
    return f'href="{reverse("massmail_mailings:inspect", args=[mailing.pk])}"'


def _pending(**fields):
    mailing = a_mailing(to=[a_contact()], name="Spring news", **fields)
    actions.release(mailing)
    mailing.refresh_from_db()
    return mailing


def test_a_template_that_mailings_use_is_kept(administrator):
    mailing = a_mailing(name="Spring news")
    url = _url(TEMPLATES, mailing.template)
    _is_kept(administrator, url, "because mailings use it", "Spring news", _own(mailing))
    bulk = reverse("wagtail_bulk_action", args=["massmail_plugin", "emailtemplate", "delete"])
    _is_kept(administrator, f"{bulk}?id={mailing.template_id}&id={a_template().pk}", "Spring news")
    assert EmailTemplate.objects.count() == 2


def test_only_some_of_many_uses_are_named(administrator):
    template = a_template()
    for _number in range(13):
        a_mailing(template=template)
    _is_kept(administrator, _url(TEMPLATES, template), "and 3 more")


def test_a_campaign_with_mailings_is_kept(administrator):
    mailing = a_mailing(name="Spring news")
    url = _url("massmail_campaigns", mailing.campaign)
    _is_kept(administrator, url, "because it has mailings", "Spring news", _own(mailing))
    assert Campaign.objects.exists()


def test_what_nobody_uses_is_deleted(administrator):
    for namespace, unused in (
        (TEMPLATES, a_template()),
        ("massmail_campaigns", a_campaign()),
        ("massmail_mailings", a_mailing(template=a_template())),
        ("massmail_accounts", an_account()),
    ):
        url = _url(namespace, unused)
        assert "Yes, delete" in administrator.get(url).content.decode()
        administrator.post(url)
        assert not type(unused).objects.filter(pk=unused.pk).exists()


def test_a_mailing_that_waits_is_to_be_withdrawn_first(administrator):
    an_account()
    _is_kept(administrator, _url("massmail_mailings", _pending()), "waits for its start", "Withdraw it")


@pytest.mark.parametrize("state", ["active", "paused", "interrupted", "done", "cancelled"])
def test_a_mailing_that_was_started_is_kept(administrator, state):
    an_account()
    mailing = a_mailing(to=[a_contact()])
    start_now(mailing)
    Mailing.objects.update(state=state)
    _is_kept(administrator, _url("massmail_mailings", mailing), "is kept", _own(mailing))
    assert Mailing.objects.exists()


@pytest.mark.parametrize("is_own", [True, False])
def test_the_only_account_of_unfinished_mailings_is_kept(administrator, is_own):
    owner = a_user()
    account = an_account(owner=owner if is_own else None)
    mailing = _pending(owner=owner)
    url = _url("massmail_accounts", account)
    advice = ("Withdraw or cancel", "switch the sender account off")
    _is_kept(administrator, url, "Spring news", _own(mailing), *advice)
    assert SenderAccount.objects.exists()
    actions.withdraw(mailing)
    assert "Yes, delete" in administrator.get(url).content.decode()


def _needs(*accounts):
    return set(mailings_that_need(accounts))


def test_an_account_beside_another_is_not_needed():
    owner = a_user()
    first, second = an_account(owner=owner), an_account(owner=owner)
    mailing = _pending(owner=owner)
    assert (_needs(first), _needs(second), _needs(first, second)) == (set(), set(), {mailing})


@pytest.mark.parametrize("state", ["ready", "faulty"])
def test_everybodys_account_is_not_needed_by_those_with_one_of_their_own(state):
    owner = a_user()
    shared, own = an_account(), an_account(owner=owner)
    of_owner, nobodys = _pending(owner=owner), _pending(owner=None)
    SenderAccount.objects.filter(pk=own.pk).update(state=state)
    assert _needs(shared) == {nobodys}
    SenderAccount.objects.filter(pk=own.pk).update(state="off")
    assert _needs(shared) == {of_owner, nobodys}


@pytest.mark.parametrize("has_own", [True, False])
def test_a_started_mailing_keeps_to_the_accounts_that_it_started_with(has_own):
    owner = a_user()
    shared, own = an_account(), an_account(owner=owner if has_own else None)
    mailing = a_mailing(to=[a_contact()], owner=owner)
    start_now(mailing)
    SenderAccount.objects.filter(pk=own.pk).update(owner=owner)
    own.refresh_from_db()
    assert _needs(own) == ({mailing} if has_own else set())
    assert _needs(shared) == (set() if has_own else {mailing})


def test_an_account_that_is_off_is_not_needed():
    account = an_account()
    _pending()
    account.state = "off"
    assert _needs(account) == set()


def test_an_account_with_open_mails_is_needed():
    account, _other = an_account(), an_account()
    mailing = a_mailing(to=[a_contact()])
    run = start_now(mailing)
    assert _needs(account) == set()
    Delivery.objects.filter(run=run).update(state="deferred", account=account)
    assert _needs(account) == {mailing}
    Delivery.objects.filter(run=run).update(state="accepted")
    assert _needs(account) == set()


@pytest.mark.parametrize("state", ["draft", "done", "cancelled"])
def test_finished_mailings_and_drafts_need_nothing(state):
    account = an_account()
    Mailing.objects.filter(pk=_pending().pk).update(state=state)
    assert _needs(account) == set()


def test_names_are_not_linked_for_those_who_may_not_look(signed_in):
    from tests.integration.admin.conftest import allow

    mailing = a_mailing(name="Spring news")
    client = signed_in(allow(a_user(), "delete_emailtemplate"))
    page = client.get(_url(TEMPLATES, mailing.template)).content.decode()
    assert "Spring news" in page
    assert _own(mailing) not in page


def _delete_users(client, *users):
    one = reverse("wagtailusers_users:delete", args=[users[0].pk])
    bulk = reverse("wagtail_bulk_action", args=["auth", "user", "delete"])
    query = "&".join(f"id={user.pk}" for user in users)
    return [
        client.get(one),
        client.post(one),
        client.get(f"{bulk}?{query}"),
        client.post(f"{bulk}?{query}"),
    ]


def test_a_user_whose_account_mailings_need_is_kept(administrator):
    owner = a_user("olga")
    an_account(owner=owner)
    _pending(owner=owner)
    for response in _delete_users(administrator, owner, a_user()):
        assert response.status_code == 200
        assert "“olga” is kept" in response.content.decode()
    assert get_user_model().objects.filter(pk=owner.pk).exists()


@pytest.mark.parametrize("is_bulk", [True, False])
def test_a_user_with_accounts_and_sent_mailings_is_deleted(administrator, is_bulk):
    owner = a_user()
    account = an_account(owner=owner)
    mailing = a_mailing(to=[a_contact()], owner=owner)
    run = start_now(mailing)
    Delivery.objects.filter(run=run).update(state="accepted", account=account)
    Mailing.objects.update(state="done")
    Campaign.objects.update(owner=owner)
    EmailTemplate.objects.update(owner=owner)
    if is_bulk:
        bulk = reverse("wagtail_bulk_action", args=["auth", "user", "delete"])
        assert "Are you sure" in administrator.get(f"{bulk}?id={owner.pk}").content.decode()
        assert administrator.post(f"{bulk}?id={owner.pk}").status_code == 302
    else:
        url = reverse("wagtailusers_users:delete", args=[owner.pk])
        assert administrator.get(url).status_code == 200
        assert administrator.post(url).status_code == 302
    assert not get_user_model().objects.filter(pk=owner.pk).exists()
    mailing.refresh_from_db()
    assert (mailing.owner, mailing.state) == (None, "done")
