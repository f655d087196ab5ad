"""Send Test, and the account's connection test."""

import re

import pytest

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.delivery.single.connection_check import check_connection
from massmail_plugin.delivery.single.send_test import send_test
from massmail_plugin.mailings.models import Delivery
from massmail_plugin.mailings.verbs import Refused
from massmail_plugin.recipients.models import ConsentEvent
from tests.builders import a_contact, a_mailing, an_account, contacts
from tests.smtp_server import SmtpServer


def test_the_test_mail_is_the_real_mail_for_the_first_person_and_counts_nowhere(smtp_server):
    an_account(smtp_server)
    mailing = a_mailing(to=[a_contact("ada@customers.example", first_name="Ada")])
    assert send_test(mailing, "me@sandbox.example").startswith("250")
    (mail,) = smtp_server.mails
    assert mail.recipients == ("me@sandbox.example",)
    assert mail.message["Subject"] == "[Test] News for you"
    assert "Hello Ada!" in mail.text
    assert not Delivery.objects.exists()


def test_the_links_of_a_test_mail_opt_nobody_out(smtp_server, client):
    an_account(smtp_server)
    send_test(a_mailing(to=contacts(1)), "me@sandbox.example")
    url = re.search(r"<https?://[^/]+(/[^>]+)>", smtp_server.mails[0].message["List-Unsubscribe"]).group(1)
    client.post(url, {"List-Unsubscribe": "One-Click"})
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("address", ["", "no-at-sign", "a@b.example, c@d.example", "x\r\nBcc: y@z.example"])
def test_a_malformed_address_is_refused(smtp_server, address):
    an_account(smtp_server)
    with pytest.raises(Refused):
        send_test(a_mailing(to=contacts(1)), address)
    assert smtp_server.mails == []


def test_the_servers_refusal_is_passed_on(smtp_server):
    an_account(smtp_server)
    smtp_server.answer("RCPT", "550 5.1.1 No such mailbox")
    with pytest.raises(Refused, match="No such mailbox"):
        send_test(a_mailing(to=contacts(1)), "me@sandbox.example")


def test_a_working_account_that_had_stopped_is_ready_again(smtp_server):
    account = an_account(smtp_server, state=SenderAccount.State.FAULTY)
    assert check_connection(account).works
    account.refresh_from_db()
    assert account.is_ready
    assert smtp_server.mails == []


def test_a_wrong_password_is_reported_in_the_servers_words():
    with SmtpServer(users={"sales": "right"}) as server:
        account = an_account(server, username="sales", password=Secret.of("wrong-hunter2"))
        result = check_connection(account)
    assert not result.works
    assert "535" in result.message
    assert "hunter2" not in result.message


def test_a_server_that_is_not_there_is_reported():
    with SmtpServer() as gone:
        pass
    assert not check_connection(an_account(gone)).works
