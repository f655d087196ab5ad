"""Taking somebody who is erased out of what imports have kept of their files."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import chain
from typing import Any

from massmail_plugin.audience.belonging import spellings
from massmail_plugin.audience.importing.models import ImportFailure, ListImport


def forget(key: str) -> None:
    """Delete the rows with this address (``ParsedAddress.key``) that imports have kept.

    Files that wait or are being imported are forgotten by themselves, within a day or when they are done; of their
    rows, too, none comes in that names somebody who was erased.
    """
    spelled = spellings(key)
    for failure in ImportFailure.objects.only("pk", "cells").iterator(chunk_size=2000):
        if _names(failure.cells, spelled):
            ImportFailure.objects.filter(pk=failure.pk).delete()
    for one in ListImport.objects.exclude(state=ListImport.State.UPLOADED).only("pk", "samples"):
        if _names(chain.from_iterable(chain.from_iterable(one.samples.values())), spelled):
            ListImport.objects.filter(pk=one.pk).update(samples={})


def _names(cells: Iterable[Any], spelled: set[str]) -> bool:
    texts = (unicodedata.normalize("NFKC", str(cell)).lower() for cell in cells)
    return any(spelling in text for text in texts for spelling in spelled)
