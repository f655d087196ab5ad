"""The check that all these tests rely on notices each kind of harm, and says which mail it is."""

import shutil

import pytest

from massmail_plugin.mailings.models import Delivery, Mailing
from tests import builders
from tests.acceptance.faults.invariants import check

ADA = "person1@customers.example"


@pytest.fixture
def run(sink, workers):
    builders.an_account(sink)
    run = builders.start_now(builders.a_mailing(to=builders.contacts(3)))
    workers.one_pass()
    check(run, sink, people=3, logs=workers.said())
    return run


def file_of(sink, email):
    [copy] = [copy for copy in sink.copies() if copy.recipient == email]
    return sink.folder / copy.file


def row(run, email=ADA):
    return Delivery.objects.filter(run=run, email=email)


HARM = {
    "I1: the run has 3 rows instead of 4": lambda run, sink: {"people": 4},
    f"{ADA}> is lost": lambda run, sink: file_of(sink, ADA).unlink(),
    f"{ADA}> (accepted) has 2 copies": lambda run, sink: shutil.copy(
        file_of(sink, ADA), sink.folder / "000000-again.eml"
    ),
    f"{ADA}> stands at failed": lambda run, sink: row(run).update(state="failed"),
    "I3: 1 mails are in doubt, at most 0 may be": lambda run, sink: row(run).update(state="in_doubt"),
    "I4: the mailing stands at active": lambda run, sink: Mailing.objects.update(state="active"),
    "I4: the mailing stands at paused": lambda run, sink: Mailing.objects.update(state="paused", notice=""),
    f"{ADA}> is deferred": lambda run, sink: row(run).update(state="deferred"),
    f"I5: {ADA} said no": lambda run, sink: {"said_no": [ADA]},
    f"I7: the log names {ADA}": lambda run, sink: {"logs": f"Sent to {ADA}"},
}


@pytest.mark.parametrize("words", HARM)
def test_harm_is_noticed(run, sink, words):
    done = HARM[words](run, sink)
    arguments = {"people": 3, **(done if isinstance(done, dict) else {})}

    with pytest.raises(AssertionError) as found:
        check(run, sink, **arguments)
    assert words in str(found.value)
