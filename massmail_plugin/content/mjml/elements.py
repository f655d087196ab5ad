"""Which elements may stand where."""

from __future__ import annotations

from django.utils.translation import gettext as _

# fmt: off
_IN_COLUMN = frozenset({
    "mj-accordion", "mj-button", "mj-carousel", "mj-divider", "mj-image", "mj-navbar", "mj-raw",
    "mj-social", "mj-spacer", "mj-table", "mj-text",
})
# fmt: on
_SECTIONS = frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"})

#: The MJML elements that may stand in each container; "" is the block itself.
CHILDREN: dict[str, frozenset[str]] = {
    "": _SECTIONS,
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _IN_COLUMN,
    "mj-hero": _IN_COLUMN,
    "mj-accordion": frozenset({"mj-accordion-element", "mj-raw"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text", "mj-raw"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link", "mj-raw"}),
    "mj-social": frozenset({"mj-social-element", "mj-raw"}),
}
#: MJML elements that hold HTML or nothing.
# fmt: off
_LEAVES = frozenset({
    "mj-accordion-text", "mj-accordion-title", "mj-button", "mj-carousel-image", "mj-divider",
    "mj-image", "mj-navbar-link", "mj-raw", "mj-social-element", "mj-spacer", "mj-table", "mj-text",
})
# fmt: on
_DOCUMENT = frozenset({"mjml", "mj-head", "mj-body"})
# fmt: off
_NOT_IN_MAILS = frozenset({
    "applet", "audio", "base", "button", "embed", "form", "frame", "frameset", "iframe", "input",
    "link", "meta", "noscript", "object", "script", "select", "svg", "template", "textarea", "video",
})
# fmt: on


def name_problem(name: str, parent: str) -> str:
    """Return why the element ``name`` may not stand in ``parent`` ("" is the block), or an empty text."""
    if name == "mj-include":
        return _("<mj-include> is not available. Copy its content here.")
    if name in _DOCUMENT:
        return _("Paste only what stands inside <mj-body>.")
    if name.lower() in _NOT_IN_MAILS:
        return _("<{name}> does not work in mails. Remove it.").format(name=name)
    if name in CHILDREN.get(parent, ()):
        return ""
    is_mjml = name.lower().startswith("mj-")
    if is_mjml and name not in CHILDREN and name not in _LEAVES:
        return _unknown(name)
    if is_mjml:
        return _misplaced(name, parent)
    return (
        _("Put HTML such as <{name}> into <mj-text> or <mj-raw>.").format(name=name)
        if parent in CHILDREN
        else ""
    )


def _unknown(name: str) -> str:
    if name.lower() in CHILDREN or name.lower() in _LEAVES:
        return _("Write <{name}> in lower case.").format(name=name.lower())
    return _("There is no MJML element <{name}>.").format(name=name)


def _misplaced(name: str, parent: str) -> str:
    if parent:
        return _("<{name}> may not stand inside <{parent}>.").format(name=name, parent=parent)
    home = (
        "mj-column" if name in _IN_COLUMN else next(box for box, inside in CHILDREN.items() if name in inside)
    )
    return _("<{name}> must stand inside <{container}>.").format(name=name, container=home)
