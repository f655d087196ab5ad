"""A database in whose letters "I" has a small one without a dot: addresses keep to ASCII's rules all the same (F88)."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import CharField
from django.db.models.functions import Lower

from massmail_plugin.audience.audiences import Candidate
from massmail_plugin.audience.carrying import Carried, copy_people
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, an_account, start_now

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("postgresql")]

LINK = How(ConsentEvent.Method.LINK)


@pytest.fixture(autouse=True)
def turkish() -> None:
    """As in a database that was made with Turkish letters. A test's end takes it back."""
    with connection.cursor() as cursor:
        for model in (Contact, Candidate, Delivery, EmailAddress):
            for field in model._meta.concrete_fields:
                if isinstance(field, CharField):
                    cursor.execute(
                        f'ALTER TABLE "{model._meta.db_table}" ALTER "{field.column}" '
                        f'TYPE {field.db_type(connection)} COLLATE "tr-x-icu"'
                    )


def test_these_letters_are_turkish() -> None:
    a_contact("INFO@SHOP.EXAMPLE")
    assert Contact.objects.values_list(Lower("email"), flat=True).get() == "ınfo@shop.example"


def test_an_address_in_capitals_is_mailed_once_and_to_its_own_domain() -> None:
    an_account()
    run = start_now(a_mailing(to=[a_contact("Info@SHIP.EXAMPLE"), a_contact("info@ship.example")]))
    assert list(run.deliveries.order_by("pk").values_list("envelope", "state", "reason")) == [
        ("Info@ship.example", "queued", ""),
        ("info@ship.example", "skipped", Reason.DUPLICATE),
    ]


def test_a_no_finds_an_address_in_capitals() -> None:
    an_account()
    gone = EmailAddress.objects.create(key="info@ship.example")
    consent.opt_out(gone, [Scope()], LINK)
    run = start_now(a_mailing(to=[a_contact("INFO@SHIP.EXAMPLE"), a_contact("ada@ship.example")]))
    assert sorted(run.deliveries.values_list("state", "reason")) == [
        ("queued", ""),
        ("skipped", Reason.OPTED_OUT),
    ]


def test_who_has_left_a_list_under_an_address_in_capitals_is_excluded_and_stays_behind() -> None:
    an_account()
    capitals = a_contact("INFO@SHIP.EXAMPLE")
    source, target = a_target_list(capitals, a_contact("ada@ship.example")), a_target_list()
    consent.opt_out(EmailAddress.objects.create(key="info@ship.example"), [source.consent_scope], LINK)
    assert copy_people(source, target) == Carried(new=1, stayed=1)
    campaign = a_campaign(source, excluding=[a_target_list(a_contact("info@ship.example"))])
    run = start_now(a_mailing(campaign=campaign))
    assert run.deliveries.get(email=capitals.email).reason == Reason.EXCLUDED
