"""How far mailings have come: counted from the ledger, for many mailings in a fixed number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Count
from django.utils import timezone

from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import OPEN, DeliveryState


@dataclass(slots=True)
class Progress:
    """The deliveries of one mailing, over all its runs, by state."""

    states: Counter[str] = field(default_factory=Counter)
    sent_today: int = 0

    @property
    def recipients(self) -> int:
        """Everybody who was to get a mail: all but those left out."""
        return self.states.total() - self.states[DeliveryState.SKIPPED]

    @property
    def sent(self) -> int:
        return self.states[DeliveryState.ACCEPTED]

    @property
    def waiting(self) -> int:
        """Mails that still have to find an end."""
        return sum(self.states[state] for state in OPEN)

    @property
    def on_their_way(self) -> int:
        """Mails that workers have in their hands."""
        return self.states[DeliveryState.CLAIMED] + self.states[DeliveryState.HANDING]

    @property
    def ended(self) -> int:
        """Mails that have found an end, good or bad."""
        return self.recipients - self.waiting

    @property
    def tried(self) -> int:
        """Mails whose turn has come: those that were cancelled have ended without one."""
        return self.ended - self.states[DeliveryState.CANCELLED]

    @property
    def percent(self) -> int:
        """0 to 100; 100 only when nothing waits any more, and nothing was cancelled."""
        return 100 * self.tried // self.recipients if self.recipients else 0


def progress_of(mailing_ids: Iterable[int]) -> dict[int, Progress]:
    """Return the progress of each of these mailings, in two queries."""
    found = {pk: Progress() for pk in mailing_ids}
    deliveries = Delivery.objects.filter(run__mailing__in=list(found)).order_by()
    by_state = deliveries.values_list("run__mailing_id", "state").annotate(number=Count("pk"))
    for pk, state, number in by_state:
        found[pk].states[state] += number
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    today = deliveries.filter(state=DeliveryState.ACCEPTED, handed_at__gte=midnight)
    for pk, number in today.values_list("run__mailing_id").annotate(number=Count("pk")):
        found[pk].sent_today = number
    return found
