"""How much a stranger may send us before we start to read."""

from __future__ import annotations

from django.http import HttpRequest


def is_longer(request: HttpRequest, limit: int) -> bool:
    """Whether the body of the request is announced to have more than ``limit`` bytes.

    Django bounds what it keeps in memory, but writes uploaded files of any size to disk before a view looks.
    """
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0) > limit
    except ValueError:
        return True
