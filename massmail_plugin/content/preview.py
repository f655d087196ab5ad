"""A template as one recipient will see it, in the side panel of its editor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from massmail_plugin.content.compiled import CompiledContent, RenderedMail, Renderer, RenderFailed
from massmail_plugin.content.compiler import CompileOptions, compile_template
from massmail_plugin.content.lint import mistakes
from massmail_plugin.content.problems import ContentError, Problem
from massmail_plugin.content.samples import Sample, find_sample, first_sample, get_sample, sample_choices

if TYPE_CHECKING:
    from massmail_plugin.content.models import EmailTemplate

#: Nothing that stands in a template may run, load a frame or send a form in the admin's origin. The panel
#: itself must still reach the document, to keep its scroll position.
POLICY = (
    "sandbox allow-same-origin; script-src 'none'; object-src 'none'; frame-src 'none'; "
    "connect-src 'none'; form-action 'none'; base-uri 'none'"
)

VIEWS = (("mail", _("Mail")), ("dark", _("Mail in dark mode")), ("text", _("Text part")))
_AS = "as:"
_FOLDER = "massmail_plugin/content"
_BODY = re.compile(r"<body\b[^>]*>")
_DARK = "@media (prefers-color-scheme: dark)"


def preview_modes() -> list[tuple[str, Any]]:
    """Return the choices of the panel: three views, and the mail as each sample recipient."""
    people = [(f"{_AS}{key}", _("Mail as: {label}").format(label=label)) for key, label in sample_choices()]
    return [*VIEWS, *people]


def serve(
    template: EmailTemplate,
    request: HttpRequest,
    mode: str,
    *,
    sender: dict[str, str] | None = None,
    sample: Sample | None = None,
) -> HttpResponse:
    """Return the preview page; mistakes in the template make a page that says where they are.

    ``sender``: "name" and "email" of the account that the mail would leave through, if that is known.
    ``sample``: whom to show the mail as; the caller answers for it that this person may be seen.
    """
    notice = ""
    if sample is None:
        sample, notice = _choose(template, mode, getattr(request, "user", None) or AnonymousUser())
    sender = sender or _sender(request)
    context: dict[str, Any] = {"sample": sample, "notice": notice}
    try:
        mail, preheader = _render(template, sender, sample)
    except ContentError as error:
        page: str = render_to_string(f"{_FOLDER}/preview_problems.html", {"problems": error.problems})
    else:
        context |= {"mail": mail, "preheader": preheader, "sender": sender, "mistakes": mistakes(template)}
        page = _page(mode, context)
    return HttpResponse(page, headers={"Content-Security-Policy": POLICY})


def _choose(template: EmailTemplate, mode: str, user: Any) -> tuple[Sample | None, str]:
    """Return whom to show the mail as, of those whom ``user`` may see, and what to tell about the choice."""
    if mode.startswith(_AS):
        sample = get_sample(mode.removeprefix(_AS), user)
        notice = "" if sample else str(_("There is no such recipient whom you may see."))
    elif query := template.preview_as.strip():
        sample = find_sample(query, user)
        notice = "" if sample else _("Nobody found for “{query}”.").format(query=query)
    else:
        sample, notice = None, ""
    return sample or first_sample(user), notice


def _render(
    template: EmailTemplate, sender: dict[str, str], sample: Sample | None
) -> tuple[RenderedMail, str]:
    """Return the mail, made as for real sending, and the preview line."""
    content = compile_template(template, CompileOptions.of_this_site(counting=False))
    variables = _variables(sender, sample)
    # The preview line is inside the HTML; rendered once more as a subject it can be shown by itself.
    line = CompiledContent(subject=template.preheader, html="", text="")
    try:
        return Renderer(content).render(variables), Renderer(line).render(variables).subject
    except RenderFailed as error:
        raise ContentError([Problem("", str(error))]) from error


class _InertLinks(dict[str, str]):
    """A link to nowhere for any name."""

    def __missing__(self, name: str) -> str:
        return f"#{name}"


def _variables(sender: dict[str, str], sample: Sample | None) -> dict[str, Any]:
    return {
        "contact": sample.merge_values if sample else {},
        "unsubscribe_url": "#unsubscribe",
        "preferences_url": "#preferences",
        "view_url": "#view",
        "tracking": _InertLinks(),
        "sender": sender,
        "campaign": {"name": _("Name of the campaign")},
    }


def _sender(request: HttpRequest) -> dict[str, str]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"name": str(_("Sender")), "email": "sender@example.com"}
    return {"name": user.get_full_name() or user.get_username(), "email": user.email or "sender@example.com"}


def _page(mode: str, context: dict[str, Any]) -> str:
    if mode == "text":
        return render_to_string(f"{_FOLDER}/preview_text.html", context)
    # The inbox's lines stand above the mail, inside its own document.
    inbox = render_to_string(f"{_FOLDER}/preview_inbox.html", context)
    markup = context["mail"].html.replace(_DARK, "@media all" if mode == "dark" else "@media not all")
    return _BODY.sub(lambda found: found.group() + inbox, markup, count=1)
