from typing import Any

from django.core.management.base import BaseCommand

from sandbox.crm.departments import load_departments
from sandbox.crm.first_mailing import load_first_mailing
from sandbox.crm.people import load_people
from sandbox.crm.public_list import load_public_list
from sandbox.crm.segments import load_segments
from sandbox.crm.staff import load_staff


class Command(BaseCommand):
    help = "Fills the sandbox with people to mail. May run again: it only adds what is missing."

    def handle(self, *args: Any, **options: Any) -> None:
        owners = load_staff()
        created = load_people(owners)
        mailing = load_first_mailing()
        load_departments(owners)
        load_public_list()
        load_segments()
        for kind, number in created.items():
            self.stdout.write(f"{number} {kind} added")
        self.stdout.write(f"The mailing “{mailing}” is {mailing.get_state_display()}")
