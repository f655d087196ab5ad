"""The first mailing of the sandbox: complete, sendable, and never made twice or taken back."""

from __future__ import annotations

import pytest
from django.test import override_settings

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.summary import summary_of
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.mailings.models import Campaign, Mailing
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm import awkward
from sandbox.crm.first_mailing import load_first_mailing
from sandbox.crm.models import Contact
from sandbox.crm.people import load_people
from sandbox.crm.staff import load_staff
from tests.audiences import worked_out

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def people() -> None:
    load_people(load_staff())


def counts() -> list[int]:
    kinds = (Mailing, Campaign, EmailTemplate, TargetListPage, SenderAccount, EmailAddress, ConsentEvent)
    return [kind._default_manager.count() for kind in kinds]


def test_loading_again_makes_nothing_twice() -> None:
    mailing = load_first_mailing()
    before = counts()

    again = load_first_mailing()

    assert again == mailing
    assert counts() == before


def test_its_list_holds_every_awkward_contact() -> None:
    load_first_mailing()
    members = TargetListPage.objects.get().members.filter(recipient_type="crm.contact")

    awkward_ids = Contact.objects.filter(tags="awkward").values_list("pk", flat=True)

    assert {str(pk) for pk in awkward_ids} <= set(members.values_list("object_id", flat=True))


def test_it_leaves_people_out_for_every_kind_of_reason() -> None:
    mailing = load_first_mailing()

    summary = summary_of(worked_out(mailing.campaign.sources()))

    unmailable = [case for case in awkward.ALL if not case.mailable]
    duplicates = len(awkward.SAME_ADDRESS) + len(awkward.SAME_IDN_ADDRESS) - 2
    assert 200 <= summary.included <= 350
    assert sum(summary.left_out.values()) >= len(unmailable) + duplicates + 6


def test_its_template_is_published_and_has_its_picture() -> None:
    template = load_first_mailing().template

    assert template is not None
    assert template.live
    assert [block.block_type for block in template.body][:3] == ["heading", "image", "text"]
    assert template.body[1].value["image"].file.size > 0


def test_what_somebody_said_later_stands() -> None:
    load_first_mailing()
    address = EmailAddress.objects.exclude(opted_out_since=None)[0]
    consent.opt_in(address, [consent.Scope()], consent.How(ConsentEvent.Method.OPERATOR))

    load_first_mailing()

    address.refresh_from_db()
    assert address.opted_out_since is None


def test_whom_a_person_took_out_of_the_list_stays_out() -> None:
    load_first_mailing()
    members = TargetListPage.objects.get().members
    members.order_by("pk")[0].delete()
    left = members.count()

    load_first_mailing()

    assert members.count() == left


def test_the_account_follows_the_mail_server_to_another_port() -> None:
    load_first_mailing()

    with override_settings(EMAIL_PORT=2599):
        load_first_mailing()

    assert SenderAccount.objects.get().port == 2599


def test_an_account_that_leads_elsewhere_keeps_its_port() -> None:
    load_first_mailing()
    SenderAccount.objects.update(host="smtp.sandbox.example", port=465)

    with override_settings(EMAIL_PORT=2599):
        load_first_mailing()

    assert SenderAccount.objects.get().port == 465
