"""The texts that an XLSX file keeps for all its sheets, on disk: read as far as somebody asks for them."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO

from massmail_plugin.audience.importing.xlsx_xml import BrokenXml, Reader

#: Characters; Excel's own limit is 32,767.
LONGEST_TEXT = 131_072
_PLACE = struct.Struct("<QL")
#: How the format writes letters that XML has no place for.
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


class TooLong(Exception):
    """A text is longer than any cell may be."""


class TooFar(Exception):
    """The text stands further on than this was to be read."""


class SharedTexts:
    """The texts by number. A context manager; takes no memory. ``most``: read no further than so many."""

    def __init__(self, part: BinaryIO | None, most: int | None = None) -> None:
        self._part, self._most = part, most
        self._stack = ExitStack()

    def __enter__(self) -> SharedTexts:
        self._texts = self._stack.enter_context(tempfile.TemporaryFile())
        #: Where each text begins, and how many bytes it has.
        self._places = self._stack.enter_context(tempfile.TemporaryFile())
        self._number = self._end = 0
        self._rest = self._read_on() if self._part else iter(())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def __getitem__(self, number: int) -> str:
        """Raises :class:`TooFar`, :class:`TooLong` and :class:`BrokenXml`."""
        if number < 0:
            raise BrokenXml
        while number >= self._number:
            if self._most is not None and self._number >= self._most:
                raise TooFar
            if next(self._rest, 0) is None:
                continue
            if number >= self._number:
                raise BrokenXml
        self._places.seek(number * _PLACE.size)
        start, size = _PLACE.unpack(self._places.read(_PLACE.size))
        self._texts.seek(start)
        return self._texts.read(size).decode("utf-8", "surrogatepass")

    def _read_on(self) -> Iterator[None]:
        """Write down the texts of a chunk, and stop."""
        assert self._part is not None
        reader = _Texts()
        for _chunk in reader.feed_all(self._part):
            self._places.seek(0, 2)
            self._texts.seek(0, 2)
            for text in reader.found:
                data = text.encode("utf-8", "surrogatepass")
                self._texts.write(data)
                self._places.write(_PLACE.pack(self._end, len(data)))
                self._end += len(data)
            self._number += len(reader.found)
            reader.found.clear()
            yield None


class TextReader(Reader):
    """Puts together the pieces of a text: "t" elements, but not those that say how Japanese is pronounced."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._length = 0
        self._is_in_text = self._is_pronunciation = False

    def begin_text(self) -> None:
        self._pieces, self._length = [], 0
        self._is_in_text = self._is_pronunciation = False

    def whole_text(self) -> str:
        return "".join(self._pieces)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "rPh":
            self._is_pronunciation = True
        elif name == "t":
            self._is_in_text = not self._is_pronunciation

    def end(self, name: str) -> None:
        if name == "rPh":
            self._is_pronunciation = False
        elif name == "t":
            self._is_in_text = False

    def text(self, data: str) -> None:
        if self._is_in_text:
            self._length += len(data)
            if self._length > LONGEST_TEXT:
                raise TooLong
            self._pieces.append(data)


class _Texts(TextReader):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self.begin_text()
        super().start(name, attributes)

    def end(self, name: str) -> None:
        super().end(name)
        if name == "si":
            self.found.append(unescaped(self.whole_text()))


def unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
