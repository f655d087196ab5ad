"""Freezing a mailing into a run: content compiled, audience written to the ledger. All of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import transaction

from massmail_plugin.accounts.models import has_own_accounts
from massmail_plugin.audience.resolve import Candidate, resolve
from massmail_plugin.content.compiled import CompiledContent
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.mailings.models import Delivery, Mailing, Run, TrackedLink
from massmail_plugin.mailings.preferred import PreferredAccounts
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress

_CHUNK = 500


def freeze(mailing: Mailing) -> Run:
    """Write a run of ``mailing`` with its ledger. Raises ``ContentError`` if the template does not compile."""
    if mailing.template is None:
        raise ValueError("A mailing without a template cannot be frozen; preflight says so to people.")
    content = compile_template(mailing.template, CompileOptions.of_this_site())
    lists = list(mailing.campaign.target_lists.all())
    scopes = [target_list.consent_scope for target_list in lists]
    with transaction.atomic():
        run = Run.objects.create(
            mailing=mailing,
            content=content.to_json(),
            list_scopes={scope.key: scope.label for scope in scopes},
            opt_out_entirely=mailing.opt_out_entirely,
            own_accounts=has_own_accounts(mailing.owner_id),
        )
        _write_links(run, content)
        _write_ledger(run, resolve(lists, list(mailing.campaign.excluded_lists.all())))
    return run


def _write_links(run: Run, content: CompiledContent) -> None:
    """Number the tracked links: first the template's own, then the campaign's tracking URLs."""
    destinations = [("", url) for url in content.links]
    destinations += [(tracking.slug, tracking.url) for tracking in run.mailing.campaign.tracking_urls.all()]
    TrackedLink.objects.bulk_create(
        TrackedLink(run=run, number=number, slug=slug, url=url)
        for number, (slug, url) in enumerate(destinations)
    )


def _write_ledger(run: Run, candidates: Iterable[Candidate]) -> None:
    preferred = PreferredAccounts(run.mailing.owner_id if run.own_accounts else None)
    candidates = iter(candidates)
    while chunk := list(islice(candidates, _CHUNK)):
        ids = _address_ids(candidate.address.key for candidate in chunk if candidate.address)
        rows = [_row(run, candidate, ids) for candidate in chunk]
        queued = (row for row in rows if row.state == DeliveryState.QUEUED)
        mails = {row.address_id: row.vip for row in queued if row.address_id is not None}
        accounts = preferred.among(mails)
        for row in rows:
            row.preferred_account_id = accounts.get(row.address_id or 0)
        run.has_vips |= any(mails.values())
        Delivery.objects.bulk_create(rows)
    run.preferred_accounts = sorted(preferred.found)
    run.save(update_fields=["has_vips", "preferred_accounts"])


def _row(run: Run, candidate: Candidate, ids: dict[str, int]) -> Delivery:
    # The second record with an address must not take the address's one place in the ledger, though it be left out.
    has_place = candidate.address is not None and candidate.is_first
    return Delivery(
        run=run,
        address_id=ids[candidate.address.key] if candidate.address and has_place else None,
        recipient_type=candidate.recipient_type,
        object_id=candidate.object_id,
        name=candidate.name[:255],
        email=candidate.email[:320],
        envelope=candidate.address.envelope if candidate.address else "",
        target_list_id=candidate.target_list_id,
        state=DeliveryState.SKIPPED if candidate.reason else DeliveryState.QUEUED,
        reason=candidate.reason,
        detail=candidate.detail[:1000],
        vip=candidate.vip,
    )


def _address_ids(keys: Iterator[str] | Iterable[str]) -> dict[str, int]:
    """Return the row numbers of these addresses, making rows for those not seen before."""
    wanted = set(keys)
    found = dict(EmailAddress.objects.filter(key__in=wanted).values_list("key", "pk"))
    missing = wanted - found.keys()
    if missing:
        EmailAddress.objects.bulk_create(
            (EmailAddress(key=key) for key in sorted(missing)), ignore_conflicts=True
        )
        found |= dict(EmailAddress.objects.filter(key__in=missing).values_list("key", "pk"))
    return found
