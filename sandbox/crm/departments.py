"""Two departments, each with its folder of target lists and a campaign that the other one does not see."""

from django.contrib.auth.models import Group
from django.db import transaction

from massmail_plugin import preferences, recipients
from massmail_plugin.audience.members import add_members, get_index_page
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage
from massmail_plugin.content.models import EmailTemplate
from massmail_plugin.mailings.models import Campaign, Mailing
from sandbox.crm.first_mailing import TEMPLATE
from sandbox.crm.models import Contact
from sandbox.crm.people import Owner
from sandbox.crm.staff import allow_target_lists

#: The folder of both.
EVERYBODY = "For everybody"
_PEOPLE = 60


@transaction.atomic
def load_departments(owners: list[Owner]) -> None:
    """Make what is not there yet; what editors have changed stays."""
    everybody = _folder(EVERYBODY)
    for owner in owners:
        folder = _folder(owner.department.name)
        allow_target_lists(owner.department, folder)
        allow_target_lists(owner.department, everybody)
        _campaign(owner, folder)
    chosen = preferences.load()
    if not chosen.departments.exists():
        chosen.departments.set(Group.objects.filter(pk__in=[owner.department.pk for owner in owners]))
        chosen.save()


def _folder(title: str) -> TargetListIndexPage:
    top = get_index_page()
    known = TargetListIndexPage.objects.child_of(top).filter(title=title).first()
    return known or top.add_child(instance=TargetListIndexPage(title=title))


def _campaign(owner: Owner, folder: TargetListIndexPage) -> None:
    name = f"{owner.department.name}: our customers"
    if Campaign.objects.filter(name=name).exists():
        return
    people = folder.add_child(instance=TargetListPage(title=name, owner=owner.user))
    contacts = recipients.for_model(Contact)
    assert contacts is not None
    own = Contact.objects.filter(assigned_to=owner.user).order_by("pk").values_list("pk", flat=True)
    add_members(people, contacts, own[:_PEOPLE], added_by=owner.user)
    campaign = Campaign(name=name, owner=owner.user, department=owner.department, target_lists=[people])
    campaign.save()
    template = EmailTemplate.objects.filter(name=TEMPLATE).order_by("pk").first()
    Mailing.objects.create(
        name=f"Hello from {owner.department.name}", campaign=campaign, template=template, owner=owner.user
    )
