"""Files into lists: what comes in, what fails and why, and what is never undone."""

from __future__ import annotations

import contextlib
import io
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from openpyxl import Workbook

from massmail_plugin.audience.importing import actions, working
from massmail_plugin.audience.importing.actions import forget_old, sample, start, stop, upload
from massmail_plugin.audience.importing.claims import LEASE, MOST_TRIES, waiting
from massmail_plugin.audience.importing.columns import Columns, guess_columns
from massmail_plugin.audience.importing.faults import FileFault, RowFault
from massmail_plugin.audience.importing.models import ImportBatch, ImportPiece, ListImport
from massmail_plugin.audience.importing.working import work_on
from massmail_plugin.audience.importing.xlsx_rows import xlsx_samples
from massmail_plugin.audience.members import remove_members
from massmail_plugin.audience.models import TargetListMember, TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.standing import standing_of
from massmail_plugin.recipients.consent import How, Scope, mark_invalid, opt_out, record_complaint
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress, Subscriber
from massmail_plugin.recipients.subscribers import ensure_subscriber
from sandbox.crm.models import Lead
from tests.builders import a_contact, a_target_list, a_user, an_administrator

pytestmark = pytest.mark.django_db

State = ListImport.State
BY_LINK = How(ConsentEvent.Method.LINK)


@pytest.fixture
def into() -> TargetListPage:
    return a_target_list(title="Prospects")


def uploaded(
    into: TargetListPage, data: bytes | str, user: Any = None, *, name: str = "people.csv"
) -> ListImport:
    content = data.encode() if isinstance(data, str) else data
    return upload(
        into, name, [content[i : i + 1000] for i in range(0, len(content), 1000)], user or _importer()
    )


def _importer() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.filter(username="root").first() or an_administrator()


def started(
    into: TargetListPage, data: bytes | str, columns: Columns | None = None, user: Any = None
) -> ListImport:
    """Return an import that waits for a worker; its columns are those that are guessed."""
    found = uploaded(into, data, user)
    rows = sample(found, found.encoding, found.delimiter, found.sheet)
    columns = columns or Columns(**guess_columns(rows[0], rows[1:]))
    assert start(
        found,
        columns,
        rows[0],
        has_headings=True,
        encoding=found.encoding,
        delimiter=found.delimiter,
        sheet=found.sheet,
        user=found.started_by,
    )
    return found


def work(what: ListImport, *, seconds: float = 600) -> ListImport:
    while work_on(what.pk, timezone.now, seconds=seconds, stop=lambda: False):
        pass
    what.refresh_from_db()
    return what


def imported(
    into: TargetListPage, data: bytes | str, columns: Columns | None = None, user: Any = None
) -> ListImport:
    return work(started(into, data, columns, user))


def a_workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    workbook = Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets:
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def members_of(target_list: TargetListPage) -> set[tuple[str, str]]:
    return set(target_list.members.values_list("recipient_type", "object_id"))


def failures_of(what: ListImport) -> list[tuple[int, str]]:
    return list(what.failures.order_by("number").values_list("number", "fault"))


def test_people_whom_nobody_knows_become_subscribers(into: TargetListPage) -> None:
    done = imported(into, "Email,Name\nada@example.org,Ada Lovelace\n")

    subscriber = Subscriber.objects.get()
    assert (subscriber.email, subscriber.name) == ("ada@example.org", "Ada Lovelace")
    assert members_of(into) == {("massmail_plugin.subscriber", str(subscriber.pk))}
    assert (done.state, done.rows, done.rows_done, done.added, done.new_subscribers) == (
        State.DONE,
        1,
        1,
        1,
        1,
    )
    assert TargetListMember.objects.get().added_by == done.started_by


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ("ada@example.org", "ADA@Example.ORG"),
        (" Ada@Example.org ", "ada@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "Ada@Bücher.example"),
    ],
)
def test_people_whom_the_host_knows_come_in_with_their_records(
    into: TargetListPage, record: str, row: str
) -> None:
    contact = a_contact(record)
    done = imported(into, f"Email\n{row}\n")

    assert members_of(into) == {("crm.contact", str(contact.pk))}
    assert not Subscriber.objects.exists()
    assert done.found == {"crm.contact": 1}


