"""What stands in the way of a mailing: asked before it is released, and again when it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.utils import timezone
from django.utils.translation import gettext as _

from massmail_plugin import preferences
from massmail_plugin.accounts.models import accounts_for
from massmail_plugin.accounts.pacing.why import Why
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.members import missing_types
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.people import UnusableSegment
from massmail_plugin.audience.sources import types_of, why_unusable_any
from massmail_plugin.audience.summary import Summary, summary_of
from massmail_plugin.audience.working_out import SourceGone
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.content.lint import lint
from massmail_plugin.content.problems import ContentError
from massmail_plugin.mailings import forecast, forecast_words
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.people import count_people


class Place(StrEnum):
    """Where a finding is mended."""

    MAILING = "mailing"
    CAMPAIGN = "campaign"
    TEMPLATE = "template"
    ACCOUNTS = "accounts"
    PREFERENCES = "preferences"


class Finding(str):
    """A sentence for people that says what to do, and the place to do it."""

    __slots__ = ("place",)

    place: Place

    def __new__(cls, sentence: str, place: Place) -> Finding:
        finding = super().__new__(cls, sentence)
        finding.place = place
        return finding


@dataclass(slots=True)
class Preflight:
    """``problems`` stop the mailing; ``warnings`` do not."""

    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    audience: Summary = field(default_factory=Summary)
    #: What that summary was made of: complete, or None.
    counted: Audience | None = None
    #: When the first mail leaves at the earliest, if that is later than its start.
    first_leaves: datetime | None = None
    #: How much of a long audience is still to be worked out: a sentence for people; empty when it is complete.
    counting: str = ""
    #: Why nobody can be counted, because something is broken: one of the problems.
    uncountable: str = ""

    @property
    def is_counting(self) -> bool:
        return bool(self.counting)


def check(
    mailing: Mailing, *, starting: Audience | None = None, at_send: bool = False, at_a_glance: bool = False
) -> Preflight:
    """Return everything that is wrong with ``mailing``.

    ``starting``: its time has come, so that may have passed, and this is its complete audience. ``at_send`` and
    ``at_a_glance``: see ``count_people``.
    """
    result = Preflight()
    result.problems.extend(_setting_problems(mailing, starting=starting is not None))
    _check_content(mailing, result)
    _check_audience(
        mailing,
        result,
        lambda: starting or count_people(mailing, at_send=at_send, at_a_glance=at_a_glance),
    )
    if result.is_counting:
        return result
    _check_main_accounts(mailing, result)
    if starting is None:
        _check_times(mailing, result)
    return result


def no_account() -> Finding:
    """Return what to say when nothing is ready to send the mails of a mailing's owner."""
    sentence = _(
        "No sender account is ready for the owner of this mailing. Add one, or mend the one that has stopped."
    )
    return Finding(sentence, Place.ACCOUNTS)


def _setting_problems(mailing: Mailing, *, starting: bool) -> Iterator[Finding]:
    if not starting and mailing.start_at and mailing.start_at < timezone.now():
        sentence = _("The start time has passed. Choose a later one, or empty it to start at once.")
        yield Finding(sentence, Place.MAILING)
    if not accounts_for(mailing.owner_id).exists():
        yield no_account()
    if not preferences.load().base_url:
        sentence = _(
            "The public address of this site is not set, so the links in the mails would lead nowhere. "
            "Enter it under Settings › Mass mailing."
        )
        yield Finding(sentence, Place.PREFERENCES)


def _check_content(mailing: Mailing, result: Preflight) -> None:
    template = mailing.template
    if template is None:
        result.problems.append(Finding(_("Choose a template."), Place.MAILING))
        return
    if not template.live:
        sentence = _("The template “%(name)s” is a draft. Publish it first.") % {"name": template}
        result.problems.append(Finding(sentence, Place.TEMPLATE))
    elif template.has_unpublished_changes:
        sentence = _(
            "The template “%(name)s” has changes that are not published. What was published last is sent."
        ) % {"name": template}
        result.warnings.append(Finding(sentence, Place.TEMPLATE))
    try:
        compile_template(template, CompileOptions.of_this_site())
    except ContentError as error:
        result.problems.extend(Finding(str(problem), Place.TEMPLATE) for problem in error.problems)
        return
    slugs = [url.slug for url in mailing.campaign.tracking_urls.all()]
    for problem in lint(template, types_of(mailing.campaign.sources()), slugs):
        found = result.problems if problem.severity == "error" else result.warnings
        found.append(Finding(str(problem), Place.TEMPLATE))


