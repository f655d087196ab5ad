"""The first mailing, ready to be sent: its list, its template, a way out, and people who opted out before."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from wagtail.models import Locale

from massmail_plugin import preferences, recipients
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.audience.members import add_members, get_index_page
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.mailings.models import Campaign, Mailing
from massmail_plugin.recipients import consent
from massmail_plugin.recipients.addresses import parse_address
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from sandbox.crm.models import Contact, Lead
from sandbox.crm.people import HOME_CITY
from sandbox.crm.picture import get_picture

LIST = f"{HOME_CITY}: customers and prospects"
TEMPLATE = "Spring news"
CAMPAIGN = "Spring news"
MAILING = f"Spring news to {HOME_CITY}"
ACCOUNT = "Local mail server"

_OPTED_OUT, _BOUNCED = 4, 2


@transaction.atomic
def load_first_mailing() -> Mailing:
    """Return the first mailing; make what it needs and is not there yet, and change nothing else."""
    owner = get_user_model().objects.get(username="editor")
    _load_account()
    _load_postal_address()
    _load_consent(owner)
    known = Mailing.objects.filter(name=MAILING).order_by("pk").first()
    return known or Mailing.objects.create(
        name=MAILING, campaign=_campaign(owner), template=_template(owner), owner=owner
    )


def _load_account() -> None:
    account, _created = SenderAccount.objects.get_or_create(
        name=ACCOUNT,
        defaults={
            "host": settings.EMAIL_HOST,
            "security": SenderAccount.Security.NONE,
            "from_name": "Sandbox Trading",
            "from_email": "news@sandbox.example",
            "reply_to": "nora@sandbox.example",
        },
    )
    # The demo takes another port when the usual one is taken.
    SenderAccount.objects.filter(pk=account.pk, host=settings.EMAIL_HOST).update(port=settings.EMAIL_PORT)


def _load_postal_address() -> None:
    chosen = preferences.load()
    if not chosen.postal_address:
        chosen.postal_address = "Sandbox Trading Ltd, 1 Example Quay, Dublin, Ireland"
        chosen.save()


def _load_consent(actor: AbstractBaseUser) -> None:
    """A few people of the list have said no, or have bounced; what anybody said later stands."""
    people = Contact.objects.filter(city=HOME_CITY, import_key__startswith="C").exclude(email="")
    addresses = [_address(person.email) for person in people.order_by("import_key")[: _OPTED_OUT + _BOUNCED]]
    by_phone = consent.How(ConsentEvent.Method.OPERATOR, reason="Asked for it on the phone", actor=actor)
    bounced = consent.How(ConsentEvent.Method.IMPORT, reason="550 5.1.1 No such user, says the old system")
    for number, address in enumerate(addresses):
        if address.consent_events.exists():
            continue
        if number < _OPTED_OUT:
            consent.opt_out(address, [consent.Scope()], by_phone)
        else:
            consent.mark_invalid(address, bounced)


def _address(email: str) -> EmailAddress:
    return EmailAddress.objects.get_or_create(key=parse_address(email).key)[0]


def _campaign(owner: AbstractBaseUser) -> Campaign:
    known = Campaign.objects.filter(name=CAMPAIGN).order_by("pk").first()
    if known is not None:
        return known
    campaign = Campaign(name=CAMPAIGN, owner=owner, target_lists=[_target_list(owner)])
    campaign.tracking_urls.create(slug="spring", url=f"{settings.BASE_URL}/")
    campaign.save()
    return campaign


def _target_list(owner: AbstractBaseUser) -> TargetListPage:
    folder = get_index_page()
    known = TargetListPage.objects.child_of(folder).filter(title=LIST).first()
    if known is not None:
        return known
    page = folder.add_child(
        instance=TargetListPage(
            title=LIST, owner=owner, description="Everybody in the CRM who lives in Dublin."
        )
    )
    for model in (Contact, Lead):
        chosen = model._default_manager.filter(city=HOME_CITY).order_by("pk").values_list("pk", flat=True)
        recipient_type = recipients.for_model(model)
        assert recipient_type is not None
        add_members(page, recipient_type, chosen, added_by=owner)
    return page


def _template(owner: AbstractBaseUser) -> EmailTemplate:
    known = EmailTemplate.objects.filter(name=TEMPLATE).order_by("pk").first()
    if known is not None:
        return known
    template = EmailTemplate(
        name=TEMPLATE,
        subject='{{ contact.first_name | default: "Hello" }}, what is new this spring',
        preheader="Faster deliveries, a new workshop, and an invitation.",
        owner=owner,
        locale=Locale.get_default(),
        live=False,
    )
    template.body = template._meta.get_field("body").to_python(_body(get_picture(owner).pk))
    template.save()
    template.save_revision(user=owner).publish(user=owner, skip_permission_checks=True)
    # Publishing works on a copy of its own.
    template.refresh_from_db()
    return template


def _body(picture: int) -> list[dict[str, Any]]:
    return [
        _heading("Spring news from Sandbox Trading", "1"),
        _block("image", image=picture, alt="Green hills under a morning sky", link="{{ tracking.spring }}"),
        _text(
            '<p>Hello {{ contact.first_name | default: "there" }},</p>'
            "<p>the days are getting longer, and so is the list of what we can do for you in"
            ' {{ contact.city | default: "your town" }}. Two things are <b>new this spring</b>.</p>'
        ),
        _block("button", label="See what is new", link="{{ tracking.spring }}", alignment="left"),
        _block("divider"),
        _block(
            "columns",
            columns=[
                [
                    _heading("Delivered the next day", "3"),
                    _text("<p>Order by noon, and our bicycle couriers ring at your door tomorrow.</p>"),
                ],
                [
                    _heading("A workshop for you", "3"),
                    _text("<p>Bring what is broken. On Saturdays we mend it together, with coffee.</p>"),
                ],
            ],
        ),
        _block("divider"),
        _text(
            "<p><i>You get this mail because you are a customer of ours or have asked for our news."
            " Just answer it: Nora Nolan reads every reply.</i></p>"
        ),
    ]


def _heading(text: str, level: str) -> dict[str, Any]:
    return _block("heading", text=text, level=level, alignment="left")


def _text(html: str) -> dict[str, Any]:
    return _block("text", text=html, alignment="left")


def _block(kind: str, **value: Any) -> dict[str, Any]:
    return {"type": kind, "value": value or None}