def test_similar_letters_are_other_people(into: TargetListPage) -> None:
    a_contact("jose@example.org")
    imported(into, "Email\njosé@example.org\n")

    assert members_of(into) == {("massmail_plugin.subscriber", str(Subscriber.objects.get().pk))}


def test_of_several_records_with_one_address_one_comes_in(into: TargetListPage) -> None:
    first = a_contact("ada@example.org")
    a_contact("ADA@example.org")
    Lead.objects.create(last_name="Ada", email="ada@example.org")
    imported(into, "Email\nada@example.org\n")

    (member,) = members_of(into)
    assert member in {("crm.contact", str(first.pk)), ("crm.lead", str(Lead.objects.get().pk))}


def test_records_that_the_user_may_not_see_are_not_given_away(into: TargetListPage) -> None:
    a_contact("ada@example.org")
    imported(into, "Email\nada@example.org\n", user=a_user("blind"))

    assert {kind for kind, _pk in members_of(into)} == {"massmail_plugin.subscriber"}


def test_an_address_comes_in_once_in_all_its_spellings(into: TargetListPage) -> None:
    done = imported(into, "Email\nada@example.org\nADA@EXAMPLE.ORG\n ada@example.org \n")

    assert into.members.count() == 1
    assert (done.rows_done, done.added, done.already, done.failed) == (3, 1, 2, 0)


def test_importing_a_file_again_adds_nobody(into: TargetListPage) -> None:
    data = "Email,Name\nada@example.org,Ada\nbob@example.org,\n"
    imported(into, data)
    before = members_of(into)
    again = imported(into, data)

    assert members_of(into) == before
    assert (again.added, again.already, again.new_subscribers) == (0, 2, 0)


def test_a_later_file_fills_in_names_and_overwrites_none(into: TargetListPage) -> None:
    ensure_subscriber("ada@example.org", name="Ada")
    ensure_subscriber("bob@example.org")
    imported(into, "Email,Name\nada@example.org,Wrong\nbob@example.org,Bob\n")

    assert dict(Subscriber.objects.values_list("key", "name")) == {
        "ada@example.org": "Ada",
        "bob@example.org": "Bob",
    }


def test_no_import_brings_anybody_back_who_said_no(into: TargetListPage) -> None:
    people = {
        name: EmailAddress.objects.create(key=f"{name}@example.org")
        for name in ("out", "off", "spam", "gone")
    }
    opt_out(people["out"], [Scope()], BY_LINK)
    opt_out(people["off"], [into.consent_scope], BY_LINK)
    record_complaint(people["spam"], BY_LINK)
    mark_invalid(people["gone"], BY_LINK)
    events = ConsentEvent.objects.count()
    done = imported(
        into, "Email\nout@example.org\nOFF@example.org\nspam@example.org\ngone@example.org\nok@example.org\n"
    )

    assert done.added == 5
    assert done.not_mailable == {"opted_out": 1, "opted_out_list": 1, "complained": 1, "invalid": 1}
    assert ConsentEvent.objects.count() == events
    reasons = {
        Subscriber.objects.get(pk=object_id).key: standing_of(into).reason(kind, object_id)
        for kind, object_id in members_of(into)
    }
    assert reasons == {
        "out@example.org": Reason.OPTED_OUT,
        "off@example.org": Reason.OPTED_OUT_LIST,
        "spam@example.org": Reason.COMPLAINED,
        "gone@example.org": Reason.INVALID,
        "ok@example.org": "",
    }


