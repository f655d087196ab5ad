"""Secrets are shown to nobody and fail closed."""

import pytest

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret, SecretField, SecretUnreadable


def test_what_was_encrypted_can_be_revealed():
    assert Secret.of("pässwörd").reveal() == "pässwörd"


def test_the_cipher_text_does_not_hold_the_password():
    assert "hunter2" not in Secret.of("hunter2").cipher


def test_no_text_form_shows_anything():
    secret = Secret.of("hunter2")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}"):
        assert text == "<secret>"


def test_a_wrong_key_raises_and_never_yields_the_cipher_text(settings):
    settings.MASSMAIL = {"SECRET_KEYS": ["first"]}
    stored = Secret.of("hunter2").cipher
    settings.MASSMAIL = {"SECRET_KEYS": ["second"]}
    with pytest.raises(SecretUnreadable) as caught:
        Secret(stored).reveal()
    assert stored not in str(caught.value)


def test_an_old_key_still_opens(settings):
    settings.MASSMAIL = {"SECRET_KEYS": ["first"]}
    stored = Secret.of("hunter2").cipher
    settings.MASSMAIL = {"SECRET_KEYS": ["second", "first"]}
    assert Secret(stored).reveal() == "hunter2"


def test_a_plain_text_cannot_be_stored_by_mistake():
    with pytest.raises(TypeError):
        SecretField().get_prep_value("hunter2")


def test_the_field_is_in_no_model_form():
    assert not SenderAccount._meta.get_field("password").editable
    assert not SenderAccount._meta.get_field("backend_options").editable


def test_the_empty_secret_is_false_and_empty():
    assert not Secret.of("")
    assert Secret.of("").reveal() == ""
