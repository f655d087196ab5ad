"""F16: a worker is killed while it moves the people of a long list into another, and the next one finishes."""

from __future__ import annotations

import pytest

from massmail_plugin.audience.carrying import PORTION
from massmail_plugin.audience.importing import from_list
from massmail_plugin.audience.importing.models import ImportBatch, ListImport
from massmail_plugin.audience.members import add_members
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients.consent import How, opt_out
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from tests import builders
from tests.acceptance.faults.conftest import time_passes
from tests.acceptance.faults.failpoints import Failpoint

#: Three portions.
PEOPLE = 2 * PORTION + 100

WORKING = "massmail_plugin.audience.importing.working"
CARRYING = "massmail_plugin.audience.carrying"
KILLED = {
    "between two portions": Failpoint(f"{WORKING}:_import_batch", nth=2),
    "with a portion deleted, and nobody of it moved": Failpoint(f"{WORKING}:carry_batch", nth=2),
    "before they come in": Failpoint(f"{CARRYING}:insert_members", nth=2),
    "with nobody of the last portion left": Failpoint(f"{WORKING}:Claim.end"),
}


@pytest.fixture
def what() -> ListImport:
    """Many people on their way; one of the other list's is there already, and one has left this one."""
    source, target = builders.a_target_list(title="Leads"), builders.a_target_list(title="Customers")
    people = builders.contacts(PEOPLE)
    recipient_type = builders.recipients.for_model(type(people[0]))
    add_members(source, recipient_type, [one.pk for one in people])
    add_members(target, recipient_type, [people[0].pk])
    gone = EmailAddress.objects.create(key=people[PORTION + 5].email)
    opt_out(gone, [source.consent_scope], How(ConsentEvent.Method.LINK))
    return from_list.bring(source, target, moving=True, user=builders.an_administrator())


@pytest.mark.parametrize("point", KILLED.values(), ids=[f"F16 {where}" for where in KILLED])
def test_f16_killed_while_a_list_is_moved_everybody_is_in_one_of_the_two(workers, what, point):
    workers.start("one_pass", point).wait_for_its_death()
    assert len(_people_of(what.source) | _people_of(what.target_list)) == PEOPLE
    time_passes()
    workers.one_pass()

    what.refresh_from_db()
    assert (what.state, what.rows, what.rows_done) == (ListImport.State.DONE, PEOPLE, PEOPLE)
    assert (what.added, what.already, what.stayed) == (PEOPLE - 2, 1, 1)
    assert what.target_list.members.count() == PEOPLE - 1
    assert what.source.members.count() == 1
    assert not ImportBatch.objects.exists()


def _people_of(target_list: TargetListPage) -> set[str]:
    return set(target_list.members.values_list("object_id", flat=True))
