"""The journal on the disk: what was written comes back, and what was not written to its end does no harm."""

import errno
import fcntl
import os
import stat
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massmail_plugin.delivery.keeping import journal, replaying
from massmail_plugin.delivery.keeping.journal import Journal, JournalUnusable, read
from massmail_plugin.delivery.keeping.replaying import replay
from massmail_plugin.delivery.ledger import writing
from massmail_plugin.delivery.ledger.entry import Entry
from massmail_plugin.mailings.states import DeliveryState

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture
def folder(settings, tmp_path):
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path / "journal")}
    return tmp_path / "journal"


@pytest.fixture
def told(monkeypatch):
    """What the database is told: a list of lists of entries."""
    calls = []
    monkeypatch.setattr(writing, "write", lambda entries: calls.append(list(entries)) or len(calls[-1]))
    return calls


def an_entry(number=1, **fields):
    defaults = {"detail": "250 2.0.0 Ok", "at": AT, "past_fence": True}
    return Entry(number, "token", DeliveryState.ACCEPTED, **{**defaults, **fields})


def die(dead):
    """End the worker of a journal without tidying up: its lock goes, its file stays."""
    os.close(dead._file)


def content(folder):
    (path,) = folder.iterdir()
    return path.read_bytes()


def test_a_journal_is_only_for_its_worker_and_has_its_space_from_the_beginning(folder):
    kept = Journal()
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_blocks * 512 >= path.stat().st_size > 0
    kept.close(keep=False)
    assert list(folder.iterdir()) == []


def test_what_a_dead_worker_knew_is_told_once(folder, told):
    dead = Journal()
    entries = [an_entry(1), an_entry(2, detail="250 2.0.0 Ja, “gut”")]
    for entry in entries:
        dead.append(entry)
    die(dead)
    assert replay() == 2
    assert told == [entries]
    assert replay() == 0
    assert list(folder.iterdir()) == []


def test_the_journal_of_a_worker_that_lives_is_left_alone(folder, told):
    alive = Journal()
    alive.append(an_entry())
    assert replay() == 0
    assert told == []
    assert list(read(content(folder))) == [an_entry()]
    alive.close(keep=False)


def test_a_worker_that_ends_before_the_database_knows_leaves_its_journal(folder, told):
    ended = Journal()
    ended.append(an_entry())
    ended.close(keep=True)
    assert replay() == 1


@pytest.mark.parametrize("cut", [2, 10, 40])
def test_a_line_that_was_not_written_to_its_end_is_passed_over(folder, told, cut):
    dead = Journal()
    dead.append(an_entry(1))
    dead.append(an_entry(2))
    end = len(content(folder).rstrip(b"\0"))
    os.pwrite(dead._file, bytes(cut), end - cut)
    die(dead)
    assert replay() == 1
    assert told == [[an_entry(1)]]


@given(
    detail=st.text(max_size=1000),
    provider_id=st.text(max_size=255),
    state=st.sampled_from(list(DeliveryState)),
    wait=st.floats(0, 1e6),
)
def test_whatever_a_server_says_comes_back(detail, provider_id, state, wait):
    entry = Entry(7, "t", state, detail=detail, provider_id=provider_id, wait=wait, at=AT, past_fence=True)
    line = journal._to_line(entry)
    assert line.count(b"\n") == 1
    assert len(line) <= journal._LINE or any(ord(sign) < 32 for sign in detail + provider_id)
    assert list(read(line * 2)) == [entry, entry]


@given(st.binary(max_size=300))
def test_any_other_content_is_no_outcome(noise):
    assert list(read(noise)) == []


def test_a_journal_that_is_half_full_begins_anew_in_its_own_space(folder):
    kept = Journal()
    number = 0
    while kept._end <= journal.SIZE // 2:
        number += 1
        kept.append(an_entry(number, detail="x" * 1000))
    size = len(content(folder))
    kept.forget()
    assert len(content(folder)) == size
    assert content(folder).strip(b"\0") == b""
    kept.append(an_entry(99))
    assert list(read(content(folder))) == [an_entry(99)]
    kept.close(keep=False)


def test_a_journal_that_is_full_says_so_before_it_is_too_late(folder):
    kept = Journal()
    while kept.has_room:
        kept.append(an_entry(detail="ß" * 1000))
    assert kept._end <= journal.SIZE
    kept.close(keep=False)


def test_a_full_disk_refuses_before_anything_is_sent_and_leaves_no_file(folder, monkeypatch):
    def full(file, offset, length):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(JournalUnusable, match="No space left"):
        Journal()
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_refuses_too(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.MASSMAIL = {**settings.MASSMAIL, "JOURNAL_DIR": str(tmp_path / "file")}
    with pytest.raises(JournalUnusable, match="JOURNAL_DIR"):
        Journal()


def test_a_journal_of_another_user_or_of_another_site_is_not_replayed(folder, told, monkeypatch):
    dead = Journal()
    dead.append(an_entry())
    die(dead)
    with monkeypatch.context() as somebody_else:
        somebody_else.setattr(os, "geteuid", lambda: 12345)
        assert replay() == 0
    with monkeypatch.context() as other_site:
        other_site.setattr(replaying, "database_key", lambda: "other")
        assert replay() == 0
    assert replay() == 1


def test_a_link_in_place_of_a_journal_is_not_followed(folder, told, tmp_path):
    dead = Journal()
    dead.append(an_entry())
    die(dead)
    (path,) = folder.iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert replay() == 0


def test_a_journal_that_cannot_be_told_is_put_aside_and_stops_nobody(folder, told, monkeypatch):
    dead = Journal()
    dead.append(an_entry())
    die(dead)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(writing, "write", lambda entries: 1 / 0)
        assert replay() == 0
    assert [path.name.startswith("broken-") for path in folder.iterdir()] == [True]
    assert replay() == 0


@pytest.mark.parametrize("meanwhile", [replay, replaying.unread])
def test_a_tick_that_finds_a_journal_before_its_worker_has_the_lock_does_not_take_it_away(
    folder, told, monkeypatch, meanwhile
):
    lock, others = fcntl.flock, [meanwhile]

    def lock_late(file, operation):
        if others:
            others.pop()()
        return lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    new = Journal()
    assert not others
    new.append(an_entry())
    die(new)
    assert replay() == 1


def test_two_who_look_at_a_new_journal_at_once_do_not_keep_it_from_its_worker(folder, monkeypatch):
    lock, looking = fcntl.flock, []

    def lock_late(file, operation):
        if not looking:
            # Somebody looks whether it is abandoned, and is about to see that it holds nothing.
            (path,) = folder.iterdir()
            looking.append(os.open(path, os.O_RDWR))
            lock(looking[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
            threading.Timer(0.05, os.close, looking).start()
        return lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    Journal().close(keep=False)


def test_one_line_that_cannot_be_told_spoils_no_other(folder, monkeypatch):
    told = []

    def write(entries):
        if any(entry.delivery == 2 for entry in entries):
            raise ValueError("a value that the database does not take")
        told.extend(entries)
        return len(entries)

    monkeypatch.setattr(writing, "write", write)
    dead = Journal()
    for number in (1, 2, 3):
        dead.append(an_entry(number))
    die(dead)
    assert replay() == 2
    assert told == [an_entry(1), an_entry(3)]
    (broken,) = replaying.put_aside()
    assert list(read(broken.read_bytes())) == [an_entry(2)]
