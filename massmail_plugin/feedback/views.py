from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse


def opt_out(request: HttpRequest, token: str) -> HttpResponse:
    raise Http404


one_click = click = open_pixel = view_in_browser = opt_out
