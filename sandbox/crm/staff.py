"""Who works with the CRM: users, departments, and what they may do."""

import swapper
from django.contrib.auth import get_permission_codename, get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group, Permission
from django.db.models import QuerySet
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission

from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListIndexPage
from sandbox.crm.people import Owner

EDITORS = "Mail editors"
SALESPEOPLE = (("nora", "Nora", "Nolan", "Sales"), ("tom", "Tom", "Taylor", "Support"))


def load_staff() -> list[Owner]:
    """Create the users and groups that are missing. Return the salespeople, who look after records."""
    _user("admin", "Ada", "Admin", is_superuser=True)
    editors = _group(EDITORS)
    editors.permissions.add(*_editors_permissions())
    _allow_images(editors)
    allow_target_lists(editors, get_index_page())
    _user("editor", "Edith", "Editor").groups.add(editors)
    return [_salesperson(*person) for person in SALESPEOPLE]


def _salesperson(username: str, first_name: str, last_name: str, department: str) -> Owner:
    """Somebody who mails for their department: its folder of lists comes with its campaigns."""
    user, group = _user(username, first_name, last_name), _group(department)
    group.permissions.add(*_editors_permissions())
    _allow_images(group)
    user.groups.add(group)
    return Owner(user, group)


def _user(username: str, first_name: str, last_name: str, *, is_superuser: bool = False) -> AbstractBaseUser:
    """Return the user with this name; a new one gets the name as password, a known one keeps its own."""
    user, created = get_user_model().objects.get_or_create(
        username=username,
        defaults={
            "first_name": first_name,
            "last_name": last_name,
            "email": f"{username}@sandbox.example",
            "is_staff": is_superuser,
            "is_superuser": is_superuser,
        },
    )
    if created:
        user.set_password(username)
        user.save()
    return user


def _group(name: str) -> Group:
    return Group.objects.get_or_create(name=name)[0]


def _allow_images(group: Group) -> None:
    """Images are granted per collection, and not like other models."""
    images = Permission.objects.filter(codename__in=["add_image", "change_image", "choose_image"])
    for permission in images.filter(content_type__app_label="wagtailimages"):
        GroupCollectionPermission.objects.get_or_create(
            group=group, collection=Collection.get_first_root_node(), permission=permission
        )


def allow_target_lists(group: Group, folder: TargetListIndexPage) -> None:
    """Pages are granted per branch of the page tree: on the first folder for all lists."""
    for action in ("add", "change", "publish"):
        GroupPagePermission.objects.get_or_create(
            group=group, page_id=folder.pk, permission=page_permission(action)
        )


def page_permission(action: str) -> Permission:
    """Return Wagtail's permission for pages, also where the project has a base page of its own."""
    page = swapper.load_model("wagtailcore", "Page")
    codename = get_permission_codename(action, page._meta)
    return Permission.objects.get(content_type__app_label=page._meta.app_label, codename=codename)


def _editors_permissions() -> QuerySet[Permission]:
    """Editors mail whom they want, but delete nothing, and only look at the CRM."""
    permissions = Permission.objects.all()
    return (
        permissions.filter(content_type__app_label="massmail_plugin")
        .exclude(codename__startswith="delete_")
        .exclude(codename__startswith="erase_")
        # Whether workers are alive is for those who run the site.
        .exclude(content_type__model="epoch")
        # Managers have these: everybody else works with what is theirs.
        .exclude(codename__in=["mail_everybodys_records", "work_for_every_department"])
        | permissions.filter(content_type__app_label="crm", codename__startswith="view_")
        | permissions.filter(content_type__app_label="wagtailadmin", codename="access_admin")
    )