def test_removing_and_importing_again_does_not_undo_an_opt_out(into: TargetListPage) -> None:
    imported(into, "Email\nada@example.org\n")
    opt_out(EmailAddress.objects.create(key="ada@example.org"), [into.consent_scope], BY_LINK)
    remove_members(into, into.members.all())
    Subscriber.objects.all().delete()
    done = imported(into, "Email\nada@example.org\n")

    assert done.not_mailable == {"opted_out_list": 1}
    (member,) = members_of(into)
    assert standing_of(into).reason(*member) == Reason.OPTED_OUT_LIST


def test_rows_that_fail_are_kept_with_the_reason_and_the_others_come_in(into: TargetListPage) -> None:
    rows = [
        "Email,Name",
        "ada@example.org,Ada",
        ",Nobody",
        "bob at example.org,Bob",
        "carl@example.org,Carl, Jr.",
        f"dora@example.org,{'x' * 256}",
        'eve@example.org,"Eve\x00"',
        '"frank@example.org\nBcc: all@example.org",Frank',
        "gina@example.org,Gina,,",
        *(f"person{n}@example.org,Person {n}" for n in range(20)),
    ]
    done = imported(into, "\n".join(rows))

    assert failures_of(done) == [
        (3, RowFault.NO_ADDRESS),
        (4, RowFault.MALFORMED),
        (5, RowFault.TOO_MANY_CELLS),
        (6, RowFault.LONG_NAME),
        (7, RowFault.UNREADABLE),
        (8, RowFault.MALFORMED),
    ]
    assert (done.rows_done, done.added, done.already, done.failed) == (28, 22, 0, 6)
    assert done.failures.get(number=5).cells == ["carl@example.org", "Carl", " Jr."]
    assert "Frank" in done.failures.get(number=8).cells
    others = Subscriber.objects.exclude(key__startswith="person")
    assert set(others.values_list("key", flat=True)) == {"ada@example.org", "gina@example.org"}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_the_encoding_and_the_separator_are_found_out(
    into: TargetListPage, encoding: str, delimiter: str, ending: str
) -> None:
    rows = [
        ["Name", "E-Mail"],
        ["Jürgen Groß", "juergen@example.org"],
        ["Zoë, née Müller", "zoe@example.org"],
    ]
    text = ending.join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    done = imported(into, text.encode(encoding))

    assert done.state == State.DONE, done.problem
    assert dict(Subscriber.objects.values_list("key", "name")) == {
        "juergen@example.org": "Jürgen Groß",
        "zoe@example.org": "Zoë, née Müller",
    }


def test_excels_own_line_about_the_separator_is_obeyed_and_no_row(into: TargetListPage) -> None:
    done = imported(into, "sep=;\r\nName;Email\r\nSmith, Ada;ada@example.org\r\n")

    assert (done.added, done.failed, done.delimiter) == (1, 0, ";")


def test_a_wrong_encoding_is_said_with_the_line(into: TargetListPage) -> None:
    found = uploaded(into, "Email,Name\nada@example.org,Zoë\n".encode("cp1252"))
    with pytest.raises(FileFault, match="encoding"):
        sample(found, "utf-8-sig", ",", "")


def test_a_fault_far_down_the_file_adds_nobody(into: TargetListPage) -> None:
    rows = "".join(f"person{n}@example.org,Person {n}\n" for n in range(5000))
    done = imported(into, f'Email,Name\n{rows}bad@example.org,"never closed\n')

    assert done.state == State.FAILED
    assert "line 5002" in done.problem
    assert not into.members.exists()
    assert not ImportBatch.objects.exists()
    assert not ImportPiece.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\r\n \n", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "xls"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 4, "neither a CSV"),
        (b"PK\x03\x04" + b"nonsense" * 100, "damaged"),
    ],
)
def test_what_is_no_table_is_refused_at_once(into: TargetListPage, data: bytes, said: str) -> None:
    with pytest.raises(FileFault, match=said):
        uploaded(into, data, name="people.csv")
    assert not ListImport.objects.exists()


def test_a_file_of_headings_only_fails_and_says_so(into: TargetListPage) -> None:
    done = imported(into, "Email,Name\n", Columns(address=0))

    assert (done.state, "below the headings" in done.problem) == (State.FAILED, True)


