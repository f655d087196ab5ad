"""I1: wherever the mails of a run stand, the counts add up to everybody who was in its lists at the start."""

import random

import pytest

from massmail_plugin.admin.mailing_now import counts
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.feedback.figures import figures_for_campaign, figures_for_run
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.progress import progress_of
from massmail_plugin.mailings.states import DeliveryState
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, an_account, contacts, start_now

pytestmark = pytest.mark.django_db


def _everybody():
    """Return a run and the size of its snapshot: some people get no mail, and stand in the ledger too."""
    people = [*contacts(40), a_contact("no-at-sign"), a_contact("PERSON1@customers.example")]
    outcast = a_contact()
    lists = [a_target_list(*people, outcast), a_target_list(people[0])]
    an_account()
    run = start_now(a_mailing(campaign=a_campaign(*lists, excluding=[a_target_list(outcast)])))
    return run, len(people) + 1


def _sums(run):
    progress = progress_of([run.mailing_id])[run.mailing_id]
    figures = figures_for_run(run)
    return {
        Delivery.objects.filter(run=run).count(),
        progress.states.total(),
        progress.recipients + progress.states[DeliveryState.SKIPPED],
        progress.ended + progress.waiting + progress.states[DeliveryState.SKIPPED],
        figures.mails + figures.left_out,
        sum(number for _label, number, _url in counts(run.mailing, progress)),
    }


@pytest.mark.parametrize("state", DeliveryState)
def test_the_counts_add_up_when_all_mails_stand_in_one_state(state):
    run, size = _everybody()
    run.deliveries.exclude(state=DeliveryState.SKIPPED).update(state=state, reason=Reason.OPTED_OUT)
    assert _sums(run) == {size}


@pytest.mark.parametrize("seed", range(5))
def test_the_counts_add_up_when_mails_stand_anywhere(seed):
    run, size = _everybody()
    chance = random.Random(seed)
    for delivery in run.deliveries.exclude(state=DeliveryState.SKIPPED):
        delivery.state = chance.choice(list(DeliveryState))
        delivery.save()
    assert _sums(run) == {size}
    figures = figures_for_campaign(run.mailing.campaign)
    assert figures.mails + figures.left_out == size
    assert progress_of([run.mailing_id])[run.mailing_id].percent <= 100


def test_a_cancelled_mailing_has_not_come_all_the_way():
    run, _size = _everybody()
    mails = run.deliveries.exclude(state=DeliveryState.SKIPPED)
    mails.update(state=DeliveryState.CANCELLED)
    assert progress_of([run.mailing_id])[run.mailing_id].percent == 0
    mails.filter(pk__in=list(mails.values_list("pk", flat=True))[:10]).update(state=DeliveryState.ACCEPTED)
    assert progress_of([run.mailing_id])[run.mailing_id].percent == 25
