"""Who lives in Dublin, in the sandbox's CRM, and who of them has to get a mailing; worked out on its own."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sandbox.crm import awkward
from tests.acceptance.running_sandbox import RunningSandbox

#: Prints the addresses of the ordinary contacts, and those that the sandbox begins with as opted out or bounced.
_QUESTION = """
import json
from massmail_plugin.recipients.models import EmailAddress
from sandbox.crm.models import Contact
ordinary = Contact.objects.filter(city="Dublin", import_key__startswith="C").values_list("email", flat=True)
unwilling = EmailAddress.objects.exclude(opted_out_since=None, invalid_since=None).values_list("key", flat=True)
print("ANSWER", json.dumps([list(ordinary), list(unwilling)]))
"""


@dataclass(frozen=True)
class Dubliners:
    """Addresses in small letters, domains in ASCII."""

    #: Who has to get exactly one mail.
    willing: frozenset[str]
    #: Whom the mail server refuses.
    refused: frozenset[str]
    #: All records, however many of them share an address or have none.
    records: int


def dubliners(sandbox: RunningSandbox) -> Dubliners:
    said = sandbox.manage("shell", "--no-imports", "-c", _QUESTION)
    ordinary, unwilling = json.loads(said.rpartition("ANSWER ")[2])
    hard = {_in_ascii(case.email) for case in awkward.ALL if case.mailable}
    refused = {address for address in hard if address.endswith("@gone.example")}
    willing = {address.lower() for address in ordinary if address} - set(unwilling) | hard - refused
    return Dubliners(frozenset(willing), frozenset(refused), len(ordinary) + len(awkward.ALL))


def _in_ascii(email: str) -> str:
    local, _at, domain = email.strip().lower().rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"
