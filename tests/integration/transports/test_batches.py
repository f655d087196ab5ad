"""Several mails in one call to a provider: each recipient gets their own, and a lost answer leaves doubts by name."""

import json

import pytest
from django.core.exceptions import ValidationError

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.mails.prepared import Prepared
from massmail_plugin.delivery.transports import batches
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.deciding import in_doubt
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.states import DeliveryState
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.consent import How, Scope
from massmail_plugin.recipients.models import ConsentEvent
from tests.builders import a_contact, a_mailing, a_template, contacts, start_now
from tests.http_provider import HttpProvider
from tests.provider_calls import made_by_mailgun, made_by_sparkpost

pytestmark = pytest.mark.django_db(transaction=True)

MAILGUN = (200, {"id": "<one@mailgun.example>", "message": "Queued. Thank you."})
TEMPLATE = (
    "<p>Hello {{ contact.first_name }}, {% if contact.last_name %}or {{ contact.last_name }}{% endif %}</p>"
)


def sparkpost(accepted, rejected=0):
    results = {"total_accepted_recipients": accepted, "total_rejected_recipients": rejected, "id": "77"}
    return 200, {"results": results}


@pytest.fixture
def provider():
    with HttpProvider() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Batches here are full: however slow the machine is, nobody is left behind."""
    monkeypatch.setattr(batches, "_GATHERING_SECONDS", 30)


@pytest.fixture
def account(provider):
    """Return a function that makes an account of this provider."""

    def make(name="mailgun", **fields):
        options = {"api_key": "key", "api_url": provider.url, "timeout": 10}
        return SenderAccount.objects.create(
            **{
                "name": "Sales",
                "from_name": "Sales team",
                "from_email": "sales@sandbox.example",
                "kind": SenderAccount.Kind.BACKEND,
                "backend": f"anymail.backends.{name}.EmailBackend",
                "backend_options": Secret.of(json.dumps(options)),
                "batch_size": 3,
                **fields,
            }
        )

    return make


def _started(people, **fields):
    template = a_template(TEMPLATE, subject="For {{ contact.first_name }}")
    return start_now(a_mailing(to=people, template=template, in_batches=True, **fields))


@pytest.mark.parametrize(
    ("name", "answer", "made_by"),
    [("mailgun", MAILGUN, made_by_mailgun), ("sparkpost", sparkpost(3), made_by_sparkpost)],
)
def test_each_recipient_of_a_call_gets_exactly_their_own_mail(provider, account, name, answer, made_by):
    provider.answers = [answer, answer]
    awkward = ['<b>"Ada"</b> & Söhne', "100 % $1 \\1 $&", "日本 'x'\u2028", "a\tb", "%%", "{ }"]
    people = [a_contact(first_name=first, last_name=f"Last {first}") for first in awkward]
    sender = account(name)
    run = _started(people)
    drain(sender.pk)

    made = [mail for request in provider.requests for mail in made_by(request.payload)]
    assert len(provider.requests) == 2
    assert {mail[0] for mail in made} == {person.email for person in people}
    deliveries = {delivery.envelope: delivery for delivery in run.deliveries.select_related("address")}
    prepared = Prepared(list(deliveries.values()))
    for address, subject, text, html, headers, number in made:
        delivery = deliveries[address]
        own = prepared.compose(sender, delivery).message
        assert (subject, text, html) == (own.subject, own.body, own.alternatives[0].content)
        expected = {name.lower(): value for name, value in own.extra_headers.items() if name != "Date"}
        assert {name: headers.get(name) for name in expected} == expected
        assert number == str(delivery.pk)
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.ACCEPTED}
    assert not run.deliveries.filter(provider_id="").exists()


@pytest.mark.parametrize("first_name", ["%recipient.subject%", "%recipient"])
def test_a_mail_that_reads_like_a_placeholder_goes_alone(provider, account, first_name):
    provider.answers = [MAILGUN, MAILGUN]
    sender = account(batch_size=2)
    _started([a_contact(first_name=first_name), *contacts(2)])
    drain(sender.pk)
    alone = [request.payload for request in provider.requests if "recipient-variables" not in request.payload]
    assert [first_name in payload["html"] for payload in alone] == [True]
    assert len(provider.requests) == 2


def test_a_mailing_that_does_not_allow_it_is_sent_one_by_one(provider, account):
    provider.answers = [MAILGUN] * 3
    sender = account()
    start_now(a_mailing(to=contacts(3)))
    drain(sender.pk)
    assert len(provider.requests) == 3
    assert not any("recipient-variables" in request.payload for request in provider.requests)


@pytest.mark.parametrize("answer", [ConnectionError, (500, {}), (200, b"not JSON")])
def test_a_call_without_an_answer_leaves_its_mails_in_doubt_by_name_and_no_others(provider, account, answer):
    provider.answers = [answer]
    sender = account()
    run = _started(contacts(10))
    drain(sender.pk)
    states = list(run.deliveries.values_list("state", flat=True))
    assert states.count(DeliveryState.IN_DOUBT) == 3
    assert states.count(DeliveryState.QUEUED) == 7
    asked = set(json.loads(provider.requests[0].payload["recipient-variables"]))
    assert set(in_doubt(run.mailing).values_list("envelope", flat=True)) == asked
    assert len(provider.requests) == 1


def test_one_bad_recipient_fails_alone(provider, account):
    """Mailgun refuses the whole call for it, before anything is sent."""
    refusal = (400, {"message": "to parameter is not a valid address"})
    sender = account()
    run = _started(contacts(3))

    class Answers(list):
        """Refuses whoever writes to the second."""

        def pop(self, _place):
            return refusal if "person2@" in str(provider.requests[-1].payload["to"]) else MAILGUN

    provider.answers = Answers()
    sender.connections = 1
    drain(sender.pk)
    failed = run.deliveries.filter(state=DeliveryState.FAILED)
    assert [delivery.email for delivery in failed] == ["person2@customers.example"]
    assert run.deliveries.filter(state=DeliveryState.ACCEPTED).count() == 2


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((401, {"message": "Invalid key"}), SenderAccount.State.FAULTY),
        ((429, {"message": "Too many requests"}), SenderAccount.State.READY),
        ((503, {}), SenderAccount.State.READY),
    ],
)
def test_a_refusal_of_the_call_uses_nobodys_attempt(provider, account, answer, state):
    provider.answers = [answer]
    sender = account()
    run = _started(contacts(3))
    drain(sender.pk)
    sender.refresh_from_db()
    assert sender.state == state
    assert set(run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}


def test_a_provider_that_does_not_say_which_mails_it_took_leaves_them_in_doubt(provider, account):
    provider.answers = [sparkpost(2, 1)]
    sender = account("sparkpost")
    run = _started(contacts(3))
    drain(sender.pk)
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.IN_DOUBT}
    assert "did not say" in run.deliveries.first().detail


def test_a_batch_that_is_not_full_leaves_all_the_same(provider, account, monkeypatch):
    monkeypatch.setattr(batches, "_GATHERING_SECONDS", 0.05)
    provider.answers = [MAILGUN] * 3
    sender = account(batch_size=50)
    run = _started(contacts(3))
    drain(sender.pk)
    assert set(run.deliveries.values_list("state", flat=True)) == {DeliveryState.ACCEPTED}


def test_who_says_no_before_the_fence_is_not_in_the_call(provider, account, monkeypatch):
    from massmail_plugin.delivery.ledger import fence

    provider.answers = [MAILGUN]
    sender = account()
    run = _started(contacts(3))
    pass_fence, asked = fence.commit_to_send, []

    def commit(deliveries, known):
        if not asked:
            for delivery in Delivery.objects.filter(email="person2@customers.example"):
                consent.opt_out(delivery.address, [Scope()], How(ConsentEvent.Method.LINK))
        asked.append(len(deliveries))
        return pass_fence(deliveries, known)

    monkeypatch.setattr(fence, "commit_to_send", commit)
    drain(sender.pk)
    [request] = provider.requests
    assert set(json.loads(request.payload["recipient-variables"])) == {
        "person1@customers.example",
        "person3@customers.example",
    }
    states = dict(run.deliveries.values_list("email", "state"))
    assert states.pop("person2@customers.example") == DeliveryState.SKIPPED
    assert set(states.values()) == {DeliveryState.ACCEPTED}


def test_a_provider_that_knows_no_batches_is_refused_in_the_form(account):
    for name in ("mailgun", "sparkpost"):
        account(name).full_clean()
    with pytest.raises(ValidationError, match="one mail in a call"):
        account("postmark").full_clean()
    account("postmark", batch_size=1).full_clean()
