"""A subject, an HTML or a text: taken apart once, filled in for many people."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from liquid.ast import Node
from liquid.builtin import content, output
from liquid.builtin.expressions import Filter, FilteredExpression, Path
from liquid.builtin.expressions.arguments import PositionalArgument
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.context import RenderContext
from liquid.exceptions import OutputStreamLimitError
from liquid.output import LimitedStringIO
from liquid.stringify import to_liquid_string

from massmail_plugin.content import language, merge_filters, quoted_printable

_LINE_END = re.compile(r"\r\n?")
# What Liquid answers by itself when a value has no such key.
_PROPERTIES = {"size", "first", "last"}

_Reader = Callable[[RenderContext], Any]


class Part:
    """One source, parsed once. Raises :class:`language.LiquidError` for a broken source."""

    def __init__(self, source: str, *, escape: bool) -> None:
        self._template = language.parse(_with_newlines(source), escape=escape)
        #: The text before each placeholder, and that after the last one.
        self._literals = [""]
        self._placeholders: list[_Reader] = []
        for node in self._template.nodes:
            if isinstance(node, content.ContentNode):
                self._literals[-1] += node.text
            else:
                self._literals.append("")
                self._placeholders.append(_writer(node, escape=escape))
        self._room = language.OUTPUT_LIMIT - sum(map(len, self._literals))

    def context(self, variables: Mapping[str, Any]) -> RenderContext:
        """Return the context of one person; parts may share it."""
        return RenderContext(self._template, globals=variables)

    def fill(self, context: RenderContext) -> Filled:
        """Return the text for one person. Raises :class:`language.LiquidError`."""
        values, room = [], self._room
        for write in self._placeholders:
            text = write(context)
            room -= len(text)
            if room < 0:
                break
            values.append(text)
        if room < 0:
            raise OutputStreamLimitError("the mail is too long", token=None)
        return Filled(self, values)

    def text(self, values: list[str]) -> str:
        return "".join(_alternating(self._literals, values))

    def encoded(self, values: list[str]) -> bytes:
        pieces = _alternating(self._encoded_literals, map(quoted_printable.encode, values))
        return quoted_printable.join(pieces)

    @cached_property
    def _encoded_literals(self) -> list[bytes]:
        return [quoted_printable.encode(literal) for literal in self._literals]


class Filled:
    """A part with one person's values. Lines end in LF."""

    __slots__ = ("_part", "_values")

    def __init__(self, part: Part, values: list[str]) -> None:
        self._part, self._values = part, values

    @property
    def part(self) -> Part:
        """The same object for all that were filled in by the same renderer."""
        return self._part

    @property
    def values(self) -> list[str]:
        """This person's own pieces, in order, as they stand in the text."""
        return list(self._values)

    def with_values(self, values: list[str]) -> str:
        """Return the text with these instead."""
        return self._part.text(values)

    def __str__(self) -> str:
        return self._part.text(self._values)

    def encoded(self) -> bytes:
        """Return it as quoted-printable, with CRLF."""
        return self._part.encoded(self._values)


def _alternating(literals: list[Any], values: Any) -> list[Any]:
    pieces = [None] * (2 * len(literals) - 1)
    pieces[::2] = literals
    pieces[1::2] = values
    return pieces


def _with_newlines(text: str) -> str:
    return _LINE_END.sub("\n", text) if "\r" in text else text


def _writer(node: Node, *, escape: bool) -> Callable[[RenderContext], str]:
    """Return what writes one placeholder for one person. What stands in conditions escapes itself."""
    if not isinstance(node, output.OutputNode):
        return lambda context: _with_newlines(_rendered(node, context))
    read = _value_reader(node)

    def write(context: RenderContext) -> str:
        value = read(context)
        text = value if type(value) is str else to_liquid_string(value, autoescape=False)
        return _with_newlines(html.escape(text) if escape else text)

    return write


def _rendered(node: Node, context: RenderContext) -> str:
    buffer = LimitedStringIO(limit=language.OUTPUT_LIMIT)
    node.render(context, buffer)
    return buffer.getvalue()


def _value_reader(node: output.OutputNode) -> _Reader:
    """Return what evaluates ``{{ ... }}``: for the usual ones a short way, which gives the same as the library's."""
    expression = node.expression
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, Path):
        return expression.evaluate
    read = _path_reader(expression.left)
    for used in expression.filters or ():
        read = _filtered(read, used)
    return read


def _path_reader(path: Path) -> _Reader:
    steps = tuple(path.path)
    if any(type(step) not in (str, int) or step in _PROPERTIES for step in steps):
        return path.evaluate

    def read(context: RenderContext) -> Any:
        value: Any = context.globals
        try:
            for step in steps:
                # Only what was made for reading by name or number: a text has numbered letters too.
                if isinstance(value, str):
                    return path.evaluate(context)
                value = value[step]
        except (KeyError, IndexError, TypeError):
            return path.evaluate(context)
        return value

    return read


def _filtered(read: _Reader, used: Filter) -> _Reader:
    match used.name, used.args:
        case "default", [PositionalArgument(value=StringLiteral(value=fallback))]:
            return lambda context: merge_filters.default(read(context), fallback)
        case "safe_link", []:
            return lambda context: merge_filters.safe_link(read(context))
    return lambda context: used.evaluate(read(context), context)
