"""Every reason for getting no mail has its words."""

from massmail_plugin.admin.target_lists.rows import STATUSES
from massmail_plugin.audience.reasons import Reason

#: These depend on a mailing, not on the list alone.
OF_A_MAILING = {Reason.EXCLUDED, Reason.ALREADY_GOT, Reason.NOT_YOURS, Reason.ADDRESS_CHANGED}


def test_a_list_has_a_word_for_each_reason_that_can_happen_in_it() -> None:
    assert set(STATUSES) == {""} | (set(Reason.values) - OF_A_MAILING)
