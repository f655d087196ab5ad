"""The first half of working out an audience: everybody in the sources, copied in slices inside the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from django.db import connections
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    F,
    Q,
    QuerySet,
    Value,
    When,
    Window,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import (
    Coalesce,
    Collate,
    Left,
    Length,
    Lower,
    Mod,
    RowNumber,
    StrIndex,
    Trim,
)
from django.db.models.lookups import EndsWith, Exact, LessThanOrEqual, Regex

from massmail_plugin.audience.audiences import Audience, Candidate
from massmail_plugin.audience.inserting import insert_select
from massmail_plugin.audience.reasons import Reason
from massmail_plugin.audience.record_sets import key_as_text
from massmail_plugin.audience.sources import Source, parts_of
from massmail_plugin.recipients import RecipientType
from massmail_plugin.recipients.addresses import (
    MAX_LOCAL,
    MAX_PLAIN_DOMAIN,
    PLAIN,
    MalformedAddress,
    parse_address,
)
from massmail_plugin.recipients.types import RecipientRow

#: Says which records of a type may be mailed: those that match it; all, if it is empty.
Mailable = Callable[[RecipientType], Q]

#: Records of one statement: seconds of work, after which others get at the database (SQLite) and a kill costs no more.
SLICE = 200_000
#: The same where each of them passes through Python: SQLite has one lock for all writers, and mails wait for it, too.
SLICE_IN_PYTHON = 5000
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Slice:
    """Some records of one type in one source: those after one primary key, up to another. None: no end."""

    source: str
    excluded: bool
    recipient_type: str
    after: Any = None
    until: Any = None

    def of(self, records: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records of ``records`` that are in the slice."""
        if self.after is not None:
            records = records.filter(pk__gt=self.after)
        return records if self.until is None else records.filter(pk__lte=self.until)


def slices(source: Source, *, excluded: bool) -> Iterator[dict[str, Any]]:
    """Yield the slices of ``source`` in order, as JSON."""
    for part in parts_of(source, hidden=excluded):
        after = None
        size = SLICE_IN_PYTHON if _needs_python(part.recipient_type) else SLICE
        for until in [*_bounds(part.records, size), None]:
            key = source.consent_scope.key
            yield asdict(Slice(key, excluded, part.recipient_type.key, after, until))
            after = until


def _needs_python(recipient_type: RecipientType) -> bool:
    return recipient_type.sql_name() is None or recipient_type.sql_vip() is None


def _bounds(records: QuerySet[Any], size: int) -> list[Any]:
    """Return the primary key of each record with which a slice ends, but for the last one."""
    numbered = records.order_by().annotate(massmail_number=Window(RowNumber(), order_by=F("pk").asc()))
    last = numbered.annotate(massmail_rest=Mod("massmail_number", size)).filter(massmail_rest=0)
    keys = last.order_by("massmail_number").values_list("pk", flat=True)
    return [pk if isinstance(pk, int) else str(pk) for pk in keys]


def everybody(recipient_type: RecipientType) -> Q:
    """The rule of those who may mail every record."""
    return Q()


def collect(audience: Audience, one: Slice, source: Source, mailable: Mailable = everybody) -> None:
    """Copy the records of a slice; who is there already, from a source before this one, stays as it is."""
    for part in parts_of(source, hidden=one.excluded):
        if part.recipient_type.key == one.recipient_type:
            records = one.of(part.records).order_by("pk")
            theirs = Q() if one.excluded else mailable(part.recipient_type)
            name, vip = part.recipient_type.sql_name(), part.recipient_type.sql_vip()
            if name is None or vip is None:
                _collect_in_python(audience, one, part.recipient_type, records, theirs)
            else:
                columns = _columns(audience, one, part.recipient_type, theirs)
                columns["name"] = _if_theirs(theirs, _text(name, 255))
                columns["vip"] = Coalesce(vip, Value(False), output_field=BooleanField())
                insert_select(Candidate, records, columns, ignore_conflicts=True)


