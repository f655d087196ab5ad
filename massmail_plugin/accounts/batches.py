"""Providers that make a mail of its own for each recipient of one call: one content, and each one's own values.

| provider | per call at most | where a value stands | answers for each recipient |
| --- | --- | --- | --- |
| Mailgun | 1000 | ``%recipient.name%`` | one id for all; one bad address refuses the call |
| SparkPost | 10,000 | ``{{{name}}}``, not escaped | one id for all; if only some were refused, not which |

The others are given one mail per call. Amazon SES, Brevo, Mailtrap, Postmark and Resend take one body for all of a
call, unless it is stored with them; Mailjet does not fill in the subject; MailerSend gives a call no id, or shows the
recipients to each other; Mandrill and Unisender Go do not say that values stay as they are; SendGrid allows 10,000
bytes of values, and Anymail no longer supports it; Postal and Scaleway know no batches.
"""

from __future__ import annotations

from dataclasses import dataclass

from anymail.backends.base import AnymailBaseBackend
from django.utils.module_loading import import_string

#: Mails that one call may carry, whatever the provider takes: so many would be in doubt at once.
LARGEST_BATCH = 50


@dataclass(frozen=True, slots=True)
class BatchSyntax:
    """How a provider is told where a recipient's own value stands."""

    #: With "{}" for the value's name.
    placeholder: str
    #: What must not stand in a mail by itself, or the provider would take it for a placeholder.
    marker: str

    def place(self, name: str) -> str:
        return self.placeholder.replace("{}", name, 1)


_BY_PROVIDER = {
    "Mailgun": BatchSyntax("%recipient.{}%", "%recipient"),
    "SparkPost": BatchSyntax("{{{" + "{}" + "}}}", "{{"),
}


def batch_syntax(backend: str) -> BatchSyntax | None:
    """Return how the provider of this backend (a dotted path) takes batches; None: it is given one mail per call."""
    try:
        found = import_string(backend)
    except ImportError:
        return None
    if not (isinstance(found, type) and issubclass(found, AnymailBaseBackend)):
        return None
    return _BY_PROVIDER.get(str(getattr(found, "esp_name", "")))
