"""The end of an import that no worker can bring to its end, and what people are told about it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import transaction
from django.utils.translation import gettext as _

from massmail_plugin.audience.importing.actions import drop_file, log_added
from massmail_plugin.audience.importing.claims import MOST_TRIES, Claim
from massmail_plugin.audience.importing.models import ListImport

logger = logging.getLogger("massmail_plugin.audience")

State = ListImport.State


def give_up(claim: Claim) -> None:
    """End what nobody can bring to its end, and say what is in the list by now."""
    what = claim.fresh()
    is_unread = what.state == State.READING
    with transaction.atomic():
        claim.end(
            State(what.state),
            State.FAILED,
            problem=" ".join(_unread(what) if is_unread else _unfinished(what)),
            rows=0 if is_unread else what.rows,
        )
        drop_file(what)
        log_added(what)
    logger.error("The import %s is given up after %s workers", what.pk, MOST_TRIES)


def _unread(what: ListImport) -> Iterator[str]:
    yield _("%(tries)d workers have tried to read the file, and none came to its end.") % {
        "tries": MOST_TRIES
    }
    if what.problem:
        yield what.problem
    yield _(
        "Save the table as CSV, or divide it, and import that. If it does not help, tell the people who run this site: "
        "their log says more."
    )


def _unfinished(what: ListImport) -> Iterator[str]:
    yield _(
        "%(tries)d workers have tried to go on after %(done)d of %(rows)d rows, and none could. Whoever was added by "
        "then stays in the list; of the other rows nobody is."
    ) % {"tries": MOST_TRIES, "done": what.rows_done, "rows": what.rows}
    if what.problem:
        yield what.problem
    yield _(
        "Tell the people who run this site: their log says more. Then do it again: nobody is added twice."
    )
