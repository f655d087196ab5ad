"""Every reason for getting no mail has its words."""

from massmail_plugin.admin.target_lists.rows import STATUSES
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.resolve import Candidate, Summary

#: These depend on a mailing, not on the list alone.
OF_A_MAILING = {Reason.EXCLUDED, Reason.NOT_YOURS, Reason.ADDRESS_CHANGED}


def candidate(reason: str = "") -> Candidate:
    return Candidate("crm.contact", "1", "Ada", "ada@example.org", 7, reason=reason)


def test_a_list_has_a_word_for_each_reason_that_can_happen_in_it() -> None:
    assert set(STATUSES) == {""} | (set(Reason.values) - OF_A_MAILING)


def test_a_summary_counts_each_reason() -> None:
    summary = Summary()
    for reason in ("", Reason.DUPLICATE, Reason.OPTED_OUT, Reason.OPTED_OUT, ""):
        summary.add(candidate(reason))

    assert summary.included == 2
    assert summary.left_out_total == 3
    assert summary.left_out.most_common() == [(Reason.OPTED_OUT, 2), (Reason.DUPLICATE, 1)]


def test_a_summary_of_many_names_only_a_few_people() -> None:
    summary = Summary()
    for _ in range(500):
        summary.add(candidate(Reason.NO_ADDRESS))

    assert summary.left_out[Reason.NO_ADDRESS] == 500
    assert len(summary.examples[Reason.NO_ADDRESS]) < 50
