"""The inbox in the browser. Works without JavaScript; a mail's own HTML stays in a box."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from sandbox.inbox.letter import Letter
from sandbox.inbox.maildir import Entry, Maildir

PER_PAGE = 50

# What arrived may be anything: no scripts, no forms, and an origin of its own. Links may open new tabs.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src http: https: data:; style-src 'unsafe-inline' http: https:; font-src http: https:"
)


class _Entries:
    """The entries of one search, as Django's paginator wants them: counted and sliced, never all loaded."""

    def __init__(self, search: str) -> None:
        self.search = search

    def count(self) -> int:
        return maildir().count(self.search)

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, wanted: slice) -> list[Entry]:
        return maildir().entries(self.search, offset=wanted.start, limit=wanted.stop - wanted.start)


@cache
def maildir() -> Maildir:
    return Maildir(settings.MAILDIR)


def index(request: HttpRequest) -> HttpResponse:
    search = request.GET.get("q", "")
    paginator = Paginator(_Entries(search), PER_PAGE)
    page = paginator.get_page(request.GET.get("p"))
    return render(request, "inbox/index.html", {"page": page, "search": search})


def show(request: HttpRequest, number: int, tab: str) -> HttpResponse:
    entry, letter = _open(number)
    context: dict[str, Any] = {"entry": entry, "letter": letter, "tab": tab}
    if tab == "source":
        context["source"] = maildir().raw(entry).decode(errors="replace")
    return render(request, "inbox/mail.html", context)


def body(request: HttpRequest, number: int) -> HttpResponse:
    """The mail's own HTML, for the frame."""
    _entry, letter = _open(number)
    response = HttpResponse(letter.html)
    response["Content-Security-Policy"] = _MAIL_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def download(request: HttpRequest, number: int) -> HttpResponse:
    entry, _letter = _open(number)
    response = HttpResponse(maildir().raw(entry), content_type="message/rfc822")
    response["Content-Disposition"] = f'attachment; filename="mail-{entry.id}.eml"'
    return response


def _open(number: int) -> tuple[Entry, Letter]:
    entry = maildir().entry(number)
    if entry is None:
        raise Http404("There is no such mail in the inbox.")
    return entry, Letter(maildir().message(entry))
