"""What providers make of a call: for each recipient their address, subject, text, HTML, headers and our number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

#: Address, subject, text, HTML, headers (names in small letters), number of the delivery.
Made = tuple[str, str, str, str, dict[str, str], str]


def made_by_mailgun(payload: Any) -> Iterator[Made]:
    # A mail that is sent alone has no variables, and its only recipient in "to".
    alone = re.sub(r".*<(.*)>", r"\1", str(payload["to"]))
    variables = json.loads(payload.get("recipient-variables") or json.dumps({alone: {}}))

    def filled(text: str, values: dict[str, str]) -> str:
        return re.sub(r"%recipient\.(.+?)%", lambda found: values[found[1]], text)

    for address, values in variables.items():
        fields = {name: filled(text, values) for name, text in payload.items() if isinstance(text, str)}
        headers = {name[2:].lower(): text for name, text in fields.items() if name.startswith("h:")}
        number = fields["v:massmail_delivery"]
        yield address, fields["subject"], fields["text"], fields["html"], headers, number


def made_by_sparkpost(payload: Any) -> Iterator[Made]:
    content = payload["content"]
    for recipient in payload["recipients"]:
        values = recipient.get("substitution_data", {})

        def filled(text: str, values: dict[str, str] = values) -> str:
            return re.sub(r"\{\{\{?(\w+)\}?\}\}", lambda found: values[found[1]], text)

        headers = {name.lower(): filled(text) for name, text in content["headers"].items()}
        yield (
            recipient["address"]["email"],
            filled(content["subject"]),
            filled(content["text"]),
            filled(content["html"]),
            headers,
            {**payload.get("metadata", {}), **recipient.get("metadata", {})}["massmail_delivery"],
        )
