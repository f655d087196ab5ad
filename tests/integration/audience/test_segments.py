"""Who is in a segment: its filters, and what it asks about mails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django_filters
import pytest
from django.http import QueryDict
from django.utils import timezone, translation

from massmail_plugin import recipients
from massmail_plugin.audience.segments.criteria import UnusableSegment, chosen_in
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.audience.segments.people import people_of, sentences_of
from massmail_plugin.feedback.models import DeliveryEvent
from massmail_plugin.mailings.mail_history import MailHistory
from massmail_plugin.mailings.models import Delivery, Mailing
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients.models import EmailAddress
from sandbox.crm.models import Account, Contact, Lead
from tests.builders import a_contact, a_mailing, a_segment, a_user, an_account, start_now

pytestmark = pytest.mark.django_db

Kind = DeliveryEvent.Kind


@pytest.fixture
def ada() -> Contact:
    return a_contact("ada@example.org", city="Dublin", language="en", is_vip=True)


@pytest.fixture
def bob() -> Contact:
    return a_contact("bob@example.org", city="Cork", language="de")


def names_in(segment: Segment) -> set[str]:
    return {record.email for record in people_of(segment)}


def filters_of_contacts(monkeypatch: pytest.MonkeyPatch, filterset_class: Any) -> None:
    monkeypatch.setattr(recipients.get("crm.contact"), "filterset_class", filterset_class, raising=False)


# --- The type's own filters ---------------------------------------------------------------------------------


def test_without_criteria_everybody_of_the_type_is_in_it(ada: Contact, bob: Contact) -> None:
    Lead.objects.create(last_name="Lee", email="lee@example.org")

    assert names_in(a_segment()) == {"ada@example.org", "bob@example.org"}


def test_a_filter_narrows(ada: Contact, bob: Contact) -> None:
    assert names_in(a_segment(city="dub")) == {"ada@example.org"}
    assert names_in(a_segment(city="dub", language="de")) == set()


def test_who_comes_to_fit_later_is_in_it_then(ada: Contact, bob: Contact) -> None:
    segment = a_segment(city="Dublin")
    Contact.objects.filter(pk=bob.pk).update(city="Dublin")

    assert names_in(segment) == {"ada@example.org", "bob@example.org"}


def test_an_empty_choice_among_many_means_any(
    ada: Contact, bob: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Filters(django_filters.FilterSet):
        city = django_filters.MultipleChoiceFilter(choices=[("Dublin", "Dublin"), ("Cork", "Cork")])

        class Meta:
            model = Contact
            fields: list[str] = []

    filters_of_contacts(monkeypatch, Filters)

    assert names_in(a_segment(city=[])) == {"ada@example.org", "bob@example.org"}
    assert names_in(a_segment(city=["Dublin", "Cork"])) == {"ada@example.org", "bob@example.org"}
    assert names_in(a_segment(city="Cork")) == {"bob@example.org"}


def test_who_a_filter_finds_twice_is_in_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Filters(django_filters.FilterSet):
        people_in = django_filters.CharFilter(field_name="contacts__city", lookup_expr="icontains")

        class Meta:
            model = Account
            fields: list[str] = []

    account = Account.objects.create(name="Acme", email="acme@example.org")
    for number in (1, 2):
        a_contact(f"person{number}@example.org", company=account, city="Dublin")
    monkeypatch.setattr(recipients.get("crm.account"), "filterset_class", Filters, raising=False)

    assert list(people_of(a_segment(Account, people_in="dub"))) == [account]


def test_what_was_chosen_is_told_with_the_labels_of_the_filters() -> None:
    owner = a_user()
    chosen: Any = {"city": "Dublin", "is_vip": "true", "assigned_to": owner.pk}
    segment = a_segment(**chosen, behaviour={"mailed": {"when": "since", "days": 30}})

    lines = sentences_of(segment)

    assert lines == [
        "City contains: Dublin",
        f"Assigned to: {owner}",
        "VIP: yes",
        "Mailed in the last 30 days",
    ]


# --- What does not fit any more -----------------------------------------------------------------------------


@pytest.fixture
def only_by_city(monkeypatch: pytest.MonkeyPatch) -> None:
    class Filters(django_filters.FilterSet):
        city = django_filters.ChoiceFilter(choices=[("Dublin", "Dublin")])

        class Meta:
            model = Contact
            fields: list[str] = []

    filters_of_contacts(monkeypatch, Filters)


@pytest.mark.usefixtures("only_by_city")
@pytest.mark.parametrize(
    ("criteria", "told"),
    [
        ({"country": "Ireland"}, "country"),
        ({"city": "Dublin", "created_after": "2026-01-01"}, "created_after"),
        ({"city": "Cork"}, "City"),
        ({"city": "Dublin", " ": "x"}, "can be filtered by no more"),
    ],
    ids=["filter gone", "one of two gone", "choice gone", "no name"],
)
def test_what_can_be_filtered_by_no_more_makes_it_unusable(
    ada: Contact, criteria: dict[str, str], told: str
) -> None:
    segment = a_segment(name="Irish", **criteria)

    with pytest.raises(UnusableSegment, match="“Irish” cannot be used") as refusal:
        people_of(segment)
    assert told in str(refusal.value)
    assert "choose its filters again" in str(refusal.value)


def test_a_type_that_lost_its_filters_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    filters_of_contacts(monkeypatch, None)

    with pytest.raises(UnusableSegment, match="city"):
        people_of(a_segment(city="Dublin"))
    assert people_of(a_segment()).count() == 0


def test_a_type_that_the_site_no_longer_knows_lets_nobody_in() -> None:
    segment = a_segment()
    segment.recipient_type = "crm.gone"

    with pytest.raises(UnusableSegment, match=r"crm\.gone"):
        people_of(segment)


def test_filters_that_need_somebody_who_asks_are_a_clear_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Filters(django_filters.FilterSet):
        class Meta:
            model = Contact
            fields = ["city"]

        @property
        def qs(self) -> Any:
            return super().qs.filter(assigned_to=self.request.user)

    filters_of_contacts(monkeypatch, Filters)

    with pytest.raises(UnusableSegment, match="the filters of Contacts fail"):
        people_of(a_segment(city="Dublin"))


def test_a_filter_that_takes_no_notice_of_its_value_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(django_filters.CharFilter):
        class field_class(django_filters.CharFilter.field_class):
            def clean(self, value: Any) -> str:
                return ""

    class Filters(django_filters.FilterSet):
        city = Deaf(label="Town")

        class Meta:
            model = Contact
            fields: list[str] = []

    filters_of_contacts(monkeypatch, Filters)

    with pytest.raises(UnusableSegment, match="Town"):
        people_of(a_segment(city="Dublin"))


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ({"weather": {"sun": "yes"}}, "sun"),
        ({"mailed": {"when": "sometimes"}}, "sometimes"),
        ({"mailed": {"when": "since"}}, "number of days or a date"),
        ({"mailed": {"when": "never", "moon": "full"}}, "moon"),
        ({"reaction": {"what": "opened", "mailing": 999999}}, "mailing"),
    ],
)
def test_questions_about_mails_are_not_forgotten_either(behaviour: Any, told: str) -> None:
    with pytest.raises(UnusableSegment, match=told):
        people_of(a_segment(behaviour=behaviour))


def test_a_date_means_the_same_day_whoever_asks(monkeypatch: pytest.MonkeyPatch, ada: Contact) -> None:
    class Filters(django_filters.FilterSet):
        made = django_filters.DateFilter(field_name="created_at", lookup_expr="date__gte")

        class Meta:
            model = Contact
            fields: list[str] = []

    filters_of_contacts(monkeypatch, Filters)
    # To an American it is the third of April, which has passed.
    segment = a_segment(made="04.03.2999")
    segment.language = "de"

    with translation.override("en"):
        assert not people_of(segment).exists()


# --- Questions about mails ----------------------------------------------------------------------------------


@pytest.fixture
def sent(ada: Contact) -> Iterator[Mailing]:
    """A mailing that went to Ada an hour ago."""
    an_account()
    mailing = a_mailing(to=[ada])
    start_now(mailing)
    mark(mailing, ada, DeliveryState.ACCEPTED, timezone.now() - timedelta(hours=1))
    return mailing


def mark(mailing: Mailing, person: Contact, state: DeliveryState, at: Any) -> Delivery:
    delivery = Delivery.objects.get(run__mailing=mailing, object_id=str(person.pk))
    Delivery.objects.filter(pk=delivery.pk).update(state=state, handed_at=at)
    return delivery


def came_back(mailing: Mailing, kind: Kind) -> None:
    delivery = Delivery.objects.get(run__mailing=mailing)
    DeliveryEvent.objects.create(delivery=delivery, kind=kind, at=timezone.now(), dedupe_key=str(kind))


def mailed(**chosen: Any) -> set[str]:
    return names_in(a_segment(behaviour={"mailed": chosen}))


def reacted(what: str, mailing: Mailing) -> set[str]:
    return names_in(a_segment(behaviour={"reaction": {"what": what, "mailing": mailing.pk}}))


def test_who_was_never_mailed(sent: Mailing, bob: Contact) -> None:
    assert mailed(when="never") == {"bob@example.org"}


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        (DeliveryState.QUEUED, False),
        (DeliveryState.SKIPPED, False),
        (DeliveryState.FAILED, False),
        (DeliveryState.CANCELLED, False),
        (DeliveryState.HANDING, True),
        (DeliveryState.IN_DOUBT, True),
    ],
)
def test_who_may_have_a_mail_counts_as_mailed(
    sent: Mailing, ada: Contact, state: DeliveryState, counts: bool
) -> None:
    mark(sent, ada, state, None)

    assert (mailed(when="never") == set()) is counts
    assert (mailed(when="since", days=1) == {"ada@example.org"}) is counts


def test_who_was_mailed_since(sent: Mailing, bob: Contact) -> None:
    assert mailed(when="since", days=1) == {"ada@example.org"}
    assert mailed(when="not_since", days=1) == {"bob@example.org"}

    Delivery.objects.update(handed_at=timezone.now() - timedelta(days=10))
    assert mailed(when="since", days=1) == set()
    assert mailed(when="not_since", days=1) == {"ada@example.org", "bob@example.org"}
    day = (timezone.localdate() - timedelta(days=11)).isoformat()
    assert mailed(when="since", date=day) == {"ada@example.org"}


def test_two_records_with_one_address_are_one_person(sent: Mailing, bob: Contact) -> None:
    a_contact(" ADA@Example.ORG", first_name="Twin")
    lead = Lead.objects.create(last_name="Ada", email="ada@example.org")
    Lead.objects.create(last_name="Other", email="other@example.org")

    assert mailed(when="never") == {"bob@example.org"}
    assert mailed(when="since", days=1) == {"ada@example.org", " ADA@Example.ORG"}
    leads = a_segment(Lead, behaviour={"mailed": {"when": "since", "days": 1}})
    assert list(people_of(leads)) == [lead]


def test_who_has_another_address_now_was_mailed_all_the_same(sent: Mailing, ada: Contact) -> None:
    Contact.objects.filter(pk=ada.pk).update(email="new@example.org")

    assert mailed(when="since", days=1) == {"new@example.org"}


def test_a_record_of_another_type_with_the_same_number_was_not_mailed(sent: Mailing, ada: Contact) -> None:
    lead = Lead.objects.create(pk=ada.pk, last_name="Lee", email="lee@example.org")

    assert list(people_of(a_segment(Lead, behaviour={"mailed": {"when": "never"}}))) == [lead]


@pytest.mark.parametrize(
    ("kind", "opened", "clicked"),
    [(Kind.OPENED, True, False), (Kind.CLICKED, True, True), (Kind.DELIVERED, False, False)],
)
def test_who_opened_and_who_clicked(
    sent: Mailing, bob: Contact, kind: Kind, opened: bool, clicked: bool
) -> None:
    came_back(sent, kind)
    only_ada: set[str] = {"ada@example.org"}

    assert reacted("opened", sent) == (only_ada if opened else set())
    assert reacted("not_opened", sent) == (set() if opened else only_ada)
    assert reacted("clicked", sent) == (only_ada if clicked else set())
    assert reacted("not_clicked", sent) == (set() if clicked else only_ada)


def test_another_mailing_opened_is_not_this_one(sent: Mailing, ada: Contact) -> None:
    came_back(sent, Kind.OPENED)
    other = a_mailing(to=[ada])
    start_now(other)
    mark(other, ada, DeliveryState.ACCEPTED, timezone.now())

    assert reacted("opened", other) == set()
    assert reacted("not_opened", other) == {"ada@example.org"}


def test_filters_and_questions_hold_together(sent: Mailing, bob: Contact) -> None:
    assert names_in(a_segment(city="Cork", behaviour={"mailed": {"when": "never"}})) == {"bob@example.org"}
    assert names_in(a_segment(city="Dublin", behaviour={"mailed": {"when": "never"}})) == set()


def test_its_name_in_consent() -> None:
    segment = a_segment(name="Irish")

    assert (segment.consent_scope.key, segment.consent_scope.label) == (f"segment:{segment.pk}", "Irish")
    assert EmailAddress.objects.count() == 0


def test_of_what_a_form_sends_only_what_it_reads_and_what_is_not_blank_is_kept() -> None:
    form = MailHistory(prefix="mailed")
    sent_by_a_browser = QueryDict("mailed-when=since&mailed-days=30&mailed-date=&when=never&csrf=x")

    assert chosen_in(form, sent_by_a_browser) == {"when": ["since"], "days": ["30"]}
