"""F03-F11 with a provider that takes several mails in one call: the worker is killed before, during and after it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.mailings.models import Run
from massmail_plugin.mailings.states import DeliveryState
from tests import builders
from tests.acceptance.faults.failpoints import Failpoint
from tests.acceptance.faults.invariants import check
from tests.acceptance.faults.sink import Copy
from tests.acceptance.faults.workers import Workers
from tests.http_provider import Answer, HttpProvider
from tests.provider_calls import Made, made_by_mailgun, made_by_sparkpost

PEOPLE, BATCH = 7, 3


def mailgun(payload: Any) -> Answer:
    return 200, {"id": "<one@mailgun.example>", "message": "Queued. Thank you."}


def sparkpost(payload: Any) -> Answer:
    number = len(payload["recipients"])
    results = {"total_accepted_recipients": number, "total_rejected_recipients": 0, "id": "77"}
    return 200, {"results": results}


class Provider(HttpProvider):
    """One of those that take batches, seen by what it has taken."""

    def __init__(
        self, name: str, usual: Callable[[Any], Answer], made_by: Callable[[Any], Iterator[Made]]
    ) -> None:
        super().__init__(usual=usual)
        self.name, self._made_by = name, made_by

    def copies(self) -> list[Copy]:
        """Return the mails of all calls that have reached it, answered or not."""
        return [
            Copy(int(number), address, f"call {place}")
            for place, request in enumerate(self.requests)
            for address, *_mail, number in self._made_by(request.payload)
        ]

    def addresses(self) -> list[str]:
        return sorted(copy.recipient for copy in self.copies())


@pytest.fixture(params=[("mailgun", mailgun, made_by_mailgun), ("sparkpost", sparkpost, made_by_sparkpost)])
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    with Provider(*request.param) as provider:
        yield provider


@pytest.fixture
def run(provider: Provider) -> Run:
    builders.an_account(
        kind=SenderAccount.Kind.BACKEND,
        backend=f"anymail.backends.{provider.name}.EmailBackend",
        backend_options=Secret.of(json.dumps({"api_key": "key", "api_url": provider.url, "timeout": 60})),
        batch_size=BATCH,
    )
    return builders.start_now(builders.a_mailing(to=builders.contacts(PEOPLE), in_batches=True))


def everybody() -> list[str]:
    return [f"person{number}@customers.example" for number in range(1, PEOPLE + 1)]


def in_doubt(run: Run) -> list[str]:
    return sorted(
        email for email, state in builders.states_by_address(run).items() if state == DeliveryState.IN_DOUBT
    )


#: Where the worker dies, before anything of the call has left.
BEFORE_THE_CALL = {
    "F03 while a mail is made": Failpoint("massmail_plugin.delivery.mails.prepared:Prepared.compose"),
    "F08 before the fence": Failpoint("massmail_plugin.delivery.ledger.fence:commit_to_send"),
    "F09 past the fence": Failpoint("massmail_plugin.delivery.transports.batches:BatchTransport._call_for"),
}


@pytest.mark.parametrize("point", BEFORE_THE_CALL.values(), ids=BEFORE_THE_CALL)
def test_killed_before_a_call_nobody_has_it_and_at_most_its_mails_are_in_doubt(
    workers: Workers, provider: Provider, run: Run, go_on: Any, point: Failpoint
) -> None:
    workers.start("one_pass", point).wait_for_its_death()
    handing = run.deliveries.filter(state=DeliveryState.HANDING).count()
    go_on(run.mailing)

    check(run, provider, people=PEOPLE, doubts=min(handing, BATCH), logs=workers.said())
    assert sorted([*provider.addresses(), *in_doubt(run)]) == everybody()
    assert bool(in_doubt(run)) == ("_call_for" in point.at)


def test_f10_killed_during_a_call_its_mails_are_in_doubt_by_name_and_are_not_sent_again(
    workers: Workers, provider: Provider, run: Run, go_on: Any
) -> None:
    with provider.holding() as held:
        worker = workers.start("one_pass")
        held.wait_until_reached()
        worker.kill()
    called = provider.addresses()
    assert 0 < len(called) <= BATCH
    go_on(run.mailing)

    check(run, provider, people=PEOPLE, doubts=len(called), logs=workers.said())
    assert in_doubt(run) == called
    assert provider.addresses() == everybody()


def test_f11_killed_after_a_call_the_journal_knows_its_mails(
    workers: Workers, provider: Provider, run: Run, go_on: Any
) -> None:
    written = Failpoint("massmail_plugin.delivery.ledger.writing:write")
    workers.start("one_pass", written).wait_for_its_death()
    assert provider.requests
    go_on(run.mailing)

    # What had been answered and noted is settled; others of the call were perhaps still on their way to the journal.
    check(run, provider, people=PEOPLE, doubts=BATCH - 1, logs=workers.said())
    assert provider.addresses() == everybody()
    first_call = {copy.recipient for copy in provider.copies() if copy.file == "call 0"}
    assert first_call - set(in_doubt(run))


def test_f11_killed_before_a_calls_answers_are_in_the_journal_only_its_mails_are_in_doubt(
    workers: Workers, provider: Provider, run: Run, go_on: Any
) -> None:
    answered = Failpoint("massmail_plugin.delivery.keeping.journal:Journal.append")
    workers.start("one_pass", answered).wait_for_its_death()
    called = provider.addresses()
    go_on(run.mailing)

    check(run, provider, people=PEOPLE, doubts=len(called), logs=workers.said())
    assert in_doubt(run) == called
    assert provider.addresses() == everybody()
