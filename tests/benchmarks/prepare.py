"""Fills an empty database with one started mailing. ``python -m tests.benchmarks.prepare MAILS``"""

from __future__ import annotations

import logging
import sys

import django


def main(number: int) -> None:
    django.setup()
    logging.disable(logging.INFO)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    # Only now: with the tables there.
    from massmail_plugin import recipients
    from massmail_plugin.audience.members import add_members
    from massmail_plugin.mailings.models import Run, TrackedLink
    from sandbox.crm.models import Contact
    from tests import builders

    builders.an_account(host="127.0.0.1", port=9)
    target_list = builders.a_target_list()
    recipient_type = recipients.for_model(Contact)
    assert recipient_type is not None
    for start in range(0, number, 10_000):
        records = Contact.objects.bulk_create(
            Contact(first_name=f"First{n}", last_name=f"Last{n}", email=f"person{n}@customers.example")
            for n in range(start, min(start + 10_000, number))
        )
        add_members(target_list, recipient_type, [record.pk for record in records])
    run = builders.start_now(builders.a_mailing(campaign=builders.a_campaign(target_list)))
    content = _content()
    Run.objects.filter(pk=run.pk).update(content=content.to_json())
    run.links.all().delete()
    TrackedLink.objects.bulk_create(
        TrackedLink(run=run, number=number, url=url) for number, url in enumerate(content.links)
    )


def _content():  # type: ignore[no-untyped-def]
    from massmail_plugin.content.compiled import CompiledContent
    from tests.benchmarks import mail

    places = {
        "first_name": '{{ contact.first_name | default: "you" }}',
        "last_name": "{{ contact.last_name }}",
        "view_url": "{{ view_url }}",
        "unsubscribe_url": "{{ unsubscribe_url }}",
    }
    destinations = mail.destinations()
    tracked = [f"{{{{ links[{number}] }}}}" for number in range(len(destinations))]
    return CompiledContent(
        subject=mail.SUBJECT % places,
        html=mail.html(places, tracked),
        text=mail.text(places, destinations),
        links=tuple(destinations),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
