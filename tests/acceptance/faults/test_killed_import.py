"""F16: a worker is killed while it imports a file into a list, and another one finishes."""

from __future__ import annotations

import pytest
from django.utils import timezone

from massmail_plugin.audience.importing.actions import start, upload
from massmail_plugin.audience.importing.claims import MOST_TRIES
from massmail_plugin.audience.importing.columns import Columns
from massmail_plugin.audience.importing.models import ImportBatch, ImportPiece, ListImport
from massmail_plugin.audience.importing.working import BATCH_ROWS
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.standing import standing_of
from massmail_plugin.recipients.consent import How, Scope, opt_out
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, ListOptOut, Subscriber
from tests import builders
from tests.acceptance.faults.conftest import time_passes
from tests.acceptance.faults.failpoints import Failpoint

State = ListImport.State

#: Three batches.
PEOPLE = 2 * BATCH_ROWS + 100
BY_LINK = How(ConsentEvent.Method.LINK)

WORKING = "massmail_plugin.audience.importing.working"
KILLED = {
    "before the file is read": Failpoint(f"{WORKING}:_read"),
    "while the file is read": Failpoint(f"{WORKING}:storable", nth=BATCH_ROWS + 50),
    "when the file is read": Failpoint(f"{WORKING}:Claim.came_on"),
    "between two batches": Failpoint(f"{WORKING}:_import_batch", nth=2),
    "with a batch deleted, and nobody of it added": Failpoint(f"{WORKING}:_Batch.bring_in", nth=2),
    "with a batch added, and not counted": Failpoint(f"{WORKING}:who_said_no", nth=2),
    "after the last batch": Failpoint(f"{WORKING}:Claim.end"),
    "at the very end": Failpoint(f"{WORKING}:log_added"),
}


@pytest.fixture
def what() -> ListImport:
    """An import of many people; the CRM knows one, one has left everything and one the list, and two rows are bad."""
    into = builders.a_target_list(title="Prospects")
    builders.a_contact("person5@customers.example")
    for number, scope in ((7, Scope()), (BATCH_ROWS + 7, into.consent_scope)):
        opt_out(EmailAddress.objects.create(key=f"person{number}@customers.example"), [scope], BY_LINK)
    rows = [f"person{n}@customers.example" for n in range(1, PEOPLE + 1)]
    rows += ["PERSON1@customers.example", "nobody at all"]
    user = builders.an_administrator()
    uploaded = upload(into, "people.csv", ["\n".join(["Email", *rows]).encode()], user)
    start(
        uploaded,
        Columns(address=0),
        ["Email"],
        has_headings=True,
        encoding=uploaded.encoding,
        delimiter=uploaded.delimiter,
        user=user,
    )
    return uploaded


@pytest.mark.parametrize("point", KILLED.values(), ids=[f"F16 {where}" for where in KILLED])
def test_f16_killed_during_an_import_another_finishes_and_nobody_is_twice_or_lost(workers, what, point):
    workers.start("one_pass", point).wait_for_its_death()
    # Its claim still holds.
    workers.one_pass()
    what.refresh_from_db()
    assert what.is_running

    time_passes()
    workers.one_pass()

    what.refresh_from_db()
    assert (what.state, what.rows, what.rows_done) == (State.DONE, PEOPLE + 2, PEOPLE + 2)
    assert (what.added, what.already, what.failed) == (PEOPLE, 1, 1)
    assert [failure.cells for failure in what.failures.all()] == [["nobody at all"]]
    assert not ImportBatch.objects.exists()
    assert not ImportPiece.objects.exists()
    everybody_is_there_once(what.target_list)
    said_no_still_counts(what)


def everybody_is_there_once(into: TargetListPage) -> None:
    assert into.members.count() == PEOPLE
    assert into.members.filter(recipient_type="crm.contact").count() == 1
    keys = set(Subscriber.objects.values_list("key", flat=True))
    assert keys == {f"person{n}@customers.example" for n in range(1, PEOPLE + 1) if n != 5}


def said_no_still_counts(what: ListImport) -> None:
    assert what.not_mailable == {"opted_out": 1, "opted_out_list": 1}
    assert (ConsentEvent.objects.count(), ListOptOut.objects.count()) == (2, 1)
    counts = standing_of(what.target_list).counts(PEOPLE)
    assert counts == {"": PEOPLE - 2, "opted_out": 1, "opted_out_list": 1}


def test_f16_rows_that_kill_each_worker_end_the_import_and_it_says_who_is_in_the_list(workers, what):
    deadly = Failpoint(f"{WORKING}:find_records", about=f"person{BATCH_ROWS + 9}@customers.example", nth=0)
    for _try in range(MOST_TRIES):
        workers.start("one_pass", deadly).wait_for_its_death()
        what.refresh_from_db()
        assert (what.state, what.rows_done) == (State.IMPORTING, BATCH_ROWS)
        time_passes()
    workers.start("one_pass", deadly).done()

    what.refresh_from_db()
    assert (what.state, what.added) == (State.FAILED, BATCH_ROWS)
    assert f"after {BATCH_ROWS} of {PEOPLE + 2} rows" in what.problem
    assert what.finished_at < timezone.now()
    assert what.target_list.members.count() == BATCH_ROWS
