"""Fills an empty database with people and mailings to them. ``python -m tests.benchmarks.prepare_people PEOPLE``

Three overlapping lists that hold everybody, a live segment, an excluded list of 5 %, and 5 % who have opted out; and a
draft to the same of a thousand, so that only the number of the people differs.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import django

#: People who are made one by one; all others are copies.
_FIRST = 15_625
FEW = 1000
_HOME = "Dublin"


def main(number: int) -> None:
    django.setup()
    logging.disable(logging.INFO)
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    # Only now: with the tables there.
    from sandbox.crm.models import Contact
    from tests import builders

    _people(number)
    everybody = list(Contact.objects.order_by("pk").values_list("pk", flat=True)[:: number // 20])
    parts = [(0, 10), (6, 16), (14, 20)]
    lists = [_a_list(f"Part {n}", _between(everybody, *part)) for n, part in enumerate(parts, start=1)]
    everybody_few = list(Contact.objects.order_by("pk").values_list("pk", flat=True)[:FEW])
    Contact.objects.filter(pk__in=everybody_few).update(city=_HOME)
    excluded = _a_list("Competitors", _between(everybody, 8, 9))
    _a_list("Everybody", Contact.objects.all())
    _a_list("Few", Contact.objects.filter(pk__in=everybody_few))
    some = [_a_list(f"Few {n}", _of(everybody_few, *part)) for n, part in enumerate(parts, start=1)]
    few_excluded = _a_list("Few competitors", _of(everybody_few, 8, 9))
    _opt_out()
    builders.an_account(host="127.0.0.1", port=9)
    campaign = builders.a_campaign(*lists, excluding=[excluded])
    campaign.segments.add(builders.a_segment(Contact, is_vip="true", name="VIPs"))
    campaign.save()
    builders.a_mailing(campaign=campaign, name="Many")
    campaign = builders.a_campaign(*some, excluding=[few_excluded])
    campaign.segments.add(builders.a_segment(Contact, is_vip="true", city=_HOME, name="VIPs at home"))
    campaign.save()
    builders.a_mailing(campaign=campaign, name="Few")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def _people(number: int) -> None:
    from django.db.models import F, Value
    from django.db.models.functions import Concat

    from massmail_plugin.audience.inserting import insert_select
    from sandbox.crm.models import Contact

    Contact.objects.bulk_create(
        Contact(
            first_name=f"First{n}",
            last_name=f"Last{n}",
            email=f"Person{n}@Customers{n % 100}.example",
            is_vip=n % 100 == 0,
        )
        for n in range(_FIRST)
    )
    fields = [field.name for field in Contact._meta.concrete_fields if not field.primary_key]
    doublings = 0
    while _FIRST << doublings < number:
        columns: dict[str, Any] = {name: F(name) for name in fields if name != "import_key"}
        columns["email"] = Concat(Value(f"{doublings}."), F("email"))
        insert_select(Contact, Contact.objects.order_by("pk"), columns)
        doublings += 1


def _between(everybody: list[int], first: int, last: int) -> Any:
    from sandbox.crm.models import Contact

    people = Contact.objects.filter(pk__gte=everybody[first])
    return people.filter(pk__lt=everybody[last]) if last < len(everybody) else people


def _of(few: list[int], first: int, last: int) -> Any:
    from sandbox.crm.models import Contact

    return Contact.objects.filter(pk__in=few[first * FEW // 20 : last * FEW // 20])


def _a_list(title: str, people: Any) -> Any:
    from django.db.models import CharField, F, Value
    from django.db.models.functions import Cast, Now

    from massmail_plugin.audience.inserting import insert_select
    from massmail_plugin.audience.models import TargetListMember
    from tests import builders

    target_list = builders.a_target_list(title=title)
    columns = {
        "target_list": Value(target_list.pk),
        "recipient_type": Value("crm.contact"),
        "object_id": Cast(F("pk"), CharField()),
        "added_at": Now(),
    }
    insert_select(TargetListMember, people, columns)
    return target_list


def _opt_out() -> None:
    from django.db.models import F, Value
    from django.db.models.functions import Lower, Mod, Now

    from massmail_plugin.audience.inserting import insert_select
    from massmail_plugin.recipients.models import EmailAddress
    from sandbox.crm.models import Contact

    some = Contact.objects.annotate(rest=Mod(F("pk"), 20)).filter(rest=0)
    columns = {
        "key": Lower("email"),
        "invalid_reason": Value(""),
        "created_at": Now(),
        "opted_out_since": Now(),
    }
    insert_select(EmailAddress, some, columns)


if __name__ == "__main__":
    main(int(sys.argv[1]))
