"""Reading the XML in an XLSX file bit by bit. It comes from a stranger: nothing in it may fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

_CHUNK = 64 * 1024
#: Bytes of one tag, comment or the like: expat keeps it until it is complete.
_LONGEST_TOKEN = 1024**2
_DEEPEST = 50


class BrokenXml(Exception):
    """No sane program has written this."""


class Reader:
    """Is fed a part of the file in chunks. Its subclasses say what to do with elements, by names without namespace."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self.text
        # No Office program writes a DOCTYPE, and entities can grow without end.
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._fed = 0
        self._depth = 0
        #: Set by a subclass that has seen all it wants to.
        self.is_done = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def end(self, name: str) -> None:
        pass

    def text(self, data: str) -> None:
        pass

    def feed_all(self, part: BinaryIO) -> Iterator[None]:
        """Read ``part`` to its end, or until all is seen; yields after each chunk. Raises :class:`BrokenXml`."""
        while not self.is_done and (chunk := part.read(_CHUNK)):
            self._parse(chunk, is_last=False)
            self._fed += len(chunk)
            if not self.is_done and self._fed - self._parser.CurrentByteIndex > _LONGEST_TOKEN:
                raise BrokenXml
            yield
        if not self.is_done:
            self._parse(b"", is_last=True)
            yield

    def _parse(self, chunk: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(chunk, is_last)
        except expat.ExpatError as error:
            # What follows in the same chunk does not matter.
            if not self.is_done:
                raise BrokenXml from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BrokenXml
        # Whatever the prefix, and in strict files the namespaces are others.
        self.start(name.rpartition(" ")[2], attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.end(name.rpartition(" ")[2])

    def _refuse(self, *args: Any) -> None:
        raise BrokenXml


def read_to_end(reader: Reader, part: BinaryIO) -> None:
    for _chunk in reader.feed_all(part):
        pass


def attribute(attributes: dict[str, str], name: str) -> str:
    """Return an attribute by its name without namespace; empty if there is none."""
    if name in attributes:
        return attributes[name]
    return next((value for key, value in attributes.items() if key.rpartition(" ")[2] == name), "")
