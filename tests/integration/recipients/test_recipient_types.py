"""What a recipient type makes of the host's records."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from massmail_plugin import recipients
from massmail_plugin.recipients import RecipientType, registry
from sandbox.crm.models import Account, Contact, Ticket
from tests.builders import a_contact, contacts

pytestmark = pytest.mark.django_db


class ByField(RecipientType):
    name = "last_name"


class ByMethod(RecipientType):
    name = "full_name"


class ByText(RecipientType):
    """Without a name of its own: ``str(record)``."""


class ThroughRelation(RecipientType):
    email = "requester__email"
    name = "requester__last_name"
    merge_fields = ["subject", "requester__first_name", "requester__company__name"]


@pytest.mark.parametrize(
    ("kind", "name"), [(ByField, "Lovelace"), (ByMethod, "Ada Lovelace"), (ByText, "Ada Lovelace")]
)
def test_names_come_from_a_field_a_method_or_the_record(kind: type[RecipientType], name: str) -> None:
    a_contact(" Ada@example.org", first_name="Ada", last_name="Lovelace")
    (row,) = kind(Contact).rows(Contact.objects.all())

    # The address stays as the record has it: what is wrong with it must be seen later.
    assert (row.name, row.email) == (name, " Ada@example.org")
    assert row.object_id == str(Contact.objects.get().pk)


class VipByField(RecipientType):
    name = "last_name"
    vip = "is_vip"


class VipThroughRelation(RecipientType):
    name = "last_name"
    vip = "company__is_vip"


class VipByMethod(RecipientType):
    name = "last_name"
    vip = "full_name"


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (VipByField, {"Ada": True, "Bob": False, "": False}),
        (VipThroughRelation, {"Ada": False, "Bob": True, "": False}),
        (VipByMethod, {"Ada": True, "Bob": True, "": False}),
        (ByField, {"Ada": False, "Bob": False, "": False}),
    ],
)
def test_vips_come_from_a_field_a_relation_or_a_method(
    kind: type[RecipientType], wanted: dict[str, bool]
) -> None:
    a_contact(first_name="", last_name="Ada", is_vip=True, company=Account.objects.create(name="Ada Ltd"))
    a_contact(first_name="", last_name="Bob", company=Account.objects.create(name="Bob Ltd", is_vip=True))
    a_contact(first_name="", last_name="")
    rows = kind(Contact).rows(Contact.objects.all())

    assert {row.name: row.vip for row in rows} == wanted


@pytest.mark.parametrize("kind", [ByField, ByMethod])
def test_rows_come_in_order_of_primary_key_whatever_the_model_prefers(kind: type[RecipientType]) -> None:
    for last_name in ("Zuse", "Ada", "Mona"):
        a_contact(last_name=last_name)
    rows = list(kind(Contact).rows(Contact.objects.order_by("last_name")))

    assert [int(row.object_id) for row in rows] == sorted(Contact.objects.values_list("pk", flat=True))


def test_paths_lead_through_relations_and_stop_where_one_is_missing() -> None:
    company = Account.objects.create(name="Ada Ltd")
    ada = a_contact("ada@example.org", first_name="Ada", last_name="Lovelace", company=company)
    with_requester = Ticket.objects.create(subject="Help", requester=ada)
    without = Ticket.objects.create(subject="Nobody")
    kind = ThroughRelation(Ticket)

    rows = [(row.name, row.email) for row in kind.rows(Ticket.objects.all())]
    assert rows == [("Lovelace", "ada@example.org"), ("", "")]
    expected = {"subject": "Help", "requester": {"first_name": "Ada", "company": {"name": "Ada Ltd"}}}
    assert kind.merge_values(with_requester) == expected
    assert kind.record_email(without) == ""
    assert kind.merge_values(without)["requester"] == {"first_name": None, "company": {"name": None}}


@pytest.mark.parametrize("kind", [ByField, ByMethod, ByText])
def test_rows_need_one_query_for_any_number_of_records(kind: type[RecipientType]) -> None:
    contacts(120)

    with CaptureQueriesContext(connection) as queries:
        assert len(list(kind(Contact).rows(Contact.objects.all()))) == 120
    assert len(queries) == 1


def test_loading_needs_one_query_also_for_what_templates_use() -> None:
    company = Account.objects.create(name="Ada Ltd")
    tickets = [Ticket.objects.create(subject="Help", requester=a_contact(company=company)) for _ in range(20)]
    kind = ThroughRelation(Ticket)

    with CaptureQueriesContext(connection) as queries:
        loaded = kind.load([str(ticket.pk) for ticket in tickets] + ["999999"])
        values = [kind.merge_values(record) for record in loaded.values()]
    assert len(queries) == 1
    assert len(values) == 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada", {"Ada Lovelace", "Ada Byron"}),
        ("ADA love", {"Ada Lovelace"}),
        ("love ada", {"Ada Lovelace"}),
        ("  ", {"Ada Lovelace", "Ada Byron", "100% Bob"}),
        ("100%", {"100% Bob"}),
        ("a%o", set()),
        ("_", set()),
    ],
)
def test_a_search_wants_every_word_in_any_field(text: str, found: set[str]) -> None:
    for first, last in (("Ada", "Lovelace"), ("Ada", "Byron"), ("100%", "Bob")):
        a_contact("x@example.org", first_name=first, last_name=last)
    kind: Any = recipients.for_model(Contact)

    assert {record.full_name() for record in kind.search(kind.get_queryset(), text)} == found


def test_a_type_without_fields_to_search_finds_everybody() -> None:
    class Unsearchable(RecipientType):
        def get_search_fields(self) -> list[str]:
            return []

    a_contact()

    assert Unsearchable(Contact).search(Contact.objects.all(), "nobody").count() == 1


def test_one_model_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", {})
    recipients.register(Contact)(ByField)
    # The same class again, as when a module is loaded twice.
    recipients.register(Contact)(ByField)

    with pytest.raises(ImproperlyConfigured, match="ByField and as ByMethod"):
        recipients.register(Contact)(ByMethod)
    assert [type(kind) for kind in recipients.all_types()] == [ByField]


def test_what_is_not_registered_is_not_found() -> None:
    assert recipients.get("crm.supplier") is None
    assert recipients.get("") is None
    assert recipients.get("crm.contact") is recipients.for_model(Contact)
