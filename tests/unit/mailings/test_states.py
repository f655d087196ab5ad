"""The tables of moves are complete and end where they should."""

import pytest

from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import (
    DELIVERY_MOVES,
    MAILING_MOVES,
    OPEN,
    RUNNING,
    DeliveryState,
    MailingState,
    move,
)


@pytest.mark.parametrize(
    ("states", "table"), [(MailingState, MAILING_MOVES), (DeliveryState, DELIVERY_MOVES)]
)
def test_every_state_stands_in_its_table_and_moves_only_to_its_kind(states, table):
    assert set(table) == set(states)
    for source, targets in table.items():
        assert source not in targets
        assert set(targets) <= set(states)


def _reachable(table, start):
    seen, front = set(), {start}
    while front:
        seen |= front
        front = {target for state in front for target in table[state]} - seen
    return seen


def test_every_mailing_state_can_be_reached_from_draft():
    assert _reachable(MAILING_MOVES, MailingState.DRAFT) == set(MailingState)


def test_every_delivery_state_can_be_reached_from_queued():
    assert _reachable(DELIVERY_MOVES, DeliveryState.QUEUED) == set(DeliveryState)


def test_an_accepted_mail_never_moves_again():
    assert DELIVERY_MOVES[DeliveryState.ACCEPTED] == ()


def test_only_a_claimed_mail_can_be_handed_over():
    sources = [source for source, targets in DELIVERY_MOVES.items() if DeliveryState.HANDING in targets]
    assert sources == [DeliveryState.CLAIMED]


def test_only_a_pending_or_stopped_or_finished_mailing_becomes_active():
    sources = {source for source, targets in MAILING_MOVES.items() if MailingState.ACTIVE in targets}
    assert MailingState.DRAFT not in sources
    assert MailingState.CANCELLED not in sources


def test_every_open_delivery_can_end():
    ends = set(DeliveryState) - set(OPEN)
    for state in OPEN:
        assert _reachable(DELIVERY_MOVES, state) & ends


def test_every_running_mailing_can_be_paused_and_cancelled():
    for state in RUNNING:
        assert {MailingState.PAUSED, MailingState.CANCELLED} <= set(MAILING_MOVES[state])


def test_a_move_asks_about_other_tables_only_in_subqueries():
    """With a join PostgreSQL would move rows that somebody else has just moved on."""
    with pytest.raises(ValueError, match="subquery"):
        move(Delivery.objects.filter(run__mailing__state=MailingState.CANCELLED), DeliveryState.CANCELLED)
