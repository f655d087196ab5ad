"""What the opt-out link means, as the mailing says: everything, or the lists of its campaign."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.mailings.models import Delivery, Mailing
from sandbox.crm.models import Contact
from tests.builders import a_campaign, a_mailing, a_target_list, start_now
from tests.integration.feedback.conftest import ADDRESS, Sent, send_to

pytestmark = pytest.mark.django_db

Leave = Callable[[Client, Sent], object]


def by_the_page(browser: Client, sent: Sent) -> object:
    return browser.post(sent.opt_out_url(), {"wish": "these"})


def by_the_button_of_the_mail_program(browser: Client, sent: Sent) -> object:
    return browser.post(sent.one_click_url(), {"List-Unsubscribe": "One-Click"})


def reason_in_next_mailing(target_list: TargetListPage) -> str:
    """Return why Ada gets nothing from another mailing, to this list; "" if she gets it."""
    run = start_now(a_mailing(campaign=a_campaign(target_list)))
    return Delivery.objects.get(run=run, email=ADDRESS).reason


@pytest.mark.parametrize("leave", [by_the_page, by_the_button_of_the_mail_program])
class TestBothWays:
    def test_unticked_it_leaves_the_campaigns_lists_and_no_others(
        self, client: Client, lists: tuple[TargetListPage, ...], leave: Leave
    ) -> None:
        other = a_target_list(*Contact.objects.all(), title="Elsewhere")
        leave(client, send_to(lists, opt_out_entirely=False))
        assert reason_in_next_mailing(lists[0]) == "opted_out_list"
        assert reason_in_next_mailing(other) == ""

    def test_ticked_it_leaves_everything(
        self, client: Client, lists: tuple[TargetListPage, ...], leave: Leave
    ) -> None:
        other = a_target_list(*Contact.objects.all(), title="Elsewhere")
        leave(client, send_to(lists, opt_out_entirely=True))
        assert reason_in_next_mailing(lists[0]) == "opted_out"
        assert reason_in_next_mailing(other) == "opted_out"

    @pytest.mark.parametrize("entirely", [False, True])
    def test_what_was_ticked_when_it_started_counts(
        self, client: Client, lists: tuple[TargetListPage, ...], leave: Leave, entirely: bool
    ) -> None:
        sent = send_to(lists, opt_out_entirely=entirely)
        Mailing.objects.update(opt_out_entirely=not entirely)
        leave(client, sent)
        assert bool(sent.address.opted_out_since) is entirely
