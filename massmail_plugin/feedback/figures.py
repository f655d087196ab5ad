"""What became of the mails of a run or a campaign, in a handful of aggregate queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import Count, Exists, OuterRef, QuerySet

from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.models import Campaign, Delivery, Run, TrackedLink
from massmail_plugin.mailings.states import OPEN, DeliveryState

Kind = DeliveryEvent.Kind


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """Clicks on one destination. The same destination in several runs of a campaign is one link."""

    #: The tracking URL's name; empty for a plain link of the template.
    slug: str
    url: str
    #: Mails in which it was clicked at least once.
    people: int
    clicks: int


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Every count is one of mails, not of events, but for ``clicks``.

    ``sent`` are those that a mail server took; ``delivered`` and what follows come from providers and from
    the recipients' mail programs, so that a mail may be clicked that was never reported as delivered.
    Opens and clicks include those of scanners and privacy proxies: they are estimates.
    """

    sent: int = 0
    waiting: int = 0
    failed: int = 0
    in_doubt: int = 0
    cancelled: int = 0
    #: How many people got no mail, by ``Reason`` value, most frequent first.
    left_out_by_reason: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    #: All clicks, the repeated ones of the same person too.
    clicks: int = 0
    bounced_hard: int = 0
    bounced_soft: int = 0
    rejected: int = 0
    complained: int = 0
    #: Opted out through this mail, and have not taken it back.
    opted_out: int = 0
    links: tuple[LinkFigures, ...] = ()

    @property
    def left_out(self) -> int:
        return sum(self.left_out_by_reason.values())

    @property
    def mails(self) -> int:
        """All mails of the ledger, whatever became of them; people who were left out are none."""
        return self.sent + self.waiting + self.failed + self.in_doubt + self.cancelled

    @property
    def bounced(self) -> int:
        """Hard and soft together; a mail that bounced in both ways counts twice."""
        return self.bounced_hard + self.bounced_soft


def figures_for_run(run: Run) -> RunFigures:
    """Return what became of the mails of one run."""
    return _figures(Run.objects.filter(pk=run.pk))


def figures_for_campaign(campaign: Campaign) -> RunFigures:
    """Return what became of all mails of a campaign; who got three mailings counts three times."""
    return _figures(Run.objects.filter(mailing__campaign=campaign))


def _figures(runs: QuerySet[Run]) -> RunFigures:
    states = _by_state(runs)
    mails, events = _by_kind(runs)
    return RunFigures(
        sent=states.get(DeliveryState.ACCEPTED, 0),
        waiting=sum(states.get(state, 0) for state in OPEN),
        failed=states.get(DeliveryState.FAILED, 0),
        in_doubt=states.get(DeliveryState.IN_DOUBT, 0),
        cancelled=states.get(DeliveryState.CANCELLED, 0),
        left_out_by_reason=_left_out(runs),
        delivered=mails.get(Kind.DELIVERED, 0),
        opened=mails.get(Kind.OPENED, 0),
        clicked=mails.get(Kind.CLICKED, 0),
        clicks=events.get(Kind.CLICKED, 0),
        bounced_hard=mails.get(Kind.BOUNCED_HARD, 0),
        bounced_soft=mails.get(Kind.BOUNCED_SOFT, 0),
        rejected=mails.get(Kind.REJECTED, 0),
        complained=mails.get(Kind.COMPLAINED, 0),
        opted_out=_opted_out(runs),
        links=_links(runs),
    )


def _by_state(runs: QuerySet[Run]) -> dict[str, int]:
    rows = Delivery.objects.filter(run__in=runs).order_by().values_list("state").annotate(Count("pk"))
    return dict(rows)


def _left_out(runs: QuerySet[Run]) -> dict[str, int]:
    skipped = Delivery.objects.filter(run__in=runs, state=DeliveryState.SKIPPED).order_by()
    counts: dict[str, int] = dict(skipped.values_list("reason").annotate(Count("pk")))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _by_kind(runs: QuerySet[Run]) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by kind of event, the number of mails and the number of events."""
    rows = (
        DeliveryEvent.objects.filter(delivery__run__in=runs)
        .order_by()
        .values("kind")
        .annotate(mails=Count("delivery", distinct=True), events=Count("pk"))
    )
    found = list(rows)
    return {row["kind"]: row["mails"] for row in found}, {row["kind"]: row["events"] for row in found}


def _opted_out(runs: QuerySet[Run]) -> int:
    taken_back = DeliveryEvent.objects.filter(
        delivery=OuterRef("delivery"), kind=Kind.OPTED_IN, pk__gt=OuterRef("pk")
    )
    opted_out = DeliveryEvent.objects.filter(~Exists(taken_back), delivery__run__in=runs, kind=Kind.OPTED_OUT)
    return opted_out.aggregate(mails=Count("delivery", distinct=True))["mails"]


def _links(runs: QuerySet[Run]) -> tuple[LinkFigures, ...]:
    rows = (
        TrackedLink.objects.filter(run__in=runs)
        .order_by()
        .values("slug", "url")
        .annotate(all_clicks=Count("clicks"), people=Count("clicks__delivery", distinct=True))
    )
    links = (LinkFigures(row["slug"], row["url"], row["people"], row["all_clicks"]) for row in rows)
    return tuple(sorted(links, key=lambda link: (-link.people, -link.clicks, link.slug, link.url)))
