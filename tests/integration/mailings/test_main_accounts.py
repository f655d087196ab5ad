"""The checks know main accounts: they send to VIPs only."""

import pytest

from massmail_plugin.mailings import actions, preflight
from massmail_plugin.mailings.preflight import Place
from massmail_plugin.mailings.verbs import Refused
from tests.builders import a_contact, a_mailing, an_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailing():
    an_account(is_main=True)
    return a_mailing(to=[a_contact(is_vip=True), a_contact(), a_contact()])


def test_a_mailing_that_only_a_main_account_could_send_is_not_released(mailing):
    with pytest.raises(Refused, match="2 of 3 people would get no mail"):
        actions.release(mailing)
    (finding,) = preflight.check(mailing).problems
    assert finding.place == Place.ACCOUNTS


def test_another_account_makes_it_right(mailing):
    an_account()
    assert preflight.check(mailing).problems == []


def test_a_main_account_alone_may_send_to_vips_alone():
    an_account(is_main=True)
    assert preflight.check(a_mailing(to=[a_contact(is_vip=True)])).problems == []


def test_another_account_that_is_not_ready_does_not_help(mailing):
    an_account(state="faulty")
    assert len(preflight.check(mailing).problems) == 1
