"""The tests' database: a real one, shared with threads and processes, and whole again after each test."""

import subprocess
import sys
from threading import Thread

import pytest
from django.db import connection
from wagtail.models import Collection, Page

from massmail_plugin.recipients.models import EmailAddress
from sandbox.crm.models import Contact
from tests import builders
from tests.processes import sandbox_environment

COUNT_CONTACTS = "from sandbox.crm.models import Contact; print('contacts:', Contact.objects.count())"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_what_migrations_wrote_is_there_in_each_test(turn):
    assert Page.get_first_root_node() is not None
    assert Collection.get_first_root_node() is not None
    assert Contact.objects.count() == 0
    builders.a_target_list(builders.a_contact())


@pytest.mark.usefixtures("transactional_db")
def test_another_thread_sees_the_rows():
    builders.a_contact()
    seen: list[int] = []

    def look() -> None:
        seen.append(Contact.objects.count())
        EmailAddress.objects.create(key="thread@customers.example")
        connection.close()

    thread = Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [1]
    assert EmailAddress.objects.filter(key="thread@customers.example").exists()


@pytest.mark.usefixtures("transactional_db")
def test_another_process_sees_the_rows():
    builders.contacts(3)
    command = [sys.executable, "sandbox/manage.py", "shell", "--no-imports", "-c", COUNT_CONTACTS]
    answer = subprocess.run(command, env=sandbox_environment(), capture_output=True, text=True, check=True)
    assert "contacts: 3" in answer.stdout
