"""F32 on a file system of its own, which is really full: journals and database find no room on it."""

import shutil
import signal
import subprocess
from collections import Counter

import pytest
from django.db import connection

from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.invariants import check
from tests.acceptance.faults.workers import Workers, Zygote

PEOPLE = 12
UNLUCKY = "person3@customers.example"
#: A mount of its own, without privileges: Linux gives that to whoever is root in a namespace of theirs.
APART = ("unshare", "--map-root-user", "--mount")
FULL, ROOM = signal.SIGUSR1, signal.SIGUSR2


def _can_mount(folder):
    command = [*APART, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return (
        shutil.which(APART[0]) and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


pytestmark = pytest.mark.only_on("sqlite")


@pytest.fixture(scope="module")
def zygote(django_db_setup, tmp_path_factory):
    if not _can_mount(tmp_path_factory.mktemp("mount")):
        pytest.skip("This machine gives no mounts away: test_full_disk shows the same by limited files.")
    with Zygote(*APART) as zygote:
        yield zygote


@pytest.fixture
def workers(zygote, tmp_path):
    workers = Workers(zygote, tmp_path)
    yield workers
    workers.end()
    print(workers.said())


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def run(sink):
    builders.an_account(sink, connections=1)
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE)))


def start(workers, disk, **arguments):
    """Start a worker that moves the database to this disk, and brings it back at its end."""
    connection.close()
    massmail = {"JOURNAL_DIR": str(disk / "journals")}
    return workers.start("one_pass_on_a_small_disk", massmail=massmail, folder=str(disk), **arguments)


def everybody_got_one(run, sink):
    assert set(builders.states_by_address(run).values()) == {DeliveryState.ACCEPTED}
    assert Counter(sink.recipients) == {f"person{n}@customers.example": 1 for n in range(1, PEOPLE + 1)}


def test_f32_nothing_leaves_through_a_machine_whose_disk_is_full_and_everything_afterwards(
    workers, sink, run, disk
):
    worker = start(workers, disk, full_from_the_beginning=True)
    workers.wait_until_one_says("The full disk has had its pass")
    assert sink.mails == []
    worker.tell(ROOM)
    worker.done()

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)


def test_f32_an_answer_that_comes_while_the_disk_is_full_is_kept_and_written_when_there_is_room(
    workers, sink, run, disk
):
    with sink.holding("dot", when=UNLUCKY) as held:
        worker = start(workers, disk)
        held.wait_until_reached()
        worker.tell(FULL)
        workers.wait_until_one_says("The disk is full")
    workers.wait_until_one_says("outcomes wait for the database")
    worker.tell(ROOM)
    worker.done()
    assert builders.states_by_address(run)[UNLUCKY] == DeliveryState.ACCEPTED

    check(run, sink, people=PEOPLE, logs=workers.said())
    everybody_got_one(run, sink)