def test_a_cell_of_ten_megabytes_is_refused(into: TargetListPage) -> None:
    data = f'Email,Name\nada@example.org,"{"x" * 10_000_000}"\n'
    done = started(into, "Email,Name\nada@example.org,Ada\n")
    ImportPiece.objects.filter(list_import=done).delete()
    from massmail_plugin.audience.importing.storing import store

    store(done, [data.encode()])
    work(done)

    assert (done.state, "line" in done.problem.lower()) == (State.FAILED, True)


def test_sheets_are_read_like_text(into: TargetListPage) -> None:
    data = a_workbook(
        ("Notes", [["nothing here"]]),
        (
            "People",
            [
                ["Name", "E-Mail", "Phone"],
                ["Ada", "ada@example.org", 123],
                [None, None, None],
                ["Bob", 17.0, ""],
            ],
        ),
    )
    found = uploaded(into, data, name="wrong-ending.csv")
    assert set(found.samples) == {"Notes", "People"}
    rows = sample(found, "", "", "People")
    start(
        found, Columns(address=1, name=0), rows[0], has_headings=True, sheet="People", user=found.started_by
    )
    done = work(found)

    assert failures_of(done) == [(4, RowFault.MALFORMED)]
    assert done.failures.get().cells[:2] == ["Bob", "17"]
    assert Subscriber.objects.get().name == "Ada"


