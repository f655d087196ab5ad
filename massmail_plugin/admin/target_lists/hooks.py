"""What Wagtail is told about target lists: import this module from ``wagtail_hooks``."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail import hooks
from wagtail.admin import messages
from wagtail.admin.action_menu import PublishMenuItem
from wagtail.log_actions import LogActionRegistry, LogFormatter

from massmail_plugin.accounts.models import accounts_for
from massmail_plugin.admin.target_lists.bulk_action import AddToTargetList
from massmail_plugin.admin.target_lists.screens import url_to
from massmail_plugin.audience.carrying import copy_list
from massmail_plugin.audience.models import TargetListIndexPage, TargetListPage

hooks.register("register_bulk_action", AddToTargetList)


@hooks.register("register_log_actions")
def register_log_actions(actions: LogActionRegistry) -> None:
    """Name what is logged in the history of a list."""

    @actions.register_action("massmail.add_members")
    class AddMembers(LogFormatter):
        label: str | Promise = gettext_lazy("Add people")

        def format_message(self, log_entry: Any) -> str:
            return _("Added: %(number)d (%(type)s)") % {
                "number": log_entry.data.get("number", 0),
                "type": log_entry.data.get("type", ""),
            }

    @actions.register_action("massmail.remove_members")
    class RemoveMembers(LogFormatter):
        label: str | Promise = gettext_lazy("Remove people")

        def format_message(self, log_entry: Any) -> str:
            number = log_entry.data.get("number", 0)
            return ngettext("Removed %(number)d person", "Removed %(number)d people", number) % {
                "number": number
            }


class SaveMenuItem(PublishMenuItem):
    """The one button of a list's form. "Publish" would frighten: nothing about a list is public."""

    label = gettext_lazy("Save")
    template_name = "massmail_plugin/target_lists/save_button.html"
    icon_name = ""


@hooks.register("construct_page_action_menu")
def one_save_button(items: list[Any], request: HttpRequest, context: dict[str, Any]) -> None:
    """Offer "Save" in place of draft, publish and unpublish, to those who may publish; others save drafts."""
    page = context.get("page")
    parent = context.get("parent_page")
    if not (
        isinstance(page, TargetListPage | TargetListIndexPage) or isinstance(parent, TargetListIndexPage)
    ):
        return
    items[:] = [item for item in items if item.name != "action-unpublish"]
    publish = next((item for item in items if item.name == "action-publish"), None)
    if publish is not None:
        items[:] = [
            SaveMenuItem(order=0),
            *(
                item
                for item in items
                if item.name not in ("action-publish", "action-save-draft", "action-submit")
            ),
        ]


@hooks.register("after_publish_page")
def say_saved(request: HttpRequest, page: Any) -> HttpResponse | None:
    """Answer before Wagtail says that something was published, and go on to the list's people.

    Which of Wagtail's forms was sent depends on how fast somebody types: a new page that its autosave has
    stored meanwhile is saved by the edit form.
    """
    if not isinstance(page, TargetListPage) or "action-publish" not in request.POST:
        return None
    messages.success(request, _("“%(list)s” is saved.") % {"list": page.title})
    _warn_of_missing_account(request, page)
    return redirect(url_to("members", page.pk))


@hooks.register("before_edit_page")
def warn_in_the_form(request: HttpRequest, page: Any) -> None:
    """Say above the form of a public list if nobody could sign up now."""
    if isinstance(page, TargetListPage) and request.method == "GET":
        _warn_of_missing_account(request, page)


def _warn_of_missing_account(request: HttpRequest, page: TargetListPage) -> None:
    if page.is_public and not accounts_for(page.owner_id).exists():
        text = _(
            "Anybody may sign up for “%(list)s”, but no account is ready to send the mails that confirm it: they wait. "
            "Add a sender account, or start one that has stopped."
        )
        messages.warning(request, text % {"list": page.title})


@hooks.register("after_create_page")
def go_on_with_people(request: HttpRequest, page: Any) -> HttpResponse | None:
    """The same for those who may not publish, and whose new list stays a draft; autosave wants no page."""
    if not isinstance(page, TargetListPage) or not request.accepts("text/html"):
        return None
    return redirect(url_to("members", page.pk))


@hooks.register("after_copy_page")
def copy_people_too(request: HttpRequest, page: Any, new_page: Any) -> None:
    """A copied list holds the same people, but for those who have left it: Wagtail copies only the page.

    So do the lists in a copied folder, which Wagtail copies in their order.
    """
    if not isinstance(page.specific, TargetListPage | TargetListIndexPage):
        return
    below = zip(_lists_below(page), _lists_below(new_page), strict=False)
    for source, target in below:
        if source.title == target.title or source.pk == page.pk:
            copy_list(source, target, copied_by=request.user)


def _lists_below(page: Any) -> list[TargetListPage]:
    """Return the list, or those in the folder and its folders, in the order of the tree."""
    return list(TargetListPage.objects.descendant_of(page, inclusive=True).order_by("path"))
