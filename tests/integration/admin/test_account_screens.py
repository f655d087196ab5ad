"""Sender accounts in the admin: secrets go in and never come out, and nobody reaches another person's."""

import pytest
from django.urls import reverse

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.admin.account_form import SenderAccountForm
from tests.builders import an_account
from tests.integration.admin.conftest import Counting, messages_of, refused

pytestmark = pytest.mark.django_db

PASSWORD, API_KEY = "pa$$word-Xyzzy", "key-Plugh-42"


def _url(name, account=None):
    return reverse(f"massmail_accounts:{name}", args=[account.pk] if account else [])


def _form(**changes):
    data = {
        "name": "Sales",
        "from_name": "Sales team",
        "from_email": "sales@sandbox.example",
        "reply_to": "",
        "kind": "smtp",
        "host": "smtp.example.com",
        "port": "587",
        "security": "starttls",
        "username": "sales",
        "new_password": "",
        "backend": "",
        "new_options": "",
        "connections": "4",
        "batch_size": "1",
        "spacing_from": "0",
        "spacing_until": "0",
        "work_from": "08:30",
        "work_until": "17:30",
        "working_days": ["0", "1", "2", "3"],
    }
    return {**data, **changes}


@pytest.fixture
def account(editor):
    return an_account(
        owner=editor.user,
        name="Sales",
        host="smtp.example.com",
        port=587,
        security="starttls",
        username="sales",
        password=Secret.of(PASSWORD),
        backend_options=Secret.of(f'{{"api_key": "{API_KEY}"}}'),
    )


def _stored(account):
    account.refresh_from_db()
    return account.password.reveal()


def test_a_password_is_stored_encrypted_and_can_be_used(editor):
    editor.post(_url("add"), _form(new_password=PASSWORD))
    account = SenderAccount.objects.get()
    assert account.password.reveal() == PASSWORD
    assert PASSWORD not in account.password.cipher
    assert account.owner == editor.user


def test_no_response_ever_shows_a_secret(administrator, account):
    urls = [
        _url("index"),
        *(_url(name, account) for name in ("inspect", "edit", "history", "usage", "delete")),
    ]
    pages = [administrator.get(url) for url in urls]
    mistakes = _form(from_email="", new_password=PASSWORD, new_options=f'{{"api_key": "{API_KEY}"}}')
    pages += [administrator.post(_url("edit", account), mistakes), administrator.post(_url("add"), mistakes)]
    broken = _form(new_options=f'{{"api_key": "{API_KEY}"')
    pages.append(administrator.post(_url("edit", account), broken))
    for response in pages:
        assert response.status_code == 200
        page = response.content.decode()
        for secret in (PASSWORD, API_KEY, account.password.cipher, account.backend_options.cipher):
            assert secret not in page


def test_the_audit_log_holds_no_secret(editor, account):
    from wagtail.models import ModelLogEntry

    editor.post(_url("edit", account), _form(new_password="another-Secret"))
    assert "another-Secret" not in str(list(ModelLogEntry.objects.values_list("data", "label")))


def test_an_empty_field_keeps_what_is_stored(editor, account):
    editor.post(_url("edit", account), _form(name="Renamed"))
    assert _stored(account) == PASSWORD
    assert account.name == "Renamed"
    assert account.backend_options.reveal() == f'{{"api_key": "{API_KEY}"}}'


def test_a_new_password_takes_the_place_of_the_old_one(editor, account):
    editor.post(_url("edit", account), _form(new_password=" with spaces "))
    assert _stored(account) == " with spaces "


def test_a_password_can_be_forgotten(editor, account):
    editor.post(_url("edit", account), _form(remove_password="on", remove_options="on"))
    assert _stored(account) == ""
    assert not account.backend_options


@pytest.mark.parametrize("state", ["faulty", "off"])
def test_saving_the_form_does_not_undo_a_stop_of_the_same_moment(editor, account, state, monkeypatch):
    check = SenderAccountForm.clean

    def stopped_meanwhile(form):
        SenderAccount.objects.filter(pk=account.pk).update(state=state, last_fault="535 no")
        return check(form)

    monkeypatch.setattr(SenderAccountForm, "clean", stopped_meanwhile)
    editor.post(_url("edit", account), _form(name="Renamed", new_password="new"))
    assert _stored(account) == "new"
    assert (account.name, account.state, account.last_fault) == ("Renamed", state, "535 no")


@pytest.mark.parametrize(
    "change",
    [{"host": "evil.example.com"}, {"port": "2525"}, {"security": "none"}, {"username": "other"}],
)
def test_a_stored_password_is_not_sent_to_another_server(editor, account, change):
    response = editor.post(_url("edit", account), _form(**change))
    assert "Enter it again" in str(response.context["form"].errors["new_password"])
    account.refresh_from_db()
    assert account.host == "smtp.example.com"
    editor.post(_url("edit", account), _form(**change, new_password="known"))
    assert _stored(account) == "known"


def test_stored_options_are_not_given_to_another_backend(editor, account):
    form = _form(kind="backend", backend="evil.Backend", remove_password="on")
    response = editor.post(_url("edit", account), form)
    assert "Enter it again" in str(response.context["form"].errors["new_options"])


@pytest.mark.parametrize("options", ["{", "[]", "3", '"x"'])
def test_options_that_are_no_json_object_are_refused(editor, options):
    response = editor.post(_url("add"), _form(kind="backend", backend="a.B", new_options=options))
    assert "JSON" in str(response.context["form"].errors["new_options"])


