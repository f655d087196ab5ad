"""The field "Department" in forms: what somebody makes belongs to their department, unless they say otherwise."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from massmail_plugin.recipients.departments import all_departments, departments_of, departments_to_choose


class DepartmentField:
    """Mixed into the form of a model with a ``department``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        form: Any = self
        field = form.fields.get("department")
        if field is None:
            return
        present = form.instance.department_id
        if present is None and not all_departments().exists():
            # A question that nobody here has.
            del form.fields["department"]
            return
        offered = departments_to_choose(form.for_user) if form.for_user else all_departments()
        # What somebody else has chosen stays, so that saving the form changes nothing unnoticed.
        field.queryset = Group.objects.filter(Q(pk__in=offered.values("pk")) | Q(pk=present)).order_by("name")
        field.empty_label = _("Everybody's")


def department_of(user: Any) -> Any:
    """Return the department that something new of this user's belongs to; None if they are in none."""
    return departments_of(user).first()
