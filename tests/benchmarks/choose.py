"""One start of a mailing to everybody, and after it a bare INSERT ... SELECT of the same rows of the ledger."""

from __future__ import annotations

import time
from pathlib import Path

import django

from tests.benchmarks.processes import get_ready, tell


def main() -> None:
    django.setup()
    from django.db import transaction
    from django.db.models import F, Value

    from massmail_plugin.audience.inserting import insert_select
    from massmail_plugin.mailings import freeze
    from massmail_plugin.mailings.models import Delivery, Mailing, Run

    mailing = Mailing.objects.get(name="Many")
    get_ready()
    began = time.monotonic()
    run = freeze.begin(mailing)
    memory = []

    def sample() -> bool:
        memory.append(_megabytes())
        return False

    audience = freeze.choose(run, sample)
    assert audience is not None
    chosen = time.monotonic()
    freeze.copy(run, audience, sample)
    freeze.finish(run)
    frozen = time.monotonic()
    bare = Run.objects.create(mailing=mailing, content=run.content)
    fields = [field.name for field in Delivery._meta.concrete_fields if not field.primary_key]
    columns = {name: F(name) for name in fields} | {"run": Value(bare.pk)}
    again = time.monotonic()
    with transaction.atomic():
        rows = insert_select(Delivery, Delivery.objects.filter(run=run), columns)
    tell(
        choosing=chosen - began,
        copying=frozen - chosen,
        bare=time.monotonic() - again,
        rows=rows,
        counts=audience.counts,
        memory=memory,
    )


def _megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    main()