def _columns(audience: Audience, one: Slice, recipient_type: RecipientType, theirs: Q) -> dict[str, Any]:
    email = Coalesce(_letter_by_letter(recipient_type.email), Value(""), output_field=CharField())
    at = StrIndex(email, Value("@"))
    plain = Q(
        # MariaDB and SQLite care for no line break before the end of a pattern.
        ~Q(EndsWith(email, "\n")),
        Regex(email, PLAIN),
        LessThanOrEqual(at, MAX_LOCAL + 1),
        LessThanOrEqual(Length(email) - at, MAX_PLAIN_DOMAIN),
    )
    return {
        "audience": Value(audience.pk),
        "excluded": Value(one.excluded, output_field=BooleanField()),
        "recipient_type": Value(one.recipient_type),
        "object_id": key_as_text(recipient_type.model),
        "source": Value(one.source),
        "email": _if_theirs(theirs, Left(email, 320)),
        "envelope": Value(""),
        # Empty: read in the next stage.
        "key": Case(When(plain, then=Lower(email)), default=Value("")),
        "is_repeated": Value(False, output_field=BooleanField()),
        "reason": Case(
            *_not_theirs(theirs),
            When(Exact(Trim(email), Value("")), then=Value(Reason.NO_ADDRESS.value)),
            default=Value(""),
        ),
        "detail": Value(""),
    }


def _text(expression: Combinable, length: int) -> Combinable:
    return Left(Trim(Coalesce(expression, Value(""), output_field=CharField())), length)


def _if_theirs(theirs: Q, value: Combinable) -> Combinable:
    """Who may not mail somebody need not read who that is; the key stays, for consent and for the ledger."""
    return Case(When(theirs, then=value), default=Value(""), output_field=CharField()) if theirs else value


def _not_theirs(theirs: Q) -> list[When]:
    # When(~theirs) would be unknown, and so not hold, where a record belongs to nobody.
    not_yours = Case(When(theirs, then=Value("")), default=Value(Reason.NOT_YOURS.value)) if theirs else None
    return (
        [When(Exact(not_yours, Value(Reason.NOT_YOURS.value)), then=Value(Reason.NOT_YOURS.value))]
        if not_yours
        else []
    )


def _letter_by_letter(path: str) -> Combinable:
    """Return the text at ``path`` so that a pattern may be held to it.

    PostgreSQL refuses that for columns that ignore letter case by their collation, as Django advises for addresses.
    """
    is_postgresql = connections[Candidate.objects.db].vendor == "postgresql"
    return Collate(path, "C") if is_postgresql else F(path)


def _collect_in_python(
    audience: Audience, one: Slice, recipient_type: RecipientType, records: QuerySet[Any], theirs: Q
) -> None:
    rows = recipient_type.rows(records)
    while chunk := list(islice(rows, _CHUNK)):
        candidates = [_candidate(audience, one, row) for row in chunk]
        if theirs:
            _mark_others(candidates, records.filter(theirs))
        Candidate.objects.bulk_create(candidates, ignore_conflicts=True)


def _mark_others(candidates: list[Candidate], theirs: QuerySet[Any]) -> None:
    here = theirs.filter(pk__in=[candidate.object_id for candidate in candidates])
    own = {str(pk) for pk in here.order_by().values_list("pk", flat=True)}
    for candidate in candidates:
        if candidate.object_id not in own:
            candidate.reason, candidate.detail = Reason.NOT_YOURS, ""
            candidate.name = candidate.email = candidate.envelope = ""


def _candidate(audience: Audience, one: Slice, row: RecipientRow) -> Candidate:
    candidate = Candidate(
        audience=audience,
        excluded=one.excluded,
        recipient_type=one.recipient_type,
        object_id=row.object_id,
        source=one.source,
        name=row.name[:255],
        email=row.email[:320],
        vip=row.vip,
    )
    read_address(candidate)
    return candidate


def read_address(candidate: Candidate) -> None:
    """Fill in what the text of its address says: the key and the envelope, or why it is none."""
    if not candidate.email.strip():
        candidate.reason = Reason.NO_ADDRESS
        return
    try:
        address = parse_address(candidate.email)
    except MalformedAddress as error:
        candidate.reason, candidate.detail = Reason.MALFORMED, str(error)[:255]
    else:
        candidate.key, candidate.envelope = address.key, address.envelope
