"""A mailing that was sent to Ada, and the links in her mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from massmail_plugin import tokens
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.mailings.models import Delivery, Run, TrackingUrl
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress
from massmail_plugin.tokens import Purpose
from tests.builders import a_campaign, a_contact, a_mailing, a_target_list, a_template, an_account, start_now

ADDRESS = "ada.byron@customers.example"
SHOP = "https://shop.example/offer?a=1&b=2"


@dataclass
class Sent:
    """One delivery that a mail server took, with everything around it."""

    delivery: Delivery

    @property
    def run(self) -> Run:
        return self.delivery.run

    @property
    def address(self) -> EmailAddress:
        return EmailAddress.objects.get(pk=self.delivery.address_id)

    @property
    def state(self) -> str:
        return Delivery.objects.get(pk=self.delivery.pk).state

    def kinds(self) -> list[str]:
        return sorted(self.delivery.events.values_list("kind", flat=True))

    def opt_out_token(self) -> str:
        return tokens.make(Purpose.OPT_OUT, self.delivery.pk, self.delivery.address_id)

    def opt_out_url(self) -> str:
        return reverse("massmail:opt_out", args=[self.opt_out_token()])

    def one_click_url(self) -> str:
        return reverse("massmail:one_click", args=[self.opt_out_token()])

    def click_url(self, number: int = 0) -> str:
        return reverse("massmail:click", args=[tokens.make(Purpose.CLICK, self.delivery.pk, number)])

    def open_url(self) -> str:
        return reverse("massmail:open", args=[tokens.make(Purpose.OPEN, self.delivery.pk)])

    def view_url(self) -> str:
        return reverse("massmail:view", args=[tokens.make(Purpose.VIEW, self.delivery.pk)])

    def be(self, state: DeliveryState, **fields: Any) -> None:
        """Put the row where a test wants it, past the engine."""
        Delivery.objects.filter(pk=self.delivery.pk).update(state=state, **fields)


@pytest.fixture
def lists(db: None) -> tuple[TargetListPage, TargetListPage]:
    ada, bob = a_contact(ADDRESS, first_name="Ada"), a_contact("bob@customers.example", first_name="Bob")
    return a_target_list(ada, bob, title="Customers"), a_target_list(ada, title="Fair 2026")


@pytest.fixture
def sent(lists: tuple[TargetListPage, TargetListPage]) -> Sent:
    return send_to(lists)


def send_to(lists: tuple[TargetListPage, ...], **fields: Any) -> Sent:
    """Start a mailing to ``lists``, call its mails sent, and return Ada's."""
    an_account()
    campaign = a_campaign(*lists)
    TrackingUrl.objects.create(campaign=campaign, slug="shop", url=SHOP)
    template = a_template('<p>Dear {{ contact.first_name }}, <a href="https://news.example/">read on</a></p>')
    run = start_now(a_mailing(campaign=campaign, template=template, **fields))
    waiting = Delivery.objects.filter(run=run, state=DeliveryState.QUEUED)
    waiting.update(state=DeliveryState.ACCEPTED, handed_at=timezone.now())
    adas = Delivery.objects.select_related("run", "address").exclude(address=None)
    return Sent(adas.get(run=run, email=ADDRESS))
