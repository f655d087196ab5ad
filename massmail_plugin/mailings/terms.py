"""What decides who gets a mailing: kept with its audience, so that figures are never those of something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from massmail_plugin import preferences
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.judging import Rule, rule, with_address
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.sources import Source, segments_in
from massmail_plugin.audience.working_out import open_audience, titles_of
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import MAY_HAVE_GOT
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress

#: Up to how many members of a list are counted to see whether somebody was taken out.
_COUNTED = 5000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a mailing's audience is made of at one moment."""

    sources: Sequence[Source]
    excluded: Sequence[Source]
    #: The owner, whose records people may mail, which mailings keep out who got them, what the segments ask for.
    others: dict[str, Any]
    #: Shows at a glance that lists or consent have changed. Of the host's own records it knows nothing.
    traces: list[Any]

    def open(self, subject: str) -> Audience:
        """Return a new audience of these terms."""
        return open_audience(subject, self.sources, self.excluded, terms=self.others, traces=self.traces)

    def are_those_of(self, audience: Audience) -> bool:
        """Whether ``audience`` was, or is being, worked out by the same terms, traces aside."""
        then = [audience.sources, audience.excluded, audience.terms]
        return then == [titles_of(self.sources), titles_of(self.excluded), self.others]


def terms_of(mailing: Mailing) -> Terms:
    """Return what decides now who gets ``mailing``."""
    sources, excluded = mailing.campaign.sources(), mailing.campaign.excluded_sources()
    everything = [*sources, *excluded]
    others = {
        "owner": str(mailing.owner_id or ""),
        "whose_records": str(preferences.load().whose_records),
        "already_got": [[other.pk, str(other)] for other in mailing.campaign.excluded_mailings.all()],
        "segments": [
            [segment.pk, segment.recipient_type, segment.criteria, segment.behaviour]
            for source in everything
            for segment in segments_in(source)
        ],
    }
    return Terms(sources, excluded, others, _traces(everything))


def already_got(audience: Audience) -> list[Rule]:
    """Return the rules that leave out who got one of the mailings that were named when ``audience`` was opened.

    Of that moment: a rule is known by its place in the list, which must not change between two steps.
    """
    rules = []
    for number, name in audience.terms.get("already_got", []):
        got = Delivery.objects.filter(run__mailing=number, state__in=MAY_HAVE_GOT).exclude(address=None)
        keys = EmailAddress.objects.filter(pk__in=got.values("address")).values("key")
        rules.append(rule(Reason.ALREADY_GOT, with_address(keys), name))
    return rules


def _traces(sources: Sequence[Source]) -> list[Any]:
    """The last thing that anybody said, and for each list its last member and how many there are, up to a number."""
    traces: list[Any] = [ConsentEvent.objects.order_by("-pk").values_list("pk", flat=True).first()]
    for source in sources:
        if isinstance(source, TargetListPage):
            numbers = source.members.values_list("pk", flat=True)
            traces.append([numbers.order_by("-pk").first(), numbers.order_by("pk")[:_COUNTED].count()])
    return traces