def test_an_editor_cannot_give_an_account_to_somebody_else(editor, account, administrator):
    editor.post(_url("edit", account), _form(owner=administrator.user.pk))
    account.refresh_from_db()
    assert account.owner == editor.user
    editor.post(_url("add"), _form(name="Second", owner=""))
    assert SenderAccount.objects.get(name="Second").owner == editor.user


def test_an_administrator_makes_an_account_for_everybody(administrator):
    administrator.post(_url("add"), _form(owner=""))
    assert SenderAccount.objects.get().owner is None


def test_everybodys_account_may_be_looked_at_and_not_changed(editor):
    shared = an_account(name="Everybody's way out")
    assert "Everybody&#x27;s way out" in editor.get(_url("index")).content.decode()
    page = editor.get(_url("inspect", shared)).content.decode()
    assert "Test connection" in page
    assert "Switch off" not in page
    assert refused(editor.post(_url("edit", shared), _form(name="Mine")))
    shared.refresh_from_db()
    assert shared.name == "Everybody's way out"


def test_an_account_is_switched_off_and_on(editor, account):
    editor.post(_url("switch_off", account))
    account.refresh_from_db()
    assert account.state == "off"
    editor.post(_url("switch_on", account))
    account.refresh_from_db()
    assert account.state == "ready"


def test_a_fault_is_shown_until_the_connection_works_again(editor, smtp_server):
    account = an_account(smtp_server, owner=editor.user, state="faulty", last_fault="535 <b>no</b>")
    page = editor.get(_url("inspect", account)).content.decode()
    assert "535 &lt;b&gt;no&lt;/b&gt;" in page
    response = editor.post(_url("check", account), follow=True)
    assert "It works. The account is ready again." in messages_of(response)


def test_a_connection_that_does_not_work_says_why_and_what_to_look_at(editor):
    account = an_account(owner=editor.user)
    response = editor.post(_url("check", account), follow=True)
    assert "It does not work" in messages_of(response)
    assert "server, port and encryption." in messages_of(response)


def test_the_listing_needs_no_more_queries_for_more_accounts(administrator):
    from tests.builders import a_user

    an_account(owner=a_user())
    count = Counting(administrator)
    few = count(_url("index"))
    for _number in range(4):
        an_account(owner=a_user())
    assert count(_url("index")) == few


def test_limits_and_working_hours_are_entered_in_the_form(editor, account):
    changes = {
        "per_hour": "50",
        "per_day": "300",
        "spread_evenly": "on",
        "is_main": "on",
        "working_hours_only": "on",
        "work_from": "09:00",
        "work_until": "00:00",
        "working_days": ["0", "4"],
        "time_zone": "Europe/Berlin",
    }
    editor.post(_url("edit", account), _form(**changes))
    account.refresh_from_db()
    assert (account.per_minute, account.per_hour, account.per_day) == (None, 50, 300)
    assert account.spread_evenly
    assert account.is_main
    assert account.working_days == [0, 4]
    assert account.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"work_from": "22:00", "work_until": "06:00"}, "end later than they begin"),
        ({"work_from": ""}, "both times"),
        ({"working_days": []}, "at least one day"),
        ({"time_zone": "Europe/Atlantis"}, "Select a valid choice"),
        ({"per_hour": "0"}, "1 or more"),
        ({"per_day": "99999999999999999999999"}, "10000000 at most"),
        ({"per_minute": "10", "per_hour": "5", "per_day": ""}, "More than an hour"),
        ({"per_minute": "10", "per_hour": "", "per_day": "5"}, "More than a day"),
        ({"per_minute": "", "per_hour": "50", "per_day": "5"}, "More than a day"),
        ({"spacing_from": "40", "spacing_until": "20"}, "must not be longer than the longest"),
    ],
)
def test_limits_that_make_no_sense_are_refused_in_words(editor, account, changes, complaint):
    response = editor.post(_url("edit", account), _form(working_hours_only="on", **changes))
    assert complaint in response.content.decode()
    # The sentence stands where the mistake is.
    [field] = response.context["form"].errors
    assert field in changes or field == "work_until"
    account.refresh_from_db()
    assert not account.working_hours_only


def test_switching_an_account_off_stops_its_mailings_at_once(editor, account, monkeypatch):
    given = []
    monkeypatch.setattr("massmail_plugin.admin.account_page.nudge_tick", lambda: given.append(1))
    editor.post(_url("switch_off", account))
    assert given == [1]


def test_a_batch_is_offered_to_mailings_only_where_an_account_can_send_one(editor, account):
    def offers():
        return "in_batches" in editor.get(reverse("massmail_mailings:add")).context["form"].fields

    assert not offers()
    SenderAccount.objects.update(kind="backend", batch_size=20)
    assert offers()


def test_a_new_account_sends_at_any_time_and_spreads_what_is_limited(editor):
    page = editor.get(_url("add")).context["form"]
    assert not page["working_hours_only"].value()
    assert page["spread_evenly"].value()
    assert page["working_days"].value() == [0, 1, 2, 3]


def test_the_page_says_what_was_sent_and_when_the_next_mail_leaves(editor):
    from django.utils import timezone

    from massmail_plugin.mailings.models import Delivery
    from tests.builders import a_mailing, contacts, start_now

    account = an_account(owner=editor.user, per_hour=2, per_day=1000)
    run = start_now(a_mailing(to=contacts(2), through=account))
    Delivery.objects.filter(run=run).update(state="accepted", account=account, paced_at=timezone.now())
    page = editor.get(_url("inspect", account)).content.decode()
    assert "Nothing leaves before" in page
    assert "limit of mails an hour is used up" in page
    assert "2 of 1,000" in page
    listing = editor.get(_url("index")).content.decode()
    assert "2 of 2" in listing
    assert "2 of 1,000" in listing
