"""What is wrong with a template for these recipients, before anything is sent."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from massmail_plugin.content import language
from massmail_plugin.content.blocks.image import ImageBlock
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.content.fields import Field, all_fields, placed_blocks
from massmail_plugin.content.problems import ContentError, Problem, Severity, at_offset
from massmail_plugin.recipients import RecipientType, all_types

if TYPE_CHECKING:
    from massmail_plugin.content.models import EmailTemplate

#: Bytes of HTML. Gmail cuts a mail off at about 102 KB, and with it the opt-out link at its end.
LARGE_HTML = 90_000
TOO_LARGE_HTML = 100_000

#: Every variable except the contact's fields and the tracking URLs.
FIXED_VARIABLES = (
    "campaign.name",
    "preferences_url",
    "sender.email",
    "sender.name",
    "today",
    "unsubscribe_url",
    "view_url",
)


def lint(
    template: EmailTemplate,
    recipient_types: Iterable[RecipientType],
    tracking_slugs: Collection[str] | None,
) -> list[Problem]:
    """Return every problem, errors first.

    Without recipient types the contact's fields are not checked, with None as slugs the tracking URLs are not.
    """
    types = list(recipient_types)
    known = _Variables(types, tracking_slugs)
    problems = list(_envelope_problems(template))
    for field in all_fields(template):
        problems += _field_problems(field, known)
    problems += _image_problems(template)
    problems += _compiled_problems(template)
    return sorted(problems, key=lambda problem: problem.severity != Severity.ERROR)


def mistakes(template: EmailTemplate) -> list[Problem]:
    """Return what would stop a mailing to anybody; tracking URLs are known only in a campaign."""
    found = lint(template, all_types(), None)
    return [problem for problem in found if problem.severity == Severity.ERROR]


class _Variables:
    """The closed list of variables for one audience."""

    def __init__(self, types: Sequence[RecipientType], tracking_slugs: Collection[str] | None) -> None:
        self.types = types
        self.judges_tracking = tracking_slugs is not None
        self.fields = {kind.key: {path.replace("__", ".") for path in kind.merge_fields} for kind in types}
        everybody = set().union(*self.fields.values()) if types else set()
        self.contact = {f"contact.{path}" for path in everybody}
        self.all = {*FIXED_VARIABLES, *self.contact, *(f"tracking.{slug}" for slug in tracking_slugs or ())}

    def problem(self, variable: language.Variable) -> tuple[str, Severity] | None:
        """Return what is wrong with the use of ``variable``, if anything."""
        name = str(variable)
        if name.startswith("contact.") and not self.types:
            return None
        if name.startswith("tracking.") and not self.judges_tracking:
            return None
        if name not in self.all:
            return self._unknown(name), Severity.ERROR
        missing = [kind for kind in self.types if not self._has(kind, name)]
        if missing and not variable.may_be_empty:
            return self._missing(name, missing), Severity.WARNING
        return None

    def _has(self, kind: RecipientType, name: str) -> bool:
        root, _dot, path = name.partition(".")
        return root != "contact" or path in self.fields[kind.key]

    def _unknown(self, name: str) -> str:
        near = self._near(name)
        message = _("There is no field “{name}”.")
        if name.startswith("tracking."):
            message = _("The campaign has no tracking URL “{name}”. Add it there, or change the link.")
            name = name.removeprefix("tracking.")
        hint = " " + _("Did you mean “{near}”?").format(near=near) if near else ""
        return message.format(name=name) + hint

    def _near(self, name: str) -> str:
        """Return the variable that was probably meant, or an empty text."""
        by_leaf = {known.rpartition(".")[2]: known for known in sorted(self.all)}
        near = difflib.get_close_matches(name.rpartition(".")[2], by_leaf, n=1, cutoff=0.7)
        return by_leaf[near[0]] if near else ""

    def _missing(self, name: str, kinds: Sequence[RecipientType]) -> str:
        example = "{{ " + name + ' | default: "…" }}'
        labels = ", ".join(kind.label_plural for kind in kinds)
        return _("{labels} have no “{name}”: write {example}.").format(
            labels=labels, name=name, example=example
        )


def _envelope_problems(template: EmailTemplate) -> Iterator[Problem]:
    if not template.subject.strip():
        yield Problem(_("Subject"), _("The subject is empty. Enter one."))
    if not template.preheader.strip():
        message = _("The preview line is empty: inboxes will show how the mail begins instead.")
        yield Problem(_("Preview line"), message, severity=Severity.WARNING)
    if not len(template.body):
        yield Problem(_("Body"), _("The mail is empty. Add a block."))


def _field_problems(field: Field, known: _Variables) -> Iterator[Problem]:
    try:
        uses = language.inspect(language.parse(field.text, escape=False))
    except language.LiquidError:
        return  # said by the compiler
    for variable in uses.variables:
        if found := known.problem(variable):
            message, severity = found
            yield at_offset(field.where, message, field.text, variable.offset, severity)


def _image_problems(template: EmailTemplate) -> Iterator[Problem]:
    for placed in placed_blocks(template.body):
        if not isinstance(placed.block, ImageBlock):
            continue
        if placed.value["image"] is None:
            yield Problem(placed.where, _("The image has been deleted. Choose another one."))
        elif not placed.value["alt"].strip() and not placed.value["decorative"]:
            yield Problem(placed.where, _("Say what the image shows, or tick “Only decoration”."))


def _compiled_problems(template: EmailTemplate) -> Iterator[Problem]:
    try:
        content: Any = compile_template(template, CompileOptions())
    except ContentError as error:
        yield from error.problems
        return
    size = len(content.html.encode())
    if size > LARGE_HTML:
        message = (
            _(
                "The mail has {size} KB. Gmail hides everything after 100 KB, the opt-out link too: shorten it."
            )
            if size > TOO_LARGE_HTML
            else _("The mail has {size} KB. Gmail hides everything after 100 KB.")
        )
        yield Problem(_("Body"), message.format(size=size // 1000), severity=Severity.WARNING)
