"""F105: an account's password is nowhere but in its row, encrypted. F106: a wrong or lost key shuts the account."""

import base64
import json
import logging
import smtplib
import sys
from io import StringIO

import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from django.core.signals import got_request_exception
from django.db import connection
from django.urls import reverse
from django.views.debug import ExceptionReporter
from wagtail.models import ModelLogEntry, ReferenceIndex, Revision
from wagtail.search.index import get_indexed_models

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.redacting import without_secrets
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.admin.account_form import SenderAccountForm
from massmail_plugin.delivery.running.ticker import run_tick
from massmail_plugin.delivery.single.connection_check import check_connection
from massmail_plugin.delivery.turns.worker import drain
from massmail_plugin.mailings.models import Mailing
from massmail_plugin.mailings.states import DeliveryState, MailingState
from tests.builders import a_mailing, an_account, an_administrator, contacts, start_now

PASSWORD, API_KEY = "Xyzzy-plugh-7", "key-Frobozz-99"
#: As it is, and as AUTH LOGIN and AUTH PLAIN write it.
FORMS = (
    PASSWORD,
    API_KEY,
    base64.b64encode(PASSWORD.encode()).decode(),
    base64.b64encode(f"\0sales\0{PASSWORD}".encode()).decode(),
)
KEY = "another-key-than-the-one-it-was-written-with-0123456789"


def _account(server=None, **fields):
    secrets = {"password": Secret.of(PASSWORD), "backend_options": Secret.of(f'{{"api_key": "{API_KEY}"}}')}
    return an_account(server, username="sales", **{**secrets, **fields})


def _holds_none(text):
    for form in FORMS:
        assert form not in text


def _every_row():
    """Return everything that stands in the database, as text, but for the encrypted columns themselves."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


@pytest.mark.django_db
def test_f105_dumpdata_revisions_indexes_and_the_audit_log(client):
    account = _account()
    client.force_login(an_administrator())
    data = {
        "name": "Sales",
        "from_email": account.from_email,
        "kind": "smtp",
        "connections": 4,
        "batch_size": 1,
        "host": "smtp.example.com",
        "port": 587,
        "security": "starttls",
        "username": "sales",
        "new_password": PASSWORD,
        "new_options": f'{{"api_key": "{API_KEY}"}}',
    }
    form = client.get(reverse("massmail_accounts:edit", args=[account.pk])).context["form"]
    entered = {
        name: "" if value is None else value for name, value in form.initial.items() if value is not False
    }
    response = client.post(reverse("massmail_accounts:edit", args=[account.pk]), {**entered, **data})
    assert response.status_code == 302, response.context["form"].errors
    assert ModelLogEntry.objects.for_instance(account).exists()
    dump = StringIO()
    # Without the tests' own host, some of whose tables belong to somebody else.
    call_command("dumpdata", exclude=["host"], stdout=dump)
    assert account.from_email in dump.getvalue()
    _holds_none(dump.getvalue())
    _holds_none(_every_row())
    assert SenderAccount not in get_indexed_models()
    assert not Revision.objects.filter(base_content_type__model="senderaccount").exists()
    assert not ReferenceIndex.objects.filter(base_content_type__model="senderaccount").exists()


@pytest.mark.django_db
def test_f105_no_page_and_no_export_of_the_admin(client):
    account = _account()
    client.force_login(an_administrator())
    pages = [reverse("massmail_accounts:index"), reverse("massmail_accounts:index_results") + "?q=sales"]
    for name in ("inspect", "edit", "history", "usage", "delete"):
        pages.append(reverse(f"massmail_accounts:{name}", args=[account.pk]))
    for url in [*pages, f"{pages[0]}?export=csv", f"{pages[0]}?export=xlsx"]:
        response = client.get(url)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        text = content.decode("latin-1")
        _holds_none(text)
        assert account.password.cipher not in text


@pytest.fixture
def crash_reports():
    """Return what Django would mail to the site's administrators about each crash of a view."""
    reports = []

    def write(sender, request=None, **kwargs):
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend([reporter.get_traceback_html(), reporter.get_traceback_text()])

    got_request_exception.connect(write)
    yield reports
    got_request_exception.disconnect(write)


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["clean", "save"])
@pytest.mark.parametrize("screen", ["add", "edit"])
def test_f105_the_report_of_a_crash_shows_neither_what_was_posted_nor_a_variable(
    client, monkeypatch, crash_reports, place, screen
):
    def crash(form, *args, **kwargs):
        in_a_variable = dict(form.data)
        raise RuntimeError(f"out of order, with {len(in_a_variable)} fields")

    monkeypatch.setattr(SenderAccountForm, place, crash)
    client.force_login(an_administrator())
    client.raise_request_exception = False
    url = reverse(f"massmail_accounts:{screen}", args=[] if screen == "add" else [_account().pk])
    data = {
        "name": "Sales",
        "from_email": "sales@sandbox.example",
        "kind": "backend",
        "backend": "django.core.mail.backends.dummy.EmailBackend",
        "connections": 4,
        "batch_size": 1,
        "port": 587,
        "security": "starttls",
        "new_password": PASSWORD,
        "new_options": f'{{"api_key": "{API_KEY}"}}',
    }
    form = client.get(url).context["form"]
    entered = {
        name: "" if value is None else value for name, value in form.initial.items() if value is not False
    }
    assert client.post(url, {**entered, **data}).status_code == 500
    assert len(crash_reports) == 2
    for report in crash_reports:
        assert "out of order" in report
        _holds_none(report)


