"""Fills the CRM with believable people: the same ones each time, and never the same one twice."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from django.contrib.auth.models import AbstractBaseUser, Group
from django.db import transaction
from django.db.models import Model
from django.utils.text import slugify

from sandbox.crm import awkward, names
from sandbox.crm.models import Account, Contact, Lead, Ticket

SEED = 2026
ACCOUNTS, CONTACTS, LEADS, TICKETS = 280, 1500, 900, 320
#: All awkward contacts live here, so that the first mailing meets them.
HOME_CITY = "Dublin"
_NEWEST = datetime(2026, 1, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Owner:
    """Who looks after records, and for which department."""

    user: AbstractBaseUser
    department: Group


def load_people(owners: Sequence[Owner]) -> dict[str, int]:
    """Create the people that are missing; touch nobody else. Return how many of each kind were created."""
    with transaction.atomic():
        crowd = _Crowd(owners)
        return {
            "accounts": _create_missing(crowd.accounts()),
            "contacts": _create_missing(crowd.contacts()),
            "leads": _create_missing(crowd.leads()),
            "tickets": _create_missing(crowd.tickets()),
        }


def _create_missing(records: Iterator[Model]) -> int:
    wanted = list(records)
    manager = type(wanted[0])._default_manager
    known = set(manager.exclude(import_key=None).values_list("import_key", flat=True))
    missing = [record for record in wanted if record.import_key not in known]
    manager.bulk_create(missing, batch_size=500)
    return len(missing)


class _Crowd:
    """Makes unsaved records. Each kind has its own random numbers, so that none disturbs another."""

    def __init__(self, owners: Sequence[Owner]) -> None:
        self.owners = owners
        self.addresses: set[str] = set()

    def accounts(self) -> Iterator[Account]:
        random = Random(f"{SEED} accounts")
        pairs = [(a, b) for a in names.COMPANY_FIRST for b in names.COMPANY_SECOND]
        for number, (first, second) in enumerate(random.sample(pairs, ACCOUNTS)):
            region = _region(random)
            domain = f"{slugify(f'{first} {second}')}.example"
            yield Account(
                name=f"{first} {second} {random.choice(names.COMPANY_ENDINGS)}",
                email=random.choice(("info", "office", "hello", "contact")) + f"@{domain}",
                website=f"https://www.{domain}/",
                industry=random.choice(names.INDUSTRIES),
                city=random.choice(region.cities),
                country=region.country,
                **self._common(random, "A", number),
                phone=_phone(random),
                is_vip=random.random() < 0.04,
            )

    def contacts(self) -> Iterator[Contact]:
        random = Random(f"{SEED} contacts")
        companies = list(Account.objects.exclude(import_key=None).order_by("import_key"))
        for number in range(CONTACTS - len(awkward.ALL)):
            company = random.choice(companies)
            yield Contact(
                company=company,
                tags=", ".join(random.sample(names.TAGS, random.choice((0, 0, 1, 1, 2)))),
                **self._person(random, "C", number, company.email.partition("@")[2]),
            )
        for number, case in enumerate(awkward.ALL):
            yield Contact(
                first_name=case.first_name,
                last_name=case.last_name.strip(),
                email=case.email,
                tags="awkward",
                city=HOME_CITY,
                country=names.IRELAND.country,
                time_zone=names.IRELAND.time_zone,
                company=random.choice([None, *companies[:5]]),
                **self._common(random, "X", number),
            )

    def leads(self) -> Iterator[Lead]:
        random = Random(f"{SEED} leads")
        for number in range(LEADS):
            company = f"{random.choice(names.COMPANY_FIRST)} {random.choice(names.COMPANY_SECOND)}"
            yield Lead(
                company_name=random.choice(("", company)),
                source=random.choice(names.SOURCES),
                status=random.choice(Lead.Status.values),
                **self._person(random, "L", number, f"{slugify(company)}.test"),
            )

    def tickets(self) -> Iterator[Ticket]:
        random = Random(f"{SEED} tickets")
        contacts = list(Contact.objects.exclude(import_key=None).order_by("import_key"))
        for number in range(TICKETS):
            product = random.choice(names.PRODUCTS)
            yield Ticket(
                subject=random.choice(names.QUESTIONS).format(product=product),
                product=product,
                status=random.choice(Ticket.Status.values),
                **self._requester(random, contacts),
                **self._common(random, "T", number),
            )

    def _requester(self, random: Random, contacts: Sequence[Contact]) -> dict[str, object]:
        if random.random() < 0.7:
            contact = random.choice(contacts)
            return {
                "requester": contact,
                "requester_name": contact.full_name()[:255],
                "requester_email": contact.email,
            }
        region = _region(random)
        first, last = random.choice(region.first_names), random.choice(region.last_names)
        return {
            "requester_name": f"{first} {last}",
            "requester_email": self._address(first, last, "freemail.invalid"),
        }

    def _person(self, random: Random, letter: str, number: int, domain: str) -> dict[str, object]:
        region = _region(random)
        first, last = random.choice(region.first_names), random.choice(region.last_names)
        return {
            "title": random.choice(names.TITLES),
            "first_name": first if random.random() < 0.97 else "",
            "last_name": last,
            "email": self._address(first, last, domain) if random.random() < 0.98 else "",
            "phone": _phone(random),
            "city": random.choice(region.cities),
            "country": region.country,
            "language": region.language,
            "time_zone": region.time_zone,
            "is_vip": random.random() < 0.03,
            **self._common(random, letter, number),
        }

    def _common(self, random: Random, letter: str, number: int) -> dict[str, object]:
        owner = random.choice([*self.owners, None]) if self.owners else None
        return {
            "import_key": f"{letter}{number:05}",
            "assigned_to": owner.user if owner else None,
            "department": owner.department if owner else None,
            "created_at": _NEWEST - timedelta(minutes=random.randrange(3 * 365 * 24 * 60)),
        }

    def _address(self, first: str, last: str, domain: str) -> str:
        """Return an address that nobody else has: the same address twice happens only on purpose."""
        local = ".".join(filter(None, (_ascii(first), _ascii(last)))) or "person"
        address, number = f"{local}@{domain}", 1
        while address in self.addresses:
            number += 1
            address = f"{local}{number}@{domain}"
        self.addresses.add(address)
        return address


def _region(random: Random) -> names.Region:
    return random.choices(names.REGIONS, names.REGION_WEIGHTS)[0]


def _phone(random: Random) -> str:
    # 555-0100 to 555-0199 are reserved for stories.
    return f"+1 555 01{random.randrange(100):02}"


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().replace("ß", "ss").replace("ł", "l"))
    return "".join(character for character in plain if character.isascii() and character.isalnum())
