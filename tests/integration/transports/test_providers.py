"""What a provider's HTTP answer, or its absence, proves about a mail (F60), through Anymail's own backends."""

import json
from dataclasses import dataclass, field

import pytest
from django.core.mail import EmailMultiAlternatives

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.transports import idempotency
from massmail_plugin.delivery.transports.backend import BackendTransport
from massmail_plugin.delivery.transports.base import Verdict
from tests.http_provider import HttpProvider
from tests.integration.transports.conftest import Fence

RESEND_OK = (200, {"id": "49a3999c"})
BREVO_OK = (201, {"messageId": "<1@smtp-relay.mailin.fr>"})
BREVO_DUPLICATE = (400, {"code": "duplicate_parameter", "message": "Already processed"})


@dataclass
class ProviderMail:
    number: int = 7
    metadata: dict[str, str] = field(default_factory=lambda: {"massmail_delivery": "7"})

    def __post_init__(self) -> None:
        self.headers = {"Message-ID": f"<mm.{self.number}.0123456789abcdef0123@sandbox.example>"}
        self.message = EmailMultiAlternatives(
            "News", "Hello!", "sales@sandbox.example", ["ada@customers.example"], headers=dict(self.headers)
        )


@pytest.fixture
def provider():
    with HttpProvider() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(idempotency, "PAUSES", (0, 0))


def _transport(provider, name="resend", **options):
    options = {"api_key": "key-hunter2", "api_url": provider.url, **options}
    return BackendTransport(
        SenderAccount(
            kind=SenderAccount.Kind.BACKEND,
            backend=f"anymail.backends.{name}.EmailBackend",
            backend_options=Secret.of(json.dumps(options)),
        )
    )


def _deliver(provider, *answers, name="resend", mail=None, **options):
    provider.answers = list(answers)
    with _transport(provider, name, **options) as transport:
        return transport.deliver(mail or ProviderMail(), Fence())


@pytest.mark.parametrize(
    ("status", "body", "verdict", "words"),
    [
        (401, {"message": "API key is invalid"}, Verdict.ACCOUNT, "API key is invalid"),
        (402, {"code": "not_enough_credits", "message": "No credits"}, Verdict.ACCOUNT, "No credits"),
        (403, {"message": "The domain is not verified"}, Verdict.ACCOUNT, "not verified"),
        (404, {"message": "Domain not found"}, Verdict.ACCOUNT, "Domain not found"),
        (408, {}, Verdict.TEMPORARY, "Request Timeout"),
        (413, {"message": "Too large"}, Verdict.TOO_BIG, "Too large"),
        (422, {"message": "Invalid `to` field"}, Verdict.RECIPIENT, "Invalid `to` field"),
        (422, {"message": "The sender is not verified"}, Verdict.POLICY, "sender"),
        (400, {"errors": [{"message": "Bad recipient"}]}, Verdict.RECIPIENT, "Bad recipient"),
        (429, {"message": "Too many requests"}, Verdict.SLOW_DOWN, "Too many requests"),
        (503, b"<html>", Verdict.UNREACHABLE, "Service Unavailable"),
        (521, b"", Verdict.UNREACHABLE, "521"),
        (413, b"\xff\xfe not JSON", Verdict.TOO_BIG, "413"),
    ],
)
def test_f60_a_refusal_is_definite(provider, status, body, verdict, words):
    outcome = _deliver(provider, (status, body))
    assert outcome.verdict is verdict
    assert words in outcome.reply
    assert outcome.reply.startswith("Resend: ")
    assert "hunter2" not in outcome.reply
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, None),
        ("", None),
    ],
)
def test_f60_a_provider_says_when_to_come_back(provider, value, seconds):
    outcome = _deliver(provider, (429, {}, {"Retry-After": value}))
    assert outcome.verdict is Verdict.SLOW_DOWN
    assert outcome.retry_after == seconds


@pytest.mark.parametrize(
    "answer", [(500, {}), (502, b"<html>"), (504, {}), (200, b"not JSON"), ConnectionError]
)
def test_f60_where_no_key_is_known_a_call_that_ends_badly_leaves_one_doubt(provider, answer):
    outcome = _deliver(provider, answer, name="postmark", server_token="t")
    assert outcome.verdict is Verdict.DOUBT
    assert len(provider.requests) == 1