def _check_audience(mailing: Mailing, result: Preflight, count: Callable[[], Audience]) -> None:
    campaign = mailing.campaign
    if not campaign.sources():
        sentence = _("The campaign has no target list and no segment. Choose one in the campaign.")
        result.problems.append(Finding(sentence, Place.CAMPAIGN))
        return
    _check_types(list(campaign.target_lists.all()), list(campaign.excluded_lists.all()), result)
    unusable = why_unusable_any([*campaign.sources(), *campaign.excluded_sources()])
    result.problems.extend(Finding(sentence, Place.CAMPAIGN) for sentence in unusable)
    if unusable:
        return
    try:
        audience = count()
    except (SourceGone, UnusableSegment, Audience.DoesNotExist):
        # It was changed while we looked; whoever looks again sees it as it is then.
        result.counting = _("The lists are being changed. Look again in a moment.")
        return
    if audience.fault:
        sentence = _(
            "The people cannot be counted: {error}. Ask your administrator to look at the log, and count again then."
        )
        result.uncountable = sentence.format(error=audience.fault)
        result.problems.append(Finding(result.uncountable, Place.CAMPAIGN))
        return
    if not audience.is_complete:
        people = _("The people are being counted: %(percent)d %%.")
        result.counting = people % {"percent": audience.progress}
        return
    result.counted, result.audience = audience, summary_of(audience)
    if not result.audience.included:
        result.problems.append(Finding(_("Nobody would get this mailing: see below why."), Place.CAMPAIGN))


def _check_main_accounts(mailing: Mailing, result: Preflight) -> None:
    """Main accounts alone would keep most people waiting for ever, without a word."""
    kinds = set(accounts_for(mailing.owner_id).values_list("is_main", flat=True))
    people = result.audience.included
    without = people - result.audience.vips
    if kinds == {True} and without:
        sentence = _(
            "Only your main account is ready, and it sends only to VIP recipients: %(without)d of %(people)d people "
            "would get no mail. Switch on another account, or untick “only for VIP recipients” in this one."
        ) % {"without": without, "people": people}
        result.problems.append(Finding(sentence, Place.ACCOUNTS))


def _check_times(mailing: Mailing, result: Preflight) -> None:
    """Whoever presses Send should know before that nothing will leave today, or that it will take weeks."""
    now = timezone.now()
    found = forecast.of_start(mailing, result.audience.included, result.audience.vips, now)
    if found.why is Why.NEVER_OPEN:
        result.problems.append(Finding(found.why.sentence, Place.ACCOUNTS))
        return
    if forecast_words.waiting_sentence(found, max(now, mailing.start_at) if mailing.start_at else now):
        result.first_leaves = found.next_at
    for sentence in forecast_words.before_start(found, mailing, now):
        result.warnings.append(Finding(sentence, Place.ACCOUNTS))


def _check_types(lists: list[TargetListPage], excluded: list[TargetListPage], result: Preflight) -> None:
    """People of a type that the site no longer knows get nothing, but neither can they be kept out any more."""
    if keys := missing_types(excluded):
        sentence = _(
            "An excluded list holds people whom this site no longer knows as recipients (%(types)s), so nobody can "
            "say who must not get this mailing. Take the list out of the campaign, or ask your administrator."
        ) % {"types": ", ".join(keys)}
        result.problems.append(Finding(sentence, Place.CAMPAIGN))
    if keys := missing_types(lists):
        sentence = _(
            "The lists hold people whom this site no longer knows as recipients (%(types)s). They get nothing."
        ) % {"types": ", ".join(keys)}
        result.warnings.append(Finding(sentence, Place.CAMPAIGN))
