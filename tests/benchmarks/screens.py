"""The pages that name people: of a thousand, and of everybody. Each asked for many times, in turns."""

from __future__ import annotations

import statistics
import time
from itertools import chain
from typing import Any

import django

from tests.benchmarks.processes import get_ready, tell

TIMES = 15


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, setup_test_environment
    from django.urls import reverse

    from massmail_plugin.audience.models import TargetListPage
    from massmail_plugin.mailings.models import Mailing
    from massmail_plugin.mailings.people import count_people

    setup_test_environment()
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("bench"))
    mailings = [Mailing.objects.get(name=name) for name in ("Few", "Many")]
    lists = [TargetListPage.objects.get(title=title) for title in ("Few", "Everybody")]
    for mailing in mailings:
        while not count_people(mailing, at_a_glance=True).is_complete:
            pass
    pages = {
        "who gets it": [reverse("massmail_mailings:people", args=(one.pk,)) for one in mailings],
        "people of a list": [reverse("massmail_target_lists:members", args=(one.pk,)) for one in lists],
    }
    for url in chain.from_iterable(pages.values()):
        assert client.get(url).status_code == 200
    get_ready()
    figures: dict[str, Any] = {}
    for what, urls in pages.items():
        seconds: list[list[float]] = [[], []]
        for _time in range(TIMES):
            for place, url in enumerate(urls):
                began = time.monotonic()
                client.get(url)
                seconds[place].append(time.monotonic() - began)
        queries = []
        for url in urls:
            with CaptureQueriesContext(connection) as captured:
                client.get(url)
            queries.append(len(captured))
        figures[what] = {"seconds": [statistics.median(one) for one in seconds], "queries": queries}
    tell(**figures)


if __name__ == "__main__":
    main()
