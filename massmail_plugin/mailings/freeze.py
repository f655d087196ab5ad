"""Freezing a mailing into a run: content compiled, audience worked out and copied to the ledger.

Done in steps that are committed one by one: a kill costs one step, and whoever comes next goes on. Nothing is sent
before the last one, which starts the mailing.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from massmail_plugin.accounts.models import has_own_accounts
from massmail_plugin.audience.audiences import Audience
from massmail_plugin.audience.sources import scopes_of
from massmail_plugin.audience.working_out import forget
from massmail_plugin.content.compiled import CompiledContent
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.mailings.copying import copy_slice
from massmail_plugin.mailings.models import Delivery, Mailing, Run, TrackedLink
from massmail_plugin.mailings.people import work_out_people
from massmail_plugin.mailings.states import DeliveryState, MailingState
from massmail_plugin.mailings.terms import terms_of

#: Candidates that one step copies.
SLICE = 100_000


def begin(mailing: Mailing) -> Run:
    """Write a run of ``mailing`` with an audience to be worked out. Raises ``ContentError``."""
    if mailing.template is None:
        raise ValueError("A mailing without a template cannot be frozen; preflight says so to people.")
    content = compile_template(mailing.template, CompileOptions.of_this_site())
    terms = terms_of(mailing)
    with transaction.atomic():
        run = Run.objects.create(
            mailing=mailing,
            content=content.to_json(),
            list_scopes={scope.key: scope.label for scope in scopes_of(terms.sources)},
            opt_out_entirely=mailing.opt_out_entirely,
            own_accounts=has_own_accounts(mailing.owner_id),
        )
        _write_links(run, content)
        terms.open(_subject(run))
    return run


def choose(run: Run, stop: Callable[[], bool] = lambda: False) -> Audience | None:
    """Work out who is in the run. Returns the audience; None if ``stop()`` has said so before the end.

    Raises what ``work_out`` raises: ``Audience.DoesNotExist`` if the run was discarded.
    """
    audience = Audience.objects.get(subject=_subject(run))
    if not work_out_people(run.mailing, audience, stop):
        return None
    # Before any mail can leave: the fence asks about them.
    Run.objects.filter(pk=run.pk).update(live_scopes=audience.live_scopes)
    run.live_scopes = audience.live_scopes
    return audience


def copy(run: Run, audience: Audience, stop: Callable[[], bool] = lambda: False) -> bool:
    """Write the ledger. Returns whether it is whole; False if ``stop()`` has said so before."""
    last = audience.candidates.aggregate(last=Max("pk"))["last"] or 0
    while run.copied_to < last:
        if stop():
            return False
        with transaction.atomic():
            # Whoever else copies waits here and goes on behind; whoever discards the run, too.
            locked = (
                Run.objects.select_for_update().only("copied_to", "mailing", "own_accounts").get(pk=run.pk)
            )
            if locked.copied_to < last:
                locked.copied_to = copy_slice(locked, audience, size=SLICE) or last
                locked.save(update_fields=["copied_to"])
        run.copied_to = locked.copied_to
    return True


def finish(run: Run) -> None:
    """Note what the ledger holds, and that it is whole."""
    queued = Delivery.objects.filter(run=run, state=DeliveryState.QUEUED)
    preferred = queued.exclude(preferred_account=None).order_by().values_list("preferred_account", flat=True)
    run.has_vips = queued.filter(vip=True).exists()
    run.preferred_accounts = sorted(preferred.distinct())
    run.frozen_at = timezone.now()
    run.save(update_fields=["has_vips", "preferred_accounts", "frozen_at"])
    forget(_subject(run))


def how_far(mailing: Mailing) -> str:
    """Return how far the start of a pending mailing is, for people; empty if it has not begun."""
    if mailing.state != MailingState.PENDING:
        return ""
    run = Run.objects.filter(mailing=mailing, frozen_at=None).only("pk").first()
    audience = Audience.objects.filter(subject=_subject(run)).first() if run else None
    if audience is None:
        return ""
    if audience.is_complete:
        return _("It is starting: the mails are being put in line.")
    return _("It is starting: the people are being chosen, %(percent)d %% so far.") % {
        "percent": audience.progress
    }


def discard(mailing: Mailing) -> None:
    """Forget the run of a mailing that does not start after all."""
    with transaction.atomic():
        for run in Run.objects.select_for_update().filter(mailing=mailing, frozen_at=None):
            forget(_subject(run))
            deliveries = Delivery.objects.filter(run=run)
            deliveries._raw_delete(deliveries.db)
            run.delete()


def _subject(run: Run) -> str:
    return f"run:{run.pk}"


def _write_links(run: Run, content: CompiledContent) -> None:
    """Number the tracked links: first the template's own, then the campaign's tracking URLs."""
    destinations = [("", url) for url in content.links]
    destinations += [(tracking.slug, tracking.url) for tracking in run.mailing.campaign.tracking_urls.all()]
    TrackedLink.objects.bulk_create(
        TrackedLink(run=run, number=number, slug=slug, url=url)
        for number, (slug, url) in enumerate(destinations)
    )
