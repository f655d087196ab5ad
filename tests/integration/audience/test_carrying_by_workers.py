"""Lists that are too long to wait for: workers carry their people, in portions, and nobody twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from wagtail.models import PageLogEntry

from massmail_plugin.admin.target_lists import transfer_views
from massmail_plugin.audience import carrying
from massmail_plugin.audience.importing import actions, claims, from_list, working
from massmail_plugin.audience.importing.models import ListImport
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.recipients.consent import How, opt_out
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact
from tests.builders import a_target_list, a_user, contacts
from tests.integration.audience.conftest import messages_of

pytestmark = pytest.mark.django_db

Submit = Callable[..., Any]
BY_LINK = How(ConsentEvent.Method.LINK)


@pytest.fixture(autouse=True)
def _short_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "PORTION", 3)
    monkeypatch.setattr(transfer_views, "AT_ONCE", 5)


@pytest.fixture
def people() -> TargetListPage:
    return a_target_list(*contacts(10), title="Customers")


@pytest.fixture
def other(people: TargetListPage) -> TargetListPage:
    return a_target_list(Contact.objects.get(email="person1@customers.example"), title="Other")


def work(what: ListImport, steps: int = 100) -> ListImport:
    """Let a worker do so many steps, and then be told to end."""
    left = [False] * steps + [True]
    working.work_on(what.pk, timezone.now, seconds=100, stop=lambda: left.pop(0))
    what.refresh_from_db()
    return what


def ids(target_list: TargetListPage) -> list[str]:
    return sorted(target_list.members.values_list("object_id", flat=True))


@pytest.mark.parametrize("moving", [False, True])
def test_everybody_is_carried_once_whatever_worker_ends_in_between(
    people: TargetListPage, other: TargetListPage, moving: bool
) -> None:
    everybody = ids(people)
    what = from_list.bring(people, other, moving=moving, user=a_user())
    while what.is_running:
        work(what, steps=1)
    assert (what.rows, what.rows_done, what.added, what.already) == (10, 10, 9, 1)
    assert ids(other) == everybody
    assert ids(people) == ([] if moving else everybody)
    said = dict(PageLogEntry.objects.filter(action__startswith="massmail.").values_list("page_id", "action"))
    gone = {people.pk: "massmail.remove_members"} if moving else {}
    assert said == {other.pk: "massmail.add_members", **gone}


def test_who_leaves_meanwhile_stays_behind(people: TargetListPage, other: TargetListPage) -> None:
    what = work(from_list.bring(people, other, moving=True, user=a_user()), steps=1)
    for name in ("person9", "person10"):
        address = EmailAddress.objects.create(key=f"{name}@customers.example")
        opt_out(address, [people.consent_scope], BY_LINK)
    work(what)
    assert (what.state, what.added, what.already, what.stayed) == (ListImport.State.DONE, 7, 1, 2)
    assert people.members.count() == 2


def test_who_is_taken_out_meanwhile_is_not_carried(people: TargetListPage, other: TargetListPage) -> None:
    what = work(from_list.bring(people, other, moving=False, user=a_user()), steps=1)
    people.members.all().delete()
    work(what)
    assert (what.state, what.added, what.already, what.gone) == (ListImport.State.DONE, 2, 1, 7)


def test_a_list_that_is_deleted_meanwhile_brings_nobody_more(
    people: TargetListPage, other: TargetListPage
) -> None:
    what = work(from_list.bring(people, other, moving=True, user=a_user()), steps=1)
    TargetListPage.objects.get(pk=people.pk).delete()
    what.refresh_from_db()
    work(what)
    assert (what.state, what.rows_done, what.gone) == (ListImport.State.DONE, 10, 7)
    assert other.members.count() == 3


def test_a_portion_is_carried_whole_or_not_at_all(
    people: TargetListPage, other: TargetListPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = from_list.bring(people, other, moving=True, user=a_user())

    def breaks(*args: Any, **kwargs: Any) -> int:
        raise RuntimeError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(carrying, "insert_members", breaks)
        for _worker in range(claims.MOST_TRIES + 1):
            work(what)
    assert what.state == ListImport.State.FAILED
    assert "after 0 of 10 rows" in what.problem
    assert (people.members.count(), other.members.count()) == (10, 1)


def test_stopped_halfway_everybody_is_in_one_list(people: TargetListPage, other: TargetListPage) -> None:
    what = work(from_list.bring(people, other, moving=True, user=a_user()), steps=2)
    assert actions.stop(what)
    work(what)
    assert (what.state, what.added, what.already) == (ListImport.State.STOPPED, 5, 1)
    assert (people.members.count(), other.members.count()) == (4, 6)
    assert PageLogEntry.objects.get(page=people.pk, action="massmail.remove_members").data == {"number": 6}


def test_a_long_selection_is_followed_on_a_page_of_its_own(
    submit: Submit, browser: Client, people: TargetListPage, other: TargetListPage
) -> None:
    page = submit(f"/admin/target-lists/{people.pk}/move/?id=all", target_list=other.pk)
    what = ListImport.objects.get()
    address = f"/admin/target-lists/{other.pk}/import/{what.pk}/"
    assert page.request["PATH_INFO"] == address
    assert "are being brought into “Other”" in messages_of(page)
    assert "Move from “Customers”" in page.content.decode()
    work(what)
    page = browser.get(address).content.decode()
    assert "Stayed behind" in page
    assert "Failed" not in page
    assert f'href="/admin/target-lists/{people.pk}/"' in page


def test_a_short_list_is_merged_at_once_and_a_long_one_by_workers(
    browser: Client, people: TargetListPage, other: TargetListPage
) -> None:
    whole = a_target_list()
    form = {"lists": [people.pk, other.pk], "move": "on"}
    page = browser.post(f"/admin/target-lists/{whole.pk}/merge/", form, follow=True)
    assert whole.members.count() == 1
    assert "1 added to" in messages_of(page)
    assert f"/admin/target-lists/{whole.pk}/import/{ListImport.objects.get().pk}/" in page.content.decode()
    assert work(ListImport.objects.get()).already == 1
    assert whole.members.count() == 10
