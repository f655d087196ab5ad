"""Accounts: whose mailings they serve, what they refuse, and what never shows."""

import json

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import connection

from massmail_plugin.accounts import faults
from massmail_plugin.accounts.connections import BadBackend, read_options
from massmail_plugin.accounts.models import SenderAccount, accounts_for
from massmail_plugin.accounts.secrets import Secret, SecretUnreadable
from tests.builders import a_user, an_account

pytestmark = pytest.mark.django_db


def test_a_password_survives_the_database_and_lies_there_encrypted():
    account = an_account(password=Secret.of("hunter2"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM massmail_plugin_senderaccount WHERE id = %s", [account.pk])
        (stored,) = cursor.fetchone()
    assert "hunter2" not in stored
    assert SenderAccount.objects.get(pk=account.pk).password.reveal() == "hunter2"


def test_neither_fixtures_nor_reprs_hold_a_password():
    account = an_account(password=Secret.of("hunter2"), backend_options=Secret.of('{"api_key": "hunter2"}'))
    for text in (serializers.serialize("json", [account]), repr(account), str(account.__dict__)):
        assert "hunter2" not in text


def test_a_fixture_can_be_loaded_again():
    account = an_account(password=Secret.of("hunter2"))
    fixture = serializers.serialize("json", [account])
    account.delete()
    for row in serializers.deserialize("json", fixture):
        row.save()
    assert SenderAccount.objects.get().password.reveal() == "hunter2"


def test_a_changed_key_makes_the_account_unusable_and_says_so(settings):
    account = an_account(password=Secret.of("hunter2"))
    settings.MASSMAIL = {"SECRET_KEYS": ["another"]}
    account.refresh_from_db()
    with pytest.raises(SecretUnreadable, match="again"):
        account.password.reveal()


def test_an_owners_own_account_goes_before_everybodys():
    owner = a_user()
    shared = an_account()
    assert list(accounts_for(owner.pk)) == [shared]
    own = an_account(owner=owner)
    assert list(accounts_for(owner.pk)) == [own]
    assert list(accounts_for(None)) == [shared]


@pytest.mark.parametrize("state", [SenderAccount.State.OFF, SenderAccount.State.FAULTY])
def test_an_account_that_is_not_ready_serves_nobody(state):
    an_account(state=state)
    assert not accounts_for(None).exists()


def test_stopping_and_mending_are_done_once():
    account = an_account()
    assert faults.stop(account, "535 Wrong password")
    assert not faults.stop(account, "again")
    account.refresh_from_db()
    assert account.last_fault == "535 Wrong password"
    assert faults.mend(account)
    assert not faults.mend(account)


def test_an_account_that_its_owner_switched_off_is_not_switched_on_by_a_mend():
    account = an_account(state=SenderAccount.State.OFF)
    assert not faults.mend(account)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "smtp", "host": ""}, "host"),
        ({"kind": "backend", "backend": ""}, "backend"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"from_email": "nobody"}, "from_email"),
    ],
)
def test_what_cannot_work_is_refused_at_the_field(fields, wrong):
    account = SenderAccount(**{"name": "x", "from_email": "a@b.example", "host": "h", **fields})
    with pytest.raises(ValidationError) as caught:
        account.full_clean()
    assert set(caught.value.message_dict) == {wrong}


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "null"])
def test_backend_options_have_to_be_a_json_object(text):
    with pytest.raises(BadBackend, match="JSON"):
        read_options(text)


def test_backend_options_are_read():
    assert read_options(json.dumps({"api_key": "k"})) == {"api_key": "k"}
    assert read_options("") == {}


def test_the_sending_domain_is_ascii():
    assert SenderAccount(from_email="a@bücher.example").sending_domain == "xn--bcher-kva.example"
