"""Makes what tests need, in words that read like a sentence. Each makes real rows by the rooms' own verbs.

contact = a_contact("ada@customers.example", first_name="Ada")
mailing = a_mailing(to=[contact], through=an_account(smtp_server))
start_now(mailing)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Model
from django.utils import timezone

from massmail_plugin import recipients
from massmail_plugin.audience.members import add_members, get_index_page
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.audience.segments.models import Chosen, Segment
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.mailings import starting
from massmail_plugin.mailings.models import Campaign, Delivery, Mailing, Run
from massmail_plugin.mailings.states import MailingState, move
from massmail_plugin.models import SenderAccount
from sandbox.crm.models import Contact
from sandbox.crm.staff import load_staff
from tests.smtp_server import SmtpServer

_numbers = count(1)


def a_user(username: str = "", **fields: Any) -> AbstractUser:
    """Return somebody who may do nothing; the password is the user name."""
    username = username or f"user{next(_numbers)}"
    return get_user_model().objects.create_user(username, f"{username}@sandbox.example", username, **fields)


def an_administrator() -> AbstractUser:
    return a_user("root", is_superuser=True, is_staff=True)


def an_editor() -> AbstractUser:
    """Return the sandbox's editor: may mail, delete nothing, and only look at the CRM. Password "editor"."""
    load_staff()
    return get_user_model().objects.get(username="editor")


def an_account(
    server: SmtpServer | None = None, *, owner: AbstractUser | None = None, **fields: Any
) -> SenderAccount:
    """Return an account that sends through ``server`` (without one: to nowhere), for everybody or its owner."""
    where = {"host": server.host, "port": server.port} if server else {"host": "127.0.0.1", "port": 9}
    defaults = {"name": "Sales", "from_name": "Sales team", "from_email": "sales@sandbox.example"}
    security = SenderAccount.Security.NONE
    return SenderAccount.objects.create(
        **{**defaults, **where, "security": security, "owner": owner, **fields}
    )


def a_contact(email: str = "", **fields: Any) -> Contact:
    """Return a contact of the sandbox's CRM; without ``email``, with an address that nobody else has."""
    number = next(_numbers)
    defaults = {"first_name": f"First{number}", "last_name": f"Last{number}"}
    return Contact.objects.create(
        **{**defaults, "email": email or f"person{number}@customers.example", **fields}
    )


def contacts(number: int, *, domain: str = "customers.example") -> list[Contact]:
    """Return many contacts, person1@..., person2@..., made quickly."""
    return Contact.objects.bulk_create(
        Contact(first_name=f"First{n}", last_name=f"Last{n}", email=f"person{n}@{domain}")
        for n in range(1, number + 1)
    )


def a_target_list(*records: Model, title: str = "") -> TargetListPage:
    """Return a list of these records, of any types that the sandbox registers."""
    page: TargetListPage = get_index_page().add_child(
        instance=TargetListPage(title=title or f"Customers {next(_numbers)}")
    )
    for record in records:
        recipient_type = recipients.for_model(type(record))
        assert recipient_type is not None, f"{type(record).__name__} is not registered as a recipient type."
        add_members(page, recipient_type, [record.pk])
    return page


def a_segment(
    model: type[Model] = Contact, *, behaviour: Any = None, name: str = "", **criteria: Any
) -> Segment:
    """Return a segment of ``model`` with these filters, each with one value or a list of them.

    ``behaviour`` is what was chosen about mails: {"mailed": {"when": "never"}}.
    """
    return Segment.objects.create(
        name=name or f"Segment {next(_numbers)}",
        recipient_type=model._meta.label_lower,
        criteria=_chosen(criteria),
        behaviour={key: _chosen(chosen) for key, chosen in (behaviour or {}).items()},
    )


def _chosen(values: dict[str, Any]) -> Chosen:
    return {
        name: [str(each) for each in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
    }


def a_template(
    text: str = "<p>Hello {{ contact.first_name }}!</p>", *, subject: str = "News for you", **fields: Any
) -> EmailTemplate:
    """Return a published template with one text block, as rich text HTML."""
    body = [("text", {"text": text, "alignment": "left"})]
    return EmailTemplate.objects.create(
        **{"name": f"Template {next(_numbers)}", "subject": subject, "body": _stream(body), **fields}
    )


def _stream(body: Sequence[tuple[str, Any]]) -> Any:
    block = EmailTemplate._meta.get_field("body").stream_block
    return block.to_python([{"type": name, "value": value} for name, value in body])


def a_campaign(*lists: TargetListPage, excluding: Iterable[TargetListPage] = (), **fields: Any) -> Campaign:
    """Return a campaign to these lists."""
    campaign = Campaign(**{"name": f"Campaign {next(_numbers)}", **fields})
    campaign.target_lists.set(lists)
    campaign.excluded_lists.set(excluding)
    campaign.save()
    return campaign


def a_mailing(
    *,
    to: Iterable[Model] = (),
    campaign: Campaign | None = None,
    template: EmailTemplate | None = None,
    through: SenderAccount | None = None,
    **fields: Any,
) -> Mailing:
    """Return a draft mailing to these records, or to a campaign's lists.

    It has an account of its own if ``through`` is one with an owner; otherwise everybody's accounts serve it.
    """
    mailing = Mailing(
        **{
            "name": f"Mailing {next(_numbers)}",
            "campaign": campaign or a_campaign(a_target_list(*to)),
            "template": template or a_template(),
            "owner": through.owner if through else None,
            **fields,
        }
    )
    mailing.save()
    return mailing


def start_now(mailing: Mailing) -> Run:
    """Start ``mailing``: its content and audience are frozen, its mails wait to be sent.

    As if somebody had pressed Send before: that looks at everything once more, which takes as long as the start.
    """
    assert move(Mailing.objects.filter(pk=mailing.pk), MailingState.PENDING, start_at=timezone.now())
    run = starting.start(mailing)
    mailing.refresh_from_db()
    assert run is not None, f"The mailing could not start: {mailing.notice}"
    return run


def states_by_address(run: Run) -> dict[str, str]:
    """Return where each mail of a run stands: address as in the record, state."""
    return dict(Delivery.objects.filter(run=run).values_list("email", "state"))