def test_f60_a_provider_that_does_not_answer_in_time_leaves_one_doubt(provider):
    outcome = _deliver(provider, TimeoutError, name="postmark", server_token="t", timeout=0.2)
    assert outcome.verdict is Verdict.DOUBT
    assert outcome.reply == "The provider did not answer in time."


@pytest.mark.parametrize("lost", [TimeoutError, ConnectionError, (500, {}), (502, b""), (409, {"name": "x"})])
def test_a_lost_answer_is_asked_for_again_under_the_same_key(provider, lost):
    """Resend answers a second copy as it did the first, and does not send it."""
    outcome = _deliver(provider, lost, RESEND_OK, timeout=0.2)
    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.provider_id == "49a3999c"
    keys = [request.headers["Idempotency-Key"] for request in provider.requests]
    assert keys == ["mm.7.0123456789abcdef0123@sandbox.example"] * 2
    first, second = provider.requests
    assert first.payload == second.payload


@pytest.mark.parametrize(
    ("lost", "verdict"),
    [(TimeoutError, Verdict.ACCEPTED), (ConnectionError, Verdict.ACCEPTED), ((500, {}), Verdict.DOUBT)],
)
def test_a_provider_that_refuses_a_second_copy_has_the_first_unless_it_answered_that(provider, lost, verdict):
    answers = (lost, BREVO_DUPLICATE, BREVO_DUPLICATE)
    outcome = _deliver(provider, *answers, name="brevo", timeout=0.2)
    assert outcome.verdict is verdict
    keys = {request.payload["headers"]["idempotencyKey"] for request in provider.requests}
    assert len(keys) == 1
    assert len(keys.pop()) == 36


@pytest.mark.parametrize("answer", [(422, {}), (429, {}), (401, {}), (409, {}), (500, {}), ConnectionError])
def test_only_a_yes_ends_a_doubt(provider, answer):
    outcome = _deliver(provider, TimeoutError, answer, answer, timeout=0.2)
    assert outcome.verdict is Verdict.DOUBT
    assert len(provider.requests) == 3


def test_the_fence_is_asked_once_for_all_calls(provider):
    provider.answers = [(500, {}), (500, {}), RESEND_OK]
    fence = Fence()
    with _transport(provider) as transport:
        assert transport.deliver(ProviderMail(), fence).verdict is Verdict.ACCEPTED
    assert fence.asked == 1


def test_each_mail_has_a_key_of_its_own_and_test_mails_share_none(provider):
    provider.answers = [RESEND_OK] * 4
    with _transport(provider) as transport:
        for mail in (
            ProviderMail(1),
            ProviderMail(2),
            ProviderMail(0, metadata={}),
            ProviderMail(0, metadata={}),
        ):
            transport.deliver(mail, Fence())
    assert len({request.headers["Idempotency-Key"] for request in provider.requests}) == 4


def test_a_test_mail_is_not_repeated(provider):
    outcome = _deliver(provider, (500, {}), mail=ProviderMail(0, metadata={}))
    assert outcome.verdict is Verdict.DOUBT
    assert len(provider.requests) == 1


def test_every_mail_goes_over_one_session_while_all_is_well(provider):
    provider.answers = [BREVO_OK] * 3
    with _transport(provider, "brevo") as transport:
        outcomes = [transport.deliver(ProviderMail(number), Fence()) for number in (1, 2, 3)]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert outcomes[0].provider_id == "<1@smtp-relay.mailin.fr>"


@pytest.mark.parametrize(("error_code", "message"), [(300, "Invalid 'To' address: 'ada@customers.example'.")])
def test_an_address_that_the_provider_calls_invalid_is_no_mailbox(provider, error_code, message):
    answer = (422, {"ErrorCode": error_code, "Message": message})
    outcome = _deliver(provider, answer, name="postmark", server_token="t")
    assert outcome.verdict is Verdict.RECIPIENT
    assert outcome.no_such_mailbox
