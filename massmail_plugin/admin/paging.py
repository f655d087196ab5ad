"""Pages of listings whose number of rows is known already."""

from __future__ import annotations

from typing import Any

from wagtail.admin.paginator import WagtailPaginator


class KnownCount(WagtailPaginator):
    """Does not count a million rows for each page where their number, ``known``, is known."""

    def __init__(self, *args: Any, known: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known is not None:
            self.count = known
