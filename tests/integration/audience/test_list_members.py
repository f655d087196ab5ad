"""Putting records into lists and taking them out, whatever their primary keys look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from massmail_plugin import recipients
from massmail_plugin.audience.members import (
    Added,
    add_members,
    get_index_page,
    members_among,
    records_of,
    remove_members,
)
from massmail_plugin.audience.models import TargetListIndexPage
from massmail_plugin.recipients import RecipientType, registry
from massmail_plugin.recipients.models import ConsentEvent
from sandbox.crm.models import Contact, Lead
from tests.audiences import candidates_of
from tests.builders import a_contact, a_target_list, a_user, contacts

pytestmark = pytest.mark.django_db

KEYS: dict[str, tuple[type[models.Field[Any, Any]], list[Any]]] = {
    "uuid": (models.UUIDField, [UUID(int=number << 64 | 0xABC) for number in range(1, 5)]),
    "text": (models.CharField, ["A-1", "B/2", "10", "ü"]),
    "small integer": (models.SmallIntegerField, [1, 2, 3, 10]),
}


def type_of(model: type[models.Model]) -> RecipientType:
    found = recipients.for_model(model)
    assert found is not None
    return found


@pytest.fixture(params=KEYS)
def strangers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[models.Model]]:
    """Return four records of a model whose primary key is of some kind, registered as a recipient type."""
    field_class, keys = KEYS[request.param]
    pk = field_class(primary_key=True, **({"max_length": 20} if field_class is models.CharField else {}))
    with isolate_apps("sandbox.crm"):
        fields = {"__module__": __name__, "email": models.CharField(max_length=50), "id": pk}
        meta = type("Meta", (), {"app_label": "crm", "db_table": "massmail_stranger"})
        stranger = type("Stranger", (models.Model,), {**fields, "Meta": meta})
        with connection.cursor() as cursor:
            # Django's schema editor cannot work inside a transaction on SQLite.
            columns = f"id {pk.db_type(connection)} PRIMARY KEY, email varchar(50)"
            if connection.vendor == "mysql":
                # It outlives the transaction there.
                cursor.execute("DROP TEMPORARY TABLE IF EXISTS massmail_stranger")
            cursor.execute(f"CREATE TEMPORARY TABLE massmail_stranger ({columns})")
        monkeypatch.setitem(registry._types, "crm.stranger", RecipientType(stranger))
        yield [
            stranger._default_manager.create(pk=key, email=f"s{n}@example.org") for n, key in enumerate(keys)
        ]


def test_records_with_any_kind_of_key_come_back_out_of_the_list(strangers: list[models.Model]) -> None:
    people = a_target_list(*strangers[:3])
    kind = type_of(type(strangers[0]))

    assert set(records_of(people, kind)) == set(strangers[:3])
    assert {candidate.email for candidate in candidates_of([people])} == {
        "s0@example.org",
        "s1@example.org",
        "s2@example.org",
    }


def test_members_with_any_kind_of_key_are_found_by_their_records(strangers: list[models.Model]) -> None:
    people = a_target_list(*strangers[:3])
    kind = type_of(type(strangers[0]))
    wanted = kind.get_queryset().filter(email__in=["s1@example.org", "s3@example.org"])

    assert [member.object_id for member in members_among(people, kind, wanted)] == [str(strangers[1].pk)]


def test_records_with_any_kind_of_key_are_loaded_by_what_the_list_remembers(
    strangers: list[models.Model],
) -> None:
    people = a_target_list(*strangers)
    kind = type_of(type(strangers[0]))
    remembered = list(people.members.values_list("object_id", flat=True))

    assert set(kind.load(remembered)) == set(remembered) == {str(record.pk) for record in strangers}


def test_adding_counts_who_came_new_and_who_was_there_already() -> None:
    people, crowd = a_target_list(), contacts(50)
    kind = type_of(Contact)
    add_members(people, kind, [record.pk for record in crowd[:38]])

    assert add_members(people, kind, [record.pk for record in crowd]) == Added(new=12, already=38)
    assert people.members.count() == 50


def test_adding_a_record_twice_in_one_go_adds_it_once() -> None:
    people, ada = a_target_list(), a_contact()

    assert add_members(people, type_of(Contact), [ada.pk, str(ada.pk), ada.pk]).new == 1
    assert people.members.count() == 1


def test_adding_thousands_from_a_query_keeps_all_of_them() -> None:
    people, crowd = a_target_list(), contacts(2600)
    ids = Contact.objects.filter(pk__in=[r.pk for r in crowd]).order_by("pk").values_list("pk", flat=True)

    assert add_members(people, type_of(Contact), ids.iterator(chunk_size=500)) == Added(2600, 0)
    assert records_of(people, type_of(Contact)).count() == 2600


def test_records_of_two_types_with_the_same_number_are_two_members() -> None:
    ada = a_contact(pk=4711)
    lead = Lead.objects.create(pk=4711, last_name="Lead", email="lead@example.org")
    people = a_target_list(ada, lead)

    assert people.members.count() == 2
    assert list(records_of(people, type_of(Lead))) == [lead]


def test_a_member_remembers_who_added_it() -> None:
    people, ada, editor = a_target_list(), a_contact(), a_user()
    add_members(people, type_of(Contact), [ada.pk], added_by=editor)

    assert people.members.get().added_by == editor


def test_removing_takes_only_members_of_this_list() -> None:
    ada = a_contact()
    here, there = a_target_list(ada), a_target_list(ada)
    foreign = there.members.get()

    assert remove_members(here, [foreign.pk]) == 0
    assert remove_members(here, there.members.all()) == 0
    assert remove_members(here, [here.members.get().pk]) == 1
    assert (here.members.count(), there.members.count()) == (0, 1)


def test_removing_leaves_consent_and_record_alone() -> None:
    ada = a_contact()
    people = a_target_list(ada)
    remove_members(people, people.members.all())

    assert Contact.objects.filter(pk=ada.pk).exists()
    assert not ConsentEvent.objects.exists()


def test_the_folder_is_made_once_and_beside_all_sites() -> None:
    TargetListIndexPage.objects.all().delete()
    folder = get_index_page()

    assert get_index_page() == folder
    assert TargetListIndexPage.objects.count() == 1
    assert folder.get_parent().is_root()
    assert folder.get_site() is None


def test_the_folder_finds_room_beside_a_page_with_its_address() -> None:
    TargetListIndexPage.objects.all().delete()
    folder = get_index_page()
    slug, root = folder.slug, folder.get_parent()
    folder.delete()
    other = type(root)(title="Something of the host's", slug=slug)
    root.refresh_from_db()
    root.add_child(instance=other)

    assert get_index_page().slug != slug