@pytest.mark.django_db(transaction=True)
def test_others_can_write_while_a_workbook_is_opened(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def opening(*args: Any) -> Any:
        opened.append(connection.in_atomic_block)
        return xlsx_samples(*args)

    monkeypatch.setattr(actions, "xlsx_samples", opening)
    uploaded(into, a_workbook(("People", [["Email"], ["ada@example.org"]])))

    assert opened == [False]


def test_a_batch_of_long_rows_has_fewer_of_them() -> None:
    rows = [(number, ["x" * 99_000]) for number in range(60)]
    batches = list(working._batches(iter(rows)))

    assert [number for batch in batches for number, _cell in batch] == list(range(60))
    assert len(batches[0]) < 60


def test_formulas_are_their_results_or_nothing_and_never_run(into: TargetListPage) -> None:
    data = a_workbook(
        ("People", [["Email", "Name"], ["ada@example.org", '=HYPERLINK("http://x","Ada")'], ["=1+1", "B"]])
    )
    done = imported(into, data)

    assert failures_of(done) == [(3, RowFault.NO_ADDRESS)]
    assert Subscriber.objects.get().name == ""


def test_first_and_last_name_and_language_are_put_together(into: TargetListPage) -> None:
    imported(
        into,
        "Vorname;Nachname;E-Mail;Sprache\nAda;Lovelace;ada@example.org;de_AT\nB;;b@example.org;nonsense!\n",
    )

    assert list(Subscriber.objects.values_list("name", "language")) == [("Ada Lovelace", "de-at"), ("B", "")]


def test_an_address_as_mail_programs_write_it(into: TargetListPage) -> None:
    imported(into, 'Email\n"Ada Lovelace <ada@example.org>"\nmailto:bob@example.org\n')

    assert dict(Subscriber.objects.values_list("key", "name")) == {
        "ada@example.org": "Ada Lovelace",
        "bob@example.org": "",
    }


class Killed(BaseException):
    """The process is gone; nothing is cleaned up."""


def _kill_in_commit_number(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls = iter(range(1, 1000))
    bring_in = working._Batch.bring_in

    def dying(self: Any) -> None:
        bring_in(self)
        if next(calls) == number:
            raise Killed

    monkeypatch.setattr(working._Batch, "bring_in", dying)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_killed_import_goes_on_and_takes_nobody_twice(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(working, "BATCH_ROWS", 10)
    rows = "".join(f"person{n}@example.org\n" for n in range(30))
    what = started(into, f"Email\n{rows}no address\nperson1@example.org\n")
    with monkeypatch.context() as patch:
        _kill_in_commit_number(patch, number)
        with pytest.raises(Killed):
            work(what)

    # While the dead worker's claim holds, nobody takes the import.
    assert waiting(timezone.now()) == []
    assert not work_on(what.pk, timezone.now, seconds=60, stop=lambda: False)
    later = timezone.now() + LEASE + timedelta(seconds=1)
    assert waiting(later) == [what.pk]
    assert not work_on(what.pk, lambda: later, seconds=60, stop=lambda: False)
    what.refresh_from_db()
    assert (what.state, what.rows, what.rows_done) == (State.DONE, 32, 32)
    assert (what.added, what.already, what.failed) == (30, 1, 1)
    assert into.members.count() == Subscriber.objects.count() == 30


def _one_worker(what: ListImport, moment: datetime) -> ListImport:
    """Let one worker take it up once every claim has run out."""
    with contextlib.suppress(Killed):
        work_on(what.pk, lambda: moment, seconds=600, stop=lambda: False)
    what.refresh_from_db()
    return what


@pytest.mark.parametrize("fault", [Killed, RuntimeError, MemoryError])
def test_a_batch_that_ends_each_worker_is_given_up_and_who_was_added_stays(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    monkeypatch.setattr(working, "BATCH_ROWS", 10)
    what = started(into, "Email\n" + "".join(f"person{n}@example.org\n" for n in range(30)))
    bring_in, moment = working._Batch.bring_in, timezone.now()

    def breaking(self: Any) -> None:
        if "person10@example.org" in self._people:
            raise fault
        bring_in(self)

    monkeypatch.setattr(working._Batch, "bring_in", breaking)
    for number in range(1, MOST_TRIES + 1):
        assert _one_worker(what, moment + 2 * LEASE * number).state == State.IMPORTING
    _one_worker(what, moment + 2 * LEASE * (MOST_TRIES + 1))

    assert (what.state, what.rows, what.rows_done, what.added) == (State.FAILED, 30, 10, 10)
    assert "after 10 of 30 rows" in what.problem
    assert (fault.__name__ in what.problem) == (fault is not Killed)
    assert into.members.count() == 10
    assert not ImportBatch.objects.exists()


def test_an_import_that_comes_on_a_little_each_time_is_not_given_up(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "BATCH_ROWS", 10)
    what = started(into, "Email\n" + "".join(f"person{n}@example.org\n" for n in range(80)))
    bring_in, moment, calls = working._Batch.bring_in, timezone.now(), iter(range(1000))

    def breaking_each_second_time(self: Any) -> None:
        if next(calls) % 2:
            raise Killed
        bring_in(self)

    monkeypatch.setattr(working._Batch, "bring_in", breaking_each_second_time)
    for number in range(1, 9):
        _one_worker(what, moment + 2 * LEASE * number)

    assert (what.state, what.added, what.problem) == (State.DONE, 80, "")


def test_a_file_that_ends_each_worker_that_reads_it_adds_nobody(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = started(into, "Email\nada@example.org\n")

    def breaking(cells: Any) -> Any:
        raise Killed

    monkeypatch.setattr(working, "storable", breaking)
    for number in range(1, MOST_TRIES + 2):
        _one_worker(what, timezone.now() + 2 * LEASE * number)

    assert (what.state, what.rows, what.added) == (State.FAILED, 0, 0)
    assert "tried to read the file" in what.problem
    assert not ImportPiece.objects.exists()


def test_what_broke_is_logged_once_and_shown_until_it_comes_on(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    what = started(into, "Email\nada@example.org\n")

    def breaking(self: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(working._Batch, "bring_in", breaking)
        work(what)
    assert [record.levelname for record in caplog.records if "broke off" in record.message] == ["ERROR"]
    assert (what.state, "RuntimeError" in what.problem) == (State.IMPORTING, True)

    assert (work(what).state, what.problem) == (State.DONE, "")


def test_a_kill_while_the_file_is_read_begins_anew(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "BATCH_ROWS", 10)
    rows = "".join(f"person{n}@example.org\n" for n in range(30))
    what = started(into, f"Email\n{rows}")
    stops = iter([False, False, False])
    assert work_on(what.pk, timezone.now, seconds=60, stop=lambda: next(stops, True))
    assert what.batches.count() == 2
    work(what)

    assert (what.state, what.rows, what.added) == (State.DONE, 30, 30)


def test_a_worker_that_wakes_up_late_changes_nothing(
    into: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = started(into, "Email\nada@example.org\n")
    bring_in = working._Batch.bring_in

    def overtaken(self: Any) -> None:
        bring_in(self)

    def find_slowly(keys: Any, user: Any) -> dict[str, Any]:
        # Another worker has taken over meanwhile.
        ListImport.objects.filter(pk=what.pk).update(claim="somebody else")
        return {}

    monkeypatch.setattr(working._Batch, "bring_in", overtaken)
    monkeypatch.setattr(working, "find_records", find_slowly)
    assert not work_on(what.pk, timezone.now, seconds=60, stop=lambda: False)

    assert not into.members.exists()
    assert what.batches.count() == 1


def test_work_is_done_in_slices(into: TargetListPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "BATCH_ROWS", 1)
    what = started(into, "Email\na@example.org\nb@example.org\n")
    moments = iter([0.0, 1.0, 1.0, 99.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments, 99.0))

    assert work_on(what.pk, timezone.now, seconds=10, stop=lambda: False)
    what.refresh_from_db()
    assert (what.state, what.rows_done) == (State.IMPORTING, 1)


def test_a_stopped_import_adds_nobody_any_more(into: TargetListPage) -> None:
    what = started(into, "Email\nada@example.org\n")

    assert stop(what)
    assert not stop(what)
    assert work(what).state == State.STOPPED
    assert not into.members.exists()
    assert not ImportPiece.objects.exists()


def test_two_presses_start_one_import(into: TargetListPage) -> None:
    what = started(into, "Email\nada@example.org\n")

    assert not start(what, Columns(address=0), ["Email"], has_headings=True, user=what.started_by)


def test_a_list_that_is_deleted_takes_its_imports_along(into: TargetListPage) -> None:
    what = started(into, "Email\nada@example.org\n")
    into.delete()

    assert not work_on(what.pk, timezone.now, seconds=60, stop=lambda: False)
    assert not ListImport.objects.exists()
    assert not ImportPiece.objects.exists()


def test_data_of_people_are_forgotten_after_a_while(into: TargetListPage) -> None:
    uploaded(into, "Email\nada@example.org\n")
    done = imported(into, "Email\nnobody\n")
    forget_old(timezone.now())
    assert (ListImport.objects.count(), done.failures.count()) == (2, 1)

    forget_old(timezone.now() + timedelta(days=2))
    assert (ListImport.objects.count(), done.failures.count()) == (1, 1)

    forget_old(timezone.now() + timedelta(days=31))
    assert (ListImport.objects.count(), done.failures.count()) == (1, 0)


@pytest.mark.parametrize("where", [0, 1])
def test_a_file_of_far_too_many_columns_is_refused_and_not_held_in_memory(
    into: TargetListPage, where: int
) -> None:
    lines = ["Email,Name", "ada@example.org,Ada"]
    lines[where] += ",x" * 500
    what = uploaded(into, "\n".join(lines) + "\n")

    with pytest.raises(FileFault, match=f"line {where + 1}.*500 columns"):
        sample(what, what.encoding, what.delimiter, what.sheet)


def test_empty_columns_up_to_the_end_of_a_sheet_do_no_harm(into: TargetListPage) -> None:
    wide = "," * 20_000
    done = imported(into, f"Email,Name{wide}\nada@example.org,Ada{wide}\n")

    assert (done.added, done.failed, len(done.headings)) == (1, 0, 500)
