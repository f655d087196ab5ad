"""Erasing a person: nothing of ours names them, and no mail goes to them, whatever was under way."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from massmail_plugin import recipients
from massmail_plugin.audience import joining
from massmail_plugin.audience.importing import working
from massmail_plugin.audience.importing.actions import start, upload
from massmail_plugin.audience.importing.columns import Columns
from massmail_plugin.audience.importing.models import ImportFailure, ListImport
from massmail_plugin.audience.members import add_members
from massmail_plugin.audience.models import TargetListMember
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.delivery.ledger import claiming, fence, writing
from massmail_plugin.delivery.mails.prepared import Prepared
from massmail_plugin.delivery.transports.base import Outcome, Verdict
from massmail_plugin.delivery.turns import outcomes
from massmail_plugin.feedback import erasing, events
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.models import SenderAccount
from massmail_plugin.recipients import erased
from massmail_plugin.recipients.consent import How
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, Subscriber
from massmail_plugin.recipients.subscribers import ensure_subscriber
from sandbox.crm.models import Contact
from tests.audiences import candidates_of
from tests.builders import (
    a_campaign,
    a_contact,
    a_mailing,
    a_segment,
    a_target_list,
    an_account,
    an_administrator,
    start_now,
)
from tests.integration.feedback.conftest import ADDRESS, Sent

pytestmark = pytest.mark.django_db

HOW = How(ConsentEvent.Method.OPERATOR)


def everything_we_keep() -> str:
    """Return all our rows as text."""
    models = apps.get_app_config("massmail_plugin").get_models()
    return "\n".join(repr(list(model._default_manager.values())) for model in models)


def test_nothing_of_ours_names_the_person(sent: Sent) -> None:
    a_contact(f" {ADDRESS.upper()} ", first_name="Ada", last_name="Byron")
    ensure_subscriber(ADDRESS, name="Ada Byron")
    Delivery.objects.filter(pk=sent.delivery.pk).update(detail=f"250 <{ADDRESS}> is welcome")
    fact = events.Fact(
        DeliveryEvent.Kind.BOUNCED_SOFT, sent.run.started_at, detail=f"4.2.2 {ADDRESS} is full"
    )
    events.record(sent.delivery, fact)

    done = erasing.erase(ADDRESS, HOW)

    assert done.memberships == 2
    assert done.deliveries == 1
    kept = everything_we_keep().lower()
    assert "ada.byron" not in kept
    assert "'ada" not in kept
    assert sent.state == DeliveryState.ACCEPTED, "That a mail was sent stays true."
    assert sent.kinds() == ["bounced_soft"]


def test_the_hosts_record_stays_and_others_are_not_concerned(sent: Sent) -> None:
    erasing.erase(ADDRESS, HOW)
    assert Contact.objects.filter(email=ADDRESS).exists()
    bobs = Delivery.objects.get(run=sent.run, email="bob@customers.example")
    assert bobs.address is not None
    assert bobs.address.is_mailable
    assert TargetListMember.objects.count() == 1


def test_a_second_record_with_the_address_is_erased_from_the_ledger_too() -> None:
    an_account()
    twins = [a_contact(ADDRESS, first_name="Ada"), a_contact(ADDRESS.title(), first_name="Adelaide")]
    run = start_now(a_mailing(to=twins))
    erasing.erase(ADDRESS, HOW)
    assert set(Delivery.objects.filter(run=run).values_list("email", "name", "detail")) == {("", "", "")}
    assert run.deliveries.count() == 2, "The counts of a run still add up."


def test_a_mail_that_waits_is_left_out() -> None:
    an_account()
    run = start_now(a_mailing(to=[a_contact(ADDRESS), a_contact("bob@customers.example")]))
    erasing.erase(ADDRESS, HOW)
    assert sorted(run.deliveries.values_list("state", "reason")) == [
        ("queued", ""),
        ("skipped", Reason.ERASED),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_mail_in_a_workers_hands_does_not_pass_the_fence() -> None:
    account = an_account()
    start_now(a_mailing(to=[a_contact(ADDRESS)]))
    (claimed,) = claiming.claim(SenderAccount.objects.get(pk=account.pk), 1)

    erasing.erase(ADDRESS, HOW)

    assert fence.commit_to_send([claimed]) == set()
    entry = outcomes.entry_for(claimed, Outcome(Verdict.FENCED))
    assert (entry.state, entry.reason) == (DeliveryState.SKIPPED, Reason.ERASED)
    writing.write([entry])
    row = Delivery.objects.get(pk=claimed.pk)
    assert (row.state, row.reason, row.email) == (DeliveryState.SKIPPED, Reason.ERASED, "")


@pytest.mark.django_db(transaction=True)
def test_the_fence_goes_by_the_erasure_itself() -> None:
    account = an_account()
    start_now(a_mailing(to=[a_contact(ADDRESS)]))
    (claimed,) = claiming.claim(SenderAccount.objects.get(pk=account.pk), 1)
    row = erased.erase_address(ADDRESS, HOW)
    EmailAddress.objects.filter(pk=row.pk).update(opted_out_since=None)
    assert fence.commit_to_send([claimed]) == set()


@pytest.mark.django_db(transaction=True)
def test_a_failed_mail_that_is_tried_again_says_why_it_is_left_out(sent: Sent) -> None:
    erasing.erase(ADDRESS, HOW)
    sent.be(DeliveryState.QUEUED)
    (claimed,) = claiming.claim(SenderAccount.objects.get(), 1)
    assert claimed.pk == sent.delivery.pk
    assert Prepared([claimed]).changed_since_start(claimed) == Reason.ERASED


def test_a_later_mailing_leaves_the_hosts_record_out_without_naming_anybody(sent: Sent) -> None:
    """The record is still in the CRM, and still in a list."""
    erasing.erase(ADDRESS, HOW)
    again = a_target_list(*Contact.objects.all())
    excluded = a_target_list(Contact.objects.get(email=ADDRESS))

    run = start_now(a_mailing(campaign=a_campaign(again, excluding=[excluded])))

    rows = run.deliveries.filter(object_id=sent.delivery.object_id)
    assert list(rows.values_list("state", "reason", "name", "email", "address")) == [
        ("skipped", Reason.ERASED, "", "", None)
    ]
    assert ADDRESS not in everything_we_keep()


def test_the_command_erases_whoever_it_is() -> None:
    said = StringIO()
    call_command("massmail_erase", "Never.Seen@Customers.example", "--reason=letter", stdout=said)
    assert erased.erased_keys(["never.seen@customers.example"]) == {"never.seen@customers.example"}
    assert "Erased: 0 mails" in said.getvalue()
    with pytest.raises(CommandError, match="no e-mail address"):
        call_command("massmail_erase", "never seen")


def test_the_links_in_old_mails_say_that_nothing_comes_any_more(client: Client, sent: Sent) -> None:
    opt_out, one_click = sent.opt_out_url(), sent.one_click_url()
    erasing.erase(ADDRESS, HOW)

    html = client.get(opt_out).content.decode()
    assert "You get no mail from us any more" in html
    assert "erased:" not in html
    assert client.post(opt_out, {"wish": "everything"}).status_code == 200
    assert client.post(one_click, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert client.get(sent.view_url()).status_code == 410
    assert list(sent.address.consent_events.values_list("kind", flat=True)) == ["erased"]


def test_what_imports_have_kept_of_their_files_goes_too(sent: Sent) -> None:
    what = ListImport.objects.create(
        target_list=a_target_list(),
        state="done",
        samples={"People": [["Email"], [f"Ada <{ADDRESS.title()}>"]]},
    )
    for number, cell in enumerate([f" {ADDRESS.upper()},", "bob@customers.example"]):
        ImportFailure.objects.create(list_import=what, number=number, fault="malformed", cells=[cell, "x"])

    erasing.erase(ADDRESS, HOW)

    assert ADDRESS not in everything_we_keep().lower()
    assert ImportFailure.objects.get().cells == ["bob@customers.example", "x"]


def do(what: ListImport) -> None:
    """Import a file of addresses to its end."""
    start(
        what,
        Columns(address=0),
        ["Email"],
        has_headings=True,
        encoding="utf-8-sig",
        delimiter=",",
        user=what.started_by,
    )
    working.work_on(what.pk, timezone.now, seconds=60, stop=lambda: False)


def test_an_import_does_not_bring_an_erased_person_back() -> None:
    erasing.erase(ADDRESS, HOW)
    people = a_target_list()
    rows = f"Email\n{ADDRESS.title()}\nnew@customers.example\n"
    what = upload(people, "people.csv", [rows.encode()], an_administrator())
    do(what)

    what.refresh_from_db()
    assert (what.state, what.added, what.failed) == ("done", 1, 1)
    failure = ImportFailure.objects.get()
    assert (failure.fault, failure.number, failure.cells) == ("erased", 2, [])
    assert list(Subscriber.objects.values_list("key", flat=True)) == ["new@customers.example"]
    assert people.members.count() == 1


@pytest.mark.parametrize("is_known_again", [False, True])
def test_who_was_erased_and_signs_up_for_one_list_gets_no_other(is_known_again: bool) -> None:
    """Erasing forgets the opt-outs too: none of them can be told from a wish to be mailed."""
    eve = a_contact("eve@example.org", city="Dublin")
    a, b, segment = a_target_list(), a_target_list(eve), a_segment(city="Dublin")
    erasing.erase("eve@example.org", HOW)
    if is_known_again:
        EmailAddress.objects.create(key="eve@example.org")
    add_members(b, recipients.for_model(Contact), [eve.pk])
    joining.join(a, "eve@example.org", How(ConsentEvent.Method.SIGN_UP))

    assert [row.reason for row in candidates_of([a])] == [""]
    assert [row.reason for row in candidates_of([b])] == [Reason.OPTED_OUT_LIST]
    assert [row.reason for row in candidates_of([segment])] == [Reason.OPTED_OUT_LIST]
    assert [row.reason for row in candidates_of([a, b])] == [Reason.OPTED_OUT_LIST]


def test_who_is_erased_while_a_batch_is_read_is_not_brought_in(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_target_list()
    rows = b"Email\nEve@example.org\nbob@example.org\n"
    what = upload(page, "people.csv", [rows], an_administrator())
    read_first = working.find_records

    def erased_meanwhile(*args: Any) -> Any:
        erasing.erase("eve@example.org", HOW)
        return read_first(*args)

    monkeypatch.setattr(working, "find_records", erased_meanwhile)
    do(what)

    assert "eve@example.org" not in everything_we_keep().lower()
    assert list(Subscriber.objects.values_list("email", flat=True)) == ["bob@example.org"]


def test_a_row_that_was_written_while_its_person_was_erased_names_nobody_either(sent: Sent) -> None:
    """The ledger is copied by a statement that has not seen the erasing; it commits afterwards."""
    sent.be(DeliveryState.QUEUED)
    claimed = claiming.claim(SenderAccount.objects.get(), 5)
    mine = next(one for one in claimed if one.pk == sent.delivery.pk)
    erased.erase_address(ADDRESS, HOW)
    writing.write([outcomes.entry_for(mine, Outcome(Verdict.FENCED))])

    row = Delivery.objects.get(pk=mine.pk)
    assert (row.state, row.name, row.email, row.envelope) == (DeliveryState.SKIPPED, "", "", "")


@pytest.mark.parametrize("spelled", ["ada@bücher.example", "ADA@BÜCHER.example", "ada@xn--bcher-kva.example"])
def test_of_an_international_address_nothing_is_left_however_it_is_spelled(spelled: str) -> None:
    contact, again = a_contact(spelled), a_contact(f" {spelled}")
    people = a_target_list(contact, again)
    an_account()
    start_now(a_mailing(campaign=a_campaign(people)))
    what = upload(people, "people.csv", [f"Email\n{spelled},oops\n".encode()], an_administrator())
    do(what)
    assert ImportFailure.objects.count() == 1

    done = erasing.erase("ada@xn--bcher-kva.example", HOW)

    assert done.memberships == 2
    kept = everything_we_keep().lower()
    assert "bücher" not in kept
    assert "bcher-kva" not in kept


def test_of_a_local_part_with_other_letters_nothing_is_left_however_it_is_spelled() -> None:
    an_account()
    people = a_target_list(a_contact("JÖRG@example.org"), a_contact("jo\u0308rg@example.org"))
    start_now(a_mailing(campaign=a_campaign(people)))

    assert erasing.erase("jörg@example.org", HOW).memberships == 2
    assert "rg@example.org" not in everything_we_keep().lower()
