"""Which figures a page shows: a 0 that nobody could have counted would only alarm."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from massmail_plugin import preferences
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.feedback.figures import RunFigures
from massmail_plugin.mailings.models import Delivery, Run


def shown_figures(figures: RunFigures, runs: QuerySet[Run]) -> list[tuple[str, int]]:
    """Return label and number of each figure of ``runs`` that can be known."""
    counted = preferences.load()
    figures_and_whether = [
        (_("Sent"), figures.sent, True),
        (_("Delivered"), figures.delivered, figures.delivered or _report_delivery(runs)),
        (_("Opened (estimate)"), figures.opened, figures.opened or counted.track_opens),
        (_("Clicked"), figures.clicked, figures.clicked or counted.track_clicks),
        (_("Bounced"), figures.bounced, True),
        (_("Opted out"), figures.opted_out, True),
        (_("Reported as spam"), figures.complained, True),
        (_("Failed"), figures.failed, True),
        (_("In doubt"), figures.in_doubt, figures.in_doubt),
    ]
    return [(label, number) for label, number, is_known in figures_and_whether if is_known]


def _report_delivery(runs: QuerySet[Run]) -> bool:
    """Return whether any mail left through a provider. SMTP servers say that they took a mail, and no more."""
    through_backend = Delivery.objects.filter(run__in=runs, account__kind=SenderAccount.Kind.BACKEND)
    # Django's own backends (SMTP, console, file) are no providers.
    return through_backend.exclude(account__backend__startswith="django.").exists()