def test_f105_the_report_of_a_crash_while_logging_in_shows_no_variable(
    smtp_server, monkeypatch, transactional_db
):
    smtp_server.users = {"sales": PASSWORD}
    account = _account(smtp_server)

    def crash(self, command, *args, **kwargs):
        if command == "AUTH":
            raise RuntimeError("out of order")
        return docmd(self, command, *args, **kwargs)

    docmd = smtplib.SMTP.docmd
    monkeypatch.setattr(smtplib.SMTP, "docmd", crash)
    with pytest.raises(RuntimeError, match="out of order") as caught:
        check_connection(SenderAccount.objects.get(pk=account.pk))
    # Without this test's own frame, which knows the password.
    report = ExceptionReporter(None, caught.type, caught.value, caught.tb.tb_next).get_traceback_html()
    assert "initial_response" in report, "That is where smtplib keeps it."
    _holds_none(report)


@pytest.mark.parametrize("form", FORMS)
def test_f105_a_server_that_repeats_the_password_is_not_quoted(
    smtp_server, transactional_db, caplog, client, form
):
    caplog.set_level(logging.DEBUG)
    smtp_server.users = {"sales": PASSWORD}
    smtp_server.answer("AUTH", f"535 5.7.8 Wrong: {form}")
    account = _account(smtp_server)
    start_now(a_mailing(to=contacts(2)))
    result = check_connection(SenderAccount.objects.get(pk=account.pk))
    assert "535 5.7.8 Wrong: •••" in result.message
    _holds_none(result.message)
    drain(account.pk)
    run_tick()
    account.refresh_from_db()
    assert account.state == SenderAccount.State.FAULTY
    assert "535 5.7.8 Wrong: •••" in account.last_fault
    client.force_login(an_administrator())
    _holds_none(client.get(reverse("massmail_accounts:inspect", args=[account.pk])).content.decode())
    _holds_none(_every_row())
    _holds_none(caplog.text)


@pytest.mark.django_db
def test_f105_a_backend_that_quotes_its_options_is_not_repeated():
    account = _account(
        kind="backend", backend="django.core.mail.backends.smtp.EmailBackend", host="", security="starttls"
    )
    account.backend_options = Secret.of(
        f'{{"unknown_{"option"}": "{API_KEY}", "timeout": [{{"a": "{PASSWORD}"}}]}}'
    )
    _holds_none(check_connection(account).message)
    said = f"no: {API_KEY} and {PASSWORD}, see https://provider.example/docs"
    assert without_secrets(account, said) == "no: ••• and •••, see https://provider.example/docs"


class Quoting(BaseEmailBackend):
    """Breaks as ``requests`` and many providers' libraries do, with the address that it has called."""

    def __init__(self, api_key="", opening=False, **options):
        super().__init__()
        self.api_key, self.opening = api_key, opening

    def open(self):
        if self.opening:
            raise RuntimeError(f"GET https://provider.example/login?key={self.api_key} failed")

    def send_messages(self, messages):
        raise RuntimeError(f"POST https://provider.example/send?key={self.api_key} failed")


@pytest.mark.parametrize("opening", [False, True], ids=["sending", "opening"])
def test_f105_a_backend_that_breaks_with_its_key_in_its_words_is_not_quoted(
    transactional_db, caplog, opening
):
    caplog.set_level(logging.DEBUG)
    options = Secret.of(json.dumps({"api_key": API_KEY, "opening": opening}))
    account = _account(kind="backend", backend=f"{__name__}.Quoting", backend_options=options)
    start_now(a_mailing(to=contacts(2)))
    _holds_none(check_connection(account).message)
    drain(account.pk)
    run_tick()
    account.refresh_from_db()
    assert "key=••• failed" in account.last_fault
    _holds_none(_every_row())
    _holds_none(caplog.text)


def test_f105_short_passwords_do_not_blank_out_ordinary_words():
    account = SenderAccount(username="a", password=Secret.of("535"))
    assert without_secrets(account, "535 5.7.8 no") == "535 5.7.8 no"


@pytest.mark.parametrize("kind", ["smtp", "backend"])
def test_f106_a_lost_key_shuts_the_account_and_says_what_to_do(smtp_server, transactional_db, settings, kind):
    smtp_server.users = {"sales": PASSWORD}
    backend = {"kind": "backend", "backend": "anymail.backends.test.EmailBackend"}
    account = _account(smtp_server, **(backend if kind == "backend" else {}))
    run = start_now(a_mailing(to=contacts(2)))
    settings.MASSMAIL = {**settings.MASSMAIL, "SECRET_KEYS": [KEY]}
    message = check_connection(SenderAccount.objects.get(pk=account.pk)).message
    assert "Enter the password again" in message
    drain(account.pk)
    run_tick()
    account.refresh_from_db()
    assert account.state == SenderAccount.State.FAULTY
    assert "secret key was changed. Enter the password again." in account.last_fault
    assert smtp_server.mails == []
    assert set(run.deliveries.values_list("state", "attempts")) == {(DeliveryState.QUEUED, 0)}
    assert Mailing.objects.get().state == MailingState.INTERRUPTED
    # Whatever was tried, the cipher text was never taken for the password.
    assert account.password.cipher not in account.last_fault


def test_f106_with_the_old_key_behind_the_new_one_everything_goes_on(smtp_server, transactional_db, settings):
    smtp_server.users = {"sales": PASSWORD}
    account = _account(smtp_server)
    start_now(a_mailing(to=contacts(2)))
    settings.MASSMAIL = {**settings.MASSMAIL, "SECRET_KEYS": [KEY, settings.SECRET_KEY]}
    drain(account.pk)
    assert len(smtp_server.mails) == 2
