"""Who gets a mailing to some lists, who does not, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from massmail_plugin.audience import collecting, judging
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.standing import standing_of
from massmail_plugin.audience.summary import summary_of
from massmail_plugin.audience.working_out import SourceGone, forget, open_audience, work_out
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.addresses import parse_address
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.erased import erase_address, erased_keys
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Account, Contact, Lead, Ticket
from tests.audiences import candidates_of, worked_out
from tests.builders import a_contact, a_target_list, contacts

pytestmark = pytest.mark.django_db

HOW = How(ConsentEvent.Method.OPERATOR)


def hostile_addresses() -> st.SearchStrategy[str]:
    """Texts near the border between what the database can read and what it cannot."""
    pieces = [
        "ada",
        "Bob",
        "x" * 60,
        ".",
        "..",
        "@",
        "example",
        ".org",
        ".ORG",
        "xn--",
        "-",
        "ü",
        "ａ",
        "\n",
        " ",
        "\t",
        "%",
        "'",
    ]
    plain = st.builds(
        "{}@{}.{}".format,
        st.sampled_from(["ada", "A.b", "x" * 64]),
        st.sampled_from(["ex", "Ex-a"]),
        st.sampled_from(["org", "co.uk"]),
    )
    return st.one_of(plain, st.lists(st.sampled_from(pieces), max_size=8).map("".join))


def known(key: str) -> EmailAddress:
    return EmailAddress.objects.get_or_create(key=key)[0]


def verdicts(*lists: TargetListPage, without: tuple[TargetListPage, ...] = ()) -> list[tuple[str, str]]:
    return [(candidate.email, candidate.reason) for candidate in candidates_of(lists, without)]


def test_everybody_with_an_address_gets_the_mail() -> None:
    people = a_target_list(a_contact("ada@example.org"), a_contact("bob@example.org"))

    assert verdicts(people) == [("ada@example.org", ""), ("bob@example.org", "")]


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        ("", Reason.NO_ADDRESS),
        ("   ", Reason.NO_ADDRESS),
        ("ada@@example.org", Reason.MALFORMED),
        ("ada@example.org\r\nBcc: all@example.org", Reason.MALFORMED),
        ("m" * 65 + "@example.org", Reason.MALFORMED),
    ],
)
def test_who_has_no_proper_address_is_left_out(email: str, reason: str) -> None:
    # The builder gives an address to a contact without one.
    contact = a_contact("x@example.org")
    Contact.objects.filter(pk=contact.pk).update(email=email)

    assert verdicts(a_target_list(contact)) == [(email, reason)]


@pytest.mark.parametrize(
    "other",
    ["Ada@Example.ORG", " ada@example.org ", "ａｄａ@example.org"],
    ids=["case", "spaces", "full width"],
)
def test_the_same_address_in_another_spelling_is_mailed_once(other: str) -> None:
    people = a_target_list(
        a_contact("ada@example.org", first_name="Ada", last_name="First"), a_contact(other)
    )
    first, second = candidates_of([people])

    assert (first.reason, second.reason) == ("", Reason.DUPLICATE)
    # "Ada First" is no field of the record but a method: it names whose duplicate this is.
    assert second.detail == "Ada First"


def test_the_same_international_domain_in_two_spellings_is_mailed_once() -> None:
    people = a_target_list(a_contact("anna@bücher.example"), a_contact("anna@xn--bcher-kva.example"))

    assert [reason for _email, reason in verdicts(people)] == ["", Reason.DUPLICATE]


def test_the_same_address_in_records_of_several_types_is_mailed_once() -> None:
    records = [
        Ticket.objects.create(subject="Help", requester_name="Ada", requester_email="ADA@example.org"),
        Lead.objects.create(last_name="Lead", email="ada@example.org"),
        Account.objects.create(name="Ada Ltd", email=" ada@example.org"),
        a_contact("ada@example.org"),
    ]
    candidates = candidates_of([a_target_list(*records)])

    assert [candidate.reason for candidate in candidates] == ["", *[Reason.DUPLICATE] * 3]
    # Types by key, whatever the order in which the records came into the list.
    assert [candidate.recipient_type for candidate in candidates] == [
        "crm.account",
        "crm.contact",
        "crm.lead",
        "crm.ticket",
    ]


def test_who_is_in_two_lists_is_considered_once() -> None:
    ada, bob, eve = a_contact("ada@example.org"), a_contact("bob@example.org"), a_contact("eve@example.org")
    candidates = candidates_of([a_target_list(ada, bob), a_target_list(bob, eve)])

    assert [candidate.email for candidate in candidates] == [
        "ada@example.org",
        "bob@example.org",
        "eve@example.org",
    ]
    assert not any(candidate.reason for candidate in candidates)


def test_two_records_with_one_address_in_two_lists_are_mailed_through_the_first_list() -> None:
    first, second = a_target_list(a_contact("ada@example.org")), a_target_list(a_contact("Ada@example.org"))
    # The order is the one given, and not that of the keys, of which the later one is the longer now and then.
    forwards, backwards = candidates_of([first, second]), candidates_of([second, first])

    assert [(c.email, c.source, c.reason) for c in forwards] == [
        ("ada@example.org", first.consent_scope.key, ""),
        ("Ada@example.org", second.consent_scope.key, Reason.DUPLICATE),
    ]
    assert [c.email for c in backwards if not c.reason] == ["Ada@example.org"]


def test_an_excluded_record_is_left_out_even_without_a_proper_duplicate() -> None:
    ada, bob = a_contact("ada@example.org"), a_contact("bob@example.org")

    assert verdicts(a_target_list(ada, bob), without=(a_target_list(ada),)) == [
        ("ada@example.org", Reason.EXCLUDED),
        ("bob@example.org", ""),
    ]


def test_an_excluded_address_is_left_out_under_any_record_and_spelling() -> None:
    lead = Lead.objects.create(last_name="Lead", email=" ADA@Example.org")
    excluded = a_target_list(lead, title="Competitors")
    (candidate,) = candidates_of([a_target_list(a_contact("ada@example.org"))], [excluded])

    assert candidate.reason == Reason.EXCLUDED
    assert candidate.detail == "Competitors"


def test_an_excluded_list_of_people_without_address_excludes_only_them() -> None:
    nobody = a_contact("x@example.org")
    Contact.objects.filter(pk=nobody.pk).update(email="")
    people = a_target_list(nobody, a_contact("ada@example.org"))

    assert verdicts(people, without=(a_target_list(nobody),)) == [
        ("", Reason.NO_ADDRESS),
        ("ada@example.org", ""),
    ]


def opt_out(address: EmailAddress) -> None:
    consent.opt_out(address, [Scope()], HOW)


def bounce(address: EmailAddress) -> None:
    consent.mark_invalid(address, HOW)


def complain(address: EmailAddress) -> None:
    consent.record_complaint(address, HOW)


@pytest.mark.parametrize(
    ("what", "reason"),
    [(opt_out, Reason.OPTED_OUT), (bounce, Reason.INVALID), (complain, Reason.COMPLAINED)],
)
def test_what_an_address_has_said_holds_for_all_its_records(
    what: Callable[[EmailAddress], None], reason: str
) -> None:
    what(known("ada@example.org"))
    lead = Lead.objects.create(last_name="Lead", email="ADA@example.org")
    people = a_target_list(a_contact("Ada@Example.org"), lead, a_contact("bob@example.org"))

    assert [verdict for _email, verdict in verdicts(people)] == [reason, "", reason]


def test_who_has_left_a_list_gets_nothing_from_a_mailing_that_goes_to_it_among_others() -> None:
    ada = a_contact("ada@example.org")
    left, other = a_target_list(ada), a_target_list(ada)
    consent.opt_out(known("ada@example.org"), [left.consent_scope], HOW)

    assert verdicts(left) == [("ada@example.org", Reason.OPTED_OUT_LIST)]
    assert verdicts(other, left) == [("ada@example.org", Reason.OPTED_OUT_LIST)]
    assert verdicts(other) == [("ada@example.org", "")]


def test_leaving_a_list_outlives_the_membership() -> None:
    ada = a_contact("ada@example.org")
    left = a_target_list(ada)
    consent.opt_out(known("ada@example.org"), [left.consent_scope], HOW)
    left.members.all().delete()
    again = Lead.objects.create(last_name="Imported again", email="ada@example.org")
    a_target_list(again)
    left.members.create(recipient_type="crm.lead", object_id=str(again.pk))

    assert verdicts(left) == [("ada@example.org", Reason.OPTED_OUT_LIST)]


def test_a_duplicate_of_somebody_left_out_has_the_same_reason_and_not_a_mail() -> None:
    opt_out(known("ada@example.org"))
    people = a_target_list(a_contact("ada@example.org"), a_contact("Ada@example.org"))

    assert [reason for _email, reason in verdicts(people)] == [Reason.OPTED_OUT, Reason.OPTED_OUT]


def test_a_record_that_was_deleted_is_no_candidate() -> None:
    gone, stays = a_contact("gone@example.org"), a_contact("stays@example.org")
    people = a_target_list(gone, stays)
    gone.delete()

    assert verdicts(people) == [("stays@example.org", "")]


def test_a_type_that_the_host_has_dropped_is_passed_over() -> None:
    people = a_target_list(a_contact("ada@example.org"))
    people.members.create(recipient_type="crm.supplier", object_id="7")

    assert verdicts(people) == [("ada@example.org", "")]


def test_records_that_the_type_no_longer_offers_are_no_candidates(django_user_model: Any) -> None:
    active = django_user_model.objects.create_user("ada", "ada@example.org")
    left = django_user_model.objects.create_user("bob", "bob@example.org")
    people = a_target_list(active, left)
    django_user_model.objects.filter(pk=left.pk).update(is_active=False)

    assert verdicts(people) == [("ada@example.org", "")]


def test_resolving_twice_gives_the_same_order() -> None:
    people = a_target_list(*reversed(contacts(30)))
    shuffled = Lead.objects.bulk_create(
        Lead(last_name=f"L{n}", email=f"l{n}@example.org") for n in range(5, 0, -1)
    )
    for lead in reversed(shuffled):
        people.members.create(recipient_type="crm.lead", object_id=str(lead.pk))
    first, second = (
        [(c.recipient_type, int(c.object_id)) for c in candidates_of([people])] for _ in range(2)
    )

    assert first == second == sorted(first)


def queries_to(resolved: list[TargetListPage], without: list[TargetListPage]) -> tuple[int, Audience]:
    forget("test")
    with CaptureQueriesContext(connection) as queries:
        audience = worked_out(resolved, without)
    return len(queries), audience


def test_the_number_of_queries_does_not_grow_with_the_people() -> None:
    few, many = a_target_list(*contacts(3)), a_target_list(*contacts(400, domain="many.example"))
    excluded_few, excluded_many = (
        a_target_list(*contacts(3)),
        a_target_list(*contacts(400, domain="ex.example")),
    )
    for number in range(1, 300, 7):
        opt_out(known(f"person{number}@many.example"))

    few_queries, _few = queries_to([few], [excluded_few])
    many_queries, audience = queries_to([many], [excluded_many])

    assert many_queries == few_queries
    assert audience.counts[Reason.OPTED_OUT] == 43


def test_people_in_several_chunks_are_deduplicated_over_all_of_them() -> None:
    people = a_target_list(*contacts(700), *contacts(700))
    summary = summary_of(worked_out([people]))

    assert (summary.included, dict(summary.left_out)) == (700, {Reason.DUPLICATE: 700})


def test_the_summary_agrees_with_the_verdicts() -> None:
    opt_out(known("bob@example.org"))
    people = a_target_list(
        a_contact("ada@example.org"), a_contact("ADA@example.org"), a_contact("bob@example.org")
    )
    summary = summary_of(worked_out([people]))

    assert summary.included == 1
    assert dict(summary.left_out) == {Reason.DUPLICATE: 1, Reason.OPTED_OUT: 1}
    assert [candidate.email for candidate in summary.examples[Reason.OPTED_OUT]] == ["bob@example.org"]


def test_sources_whose_keys_sort_the_other_way_keep_their_order() -> None:
    lists = [a_target_list(a_contact(f"p{number}@example.org")) for number in range(12)]
    wanted = [lists[11], lists[0], lists[10], lists[1]]
    open_audience("test", wanted)

    kept = [key for key, _title in Audience.objects.get(subject="test").sources]
    assert kept == [source.consent_scope.key for source in wanted]


def test_a_slice_after_the_other_brings_everybody_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "SLICE", 7)
    people = a_target_list(*contacts(50))

    assert [candidate.email for candidate in candidates_of([people, people])] == [
        f"person{number}@customers.example" for number in range(1, 51)
    ]


def test_two_who_work_an_audience_out_in_turns_do_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "SLICE", 7)
    audience = open_audience("test", [a_target_list(*contacts(20))])
    steps = 0
    while not audience.is_complete:
        one_step = iter([False, True])
        work_out(Audience.objects.get(pk=audience.pk), stop=lambda turns=one_step: next(turns))
        steps += 1
        audience.refresh_from_db()

    assert steps > len(audience.plan) > 2
    assert audience.counts == {"": 20}


def test_a_list_that_goes_while_it_is_looked_at_stops_the_audience() -> None:
    people = a_target_list(a_contact("ada@example.org"), title="Old customers")
    audience = open_audience("test", [people])
    people.delete()

    with pytest.raises(SourceGone, match="Old customers"):
        work_out(audience)


def test_who_was_erased_gets_nothing_under_any_record() -> None:
    erase_address("ada@example.org", HOW)
    people = a_target_list(a_contact("Ada@Example.org"), a_contact("bob@example.org"))

    # Nor is the address copied out of the record that still has it.
    assert verdicts(people) == [("", Reason.ERASED), ("bob@example.org", "")]


def test_names_and_vips_that_only_python_knows_are_asked_in_python(django_user_model: Any) -> None:
    ada = django_user_model.objects.create_user("ada", "Ada@example.org", first_name="Ada", last_name="L")
    nobody = django_user_model.objects.create_user("bob", "b@@example.org")
    first, second = candidates_of([a_target_list(ada, nobody)])

    assert (first.name, first.key, first.envelope) == ("Ada L", "ada@example.org", "Ada@example.org")
    assert second.reason == Reason.MALFORMED


@given(st.lists(hostile_addresses(), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_judges_as_python_does(emails: list[str]) -> None:
    with transaction.atomic():
        records = Contact.objects.bulk_create(
            Contact(email=email, last_name=f"L{n}") for n, email in enumerate(emails)
        )
        people = a_target_list(*records)
        one_by_one = standing_of(people).verdicts

        for candidate in candidates_of([people]):
            verdict = one_by_one[candidate.recipient_type, candidate.object_id]
            assert (candidate.reason, candidate.detail) == (verdict.reason, verdict.detail[:255])
            if candidate.key:
                parsed = parse_address(candidate.email)
                assert candidate.key == parsed.key
                assert candidate.envelope in ("", parsed.envelope)
        transaction.set_rollback(True)


@pytest.mark.only_on("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_column_that_ignores_letter_case_by_its_collation_is_read_like_any_other() -> None:
    people = a_target_list(a_contact("Ada@example.org"), a_contact("ada@EXAMPLE.org"), a_contact("ü@x.org"))
    with connection.cursor() as cursor:
        # As django.contrib.postgres.operations.CreateCollation makes it.
        cursor.execute(
            "CREATE COLLATION massmail_ci (provider='icu', locale='und-u-ks-level2', deterministic=false)"
        )
        cursor.execute("ALTER TABLE crm_contact ALTER email TYPE varchar(320) COLLATE massmail_ci")
    try:
        assert [reason for _email, reason in verdicts(people)] == ["", Reason.DUPLICATE, ""]
    finally:
        with connection.cursor() as cursor:
            cursor.execute('ALTER TABLE crm_contact ALTER email TYPE varchar(320) COLLATE "default"')
            cursor.execute("DROP COLLATION massmail_ci")


def longest_step(people: TargetListPage) -> tuple[int, Audience]:
    """Return the number of queries of the longest step."""
    audience, longest = open_audience("test", [people]), 0
    while not audience.is_complete:
        one_step = iter([False, True])
        with CaptureQueriesContext(connection) as queries:
            work_out(audience, stop=lambda turns=one_step: next(turns))
        longest = max(longest, len(queries))
    return longest, audience


def test_of_many_people_some_of_whom_were_erased_each_step_hashes_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashed: list[int] = []

    def counted(keys: Iterable[str]) -> set[str]:
        some = list(keys)
        hashed.append(len(some))
        return erased_keys(some)

    monkeypatch.setattr(judging, "HASHED_AT_ONCE", 10)
    monkeypatch.setattr(judging, "erased_keys", counted)
    for number in (1, 38, 40):
        erase_address(f"person{number}@customers.example", HOW)
    audience = open_audience("test", [a_target_list(*contacts(40))])
    in_steps = []
    while not audience.is_complete:
        one_step, before = iter([False, True]), sum(hashed)
        work_out(audience, stop=lambda turns=one_step: next(turns))
        in_steps.append(sum(hashed) - before)

    assert max(in_steps) == 10
    assert sum(hashed) == 40
    assert audience.counts == {"": 37, Reason.ERASED: 3}


def test_people_whom_python_reads_come_in_short_steps(
    monkeypatch: pytest.MonkeyPatch, django_user_model: Any
) -> None:
    monkeypatch.setattr(collecting, "SLICE_IN_PYTHON", 5)
    monkeypatch.setattr(collecting, "_CHUNK", 2)
    users = django_user_model.objects.bulk_create(
        django_user_model(username=f"u{n}", email=f"u{n}@example.org") for n in range(17)
    )
    few, _few = longest_step(a_target_list(*users[:5]))
    many, audience = longest_step(a_target_list(*users))

    assert many == few
    assert audience.counts == {"": 17}
