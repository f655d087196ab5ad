"""The merge language: a small, closed part of Liquid.

No loops, no assignments, no captures and no includes: a template can only place values and choose between
texts, so that nothing an editor writes can take long or fill the memory.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

from liquid import BoundTemplate, Environment
from liquid.ast import Node
from liquid.builtin import content, illegal, output
from liquid.builtin.expressions import Filter, FilteredExpression, Path
from liquid.builtin.expressions.primitive import Blank, Empty, Nil, RangeLiteral, StringLiteral
from liquid.builtin.tags import case_tag, comment_tag, if_tag, inline_comment_tag, unless_tag
from liquid.context import RenderContext
from liquid.exceptions import LiquidError, LiquidSyntaxError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string
from liquid.token import Token

from massmail_plugin.content import merge_filters

__all__ = ["FILTER_NAMES", "TAG_NAMES", "LiquidError", "Uses", "Variable", "inspect", "parse"]

#: Characters between the braces of one placeholder at most.
PLACEHOLDER_LIMIT = 2000
#: Characters that one rendered part (subject, HTML or text) may have at most.
OUTPUT_LIMIT = 2_000_000

_OPENING = re.compile(r"\{[{%]")

_TAGS = (
    content.Literal,
    illegal.Illegal,
    if_tag.IfTag,
    unless_tag.UnlessTag,
    case_tag.CaseTag,
    comment_tag.CommentTag,
    inline_comment_tag.InlineCommentTag,
)

#: The words that may follow ``{%``.
TAG_NAMES = frozenset(
    [
        "if",
        "elsif",
        "else",
        "endif",
        "unless",
        "endunless",
        "case",
        "when",
        "endcase",
        "comment",
        "endcomment",
    ]
)
FILTER_NAMES = frozenset(merge_filters.FILTERS)


class _EscapedOutputNode(output.OutputNode):
    """Escapes when writing, whatever the value is: even a host's SafeString is only text here."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        text = to_liquid_string(self.expression.evaluate(context), autoescape=False)
        return buffer.write(html.escape(text))


class _EscapedOutput(output.Output):
    node_class = _EscapedOutputNode


class _MailEnvironment(Environment):
    """Liquid with our tags and filters only."""

    block_nesting_limit = 10
    output_stream_limit = OUTPUT_LIMIT

    def __init__(self, output_tag: type[output.Output]) -> None:
        self.output_tag = output_tag
        super().__init__()

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        for tag in (self.output_tag, *_TAGS):
            self.add_tag(tag)
        for name, function in merge_filters.FILTERS.items():
            self.add_filter(name, function)


_PLAIN = _MailEnvironment(output.Output)
_HTML = _MailEnvironment(_EscapedOutput)


@dataclass(slots=True)
class Uses:
    """What a parsed template refers to, in order of appearance."""

    #: Each variable with its parts, its offset in the source, and whether a default stands in when it is empty.
    variables: list[Variable] = field(default_factory=list)
    filters: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Variable:
    """``{{ contact.first_name }}``: parts ("contact", "first_name")."""

    parts: tuple[str, ...]
    offset: int
    #: True with a ``default`` filter, and in conditions, where an empty value is a normal answer.
    may_be_empty: bool

    def __str__(self) -> str:
        return ".".join(self.parts)


def parse(source: str, *, escape: bool) -> BoundTemplate:
    """Return ``source`` ready to render, with values HTML-escaped or not. Raises :class:`LiquidError`."""
    _check_closings(source)
    template = (_HTML if escape else _PLAIN).from_string(source)
    for node in _walk(template.nodes):
        for expression in _expressions(node.expressions()):
            # `(1..99999999999) contains "a"` would compare for hours.
            if isinstance(expression, RangeLiteral):
                raise LiquidSyntaxError("ranges are not available", token=expression.token)
            _compare_with_nothing(expression)
    return template


def _check_closings(source: str) -> None:
    """Refuse placeholders without an end, or very long ones: the library reads 10 KB of "{{" for half a minute."""
    position = 0
    while found := _OPENING.search(source, position):
        closing = "}}" if found.group() == "{{" else "%}"
        end = source.find(closing, found.end())
        if end < 0:
            raise LiquidSyntaxError(f"expected '{closing}'", token=_token(source, found.start()))
        if end - found.end() > PLACEHOLDER_LIMIT:
            raise LiquidSyntaxError(
                f"longer than {PLACEHOLDER_LIMIT} characters", token=_token(source, found.start())
            )
        position = end + 2


def _token(source: str, start: int) -> Token:
    return Token(kind="", value="", start_index=start, source=source)


def _compare_with_nothing(expression: Expression) -> None:
    """Let ``== ""``, ``== empty`` and ``== blank`` mean the same as ``== nil``.

    An empty field counts as missing, or else ``{% if contact.city %}`` would be true for an empty text.
    """
    for side in ("left", "right"):
        operand = getattr(expression, side, None)
        is_nothing = isinstance(operand, Empty | Blank) or (
            isinstance(operand, StringLiteral) and not operand.value.strip()
        )
        if is_nothing and not isinstance(expression, FilteredExpression):
            setattr(expression, side, Nil(expression.token))


def inspect(template: BoundTemplate) -> Uses:
    """Return the variables and filters that a parsed template uses."""
    uses = Uses()
    for node in _walk(template.nodes):
        for expression in node.expressions():
            _collect(expression, uses, in_condition=not isinstance(node, output.OutputNode))
    return uses


def _collect(expression: Expression, uses: Uses, *, in_condition: bool) -> None:
    filters: list[Filter] = []
    if isinstance(expression, FilteredExpression):
        filters = expression.filters or []
    uses.filters.extend((used.name, used.token.start_index) for used in filters)
    may_be_empty = in_condition or any(used.name == "default" for used in filters)
    for part in _expressions([expression]):
        if isinstance(part, Path):
            uses.variables.append(Variable(_path_parts(part), part.token.start_index, may_be_empty))


def _path_parts(path: Path) -> tuple[str, ...]:
    return tuple(str(segment) for segment in path.path)


def _walk(nodes: list[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        children: Any = node.children(None)  # type: ignore[arg-type]
        yield from _walk(list(children))


def _expressions(expressions: Any) -> Iterator[Expression]:
    for expression in expressions:
        yield expression
        yield from _expressions(expression.children())
