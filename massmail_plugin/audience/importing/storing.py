"""The uploaded file in our own tables, and read from there like any file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from massmail_plugin.audience.importing.models import ImportPiece, ListImport

#: Small enough for every database's largest packet.
PIECE_BYTES = 512 * 1024


def store(list_import: ListImport, chunks: Iterable[bytes]) -> None:
    """Keep the file; to be called in a transaction."""
    for number, data in enumerate(_pieces(chunks)):
        ImportPiece.objects.create(list_import=list_import, number=number, data=data)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= PIECE_BYTES:
            yield bytes(buffer[:PIECE_BYTES])
            del buffer[:PIECE_BYTES]
    if buffer:
        yield bytes(buffer)


def stored_file(list_import: ListImport) -> BinaryIO:
    """Return the file as a stream that holds one piece at a time in memory; it cannot seek."""
    return io.BufferedReader(_Pieces(list_import))


class _Pieces(io.RawIOBase):
    def __init__(self, list_import: ListImport) -> None:
        self._pieces = ImportPiece.objects.filter(list_import=list_import)
        self._number = 0
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            # One at a time: an iterator over all of them would hold a cursor open for minutes.
            data = self._pieces.filter(number=self._number).values_list("data", flat=True).first()
            if data is None:
                return 0
            self._number += 1
            self._rest = memoryview(bytes(data))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
