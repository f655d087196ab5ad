"""Target lists: Wagtail pages that hold recipients of any mix of types."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.forms import TextInput
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalManyToManyField
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import RichTextField
from wagtail.models import PagePermissionTester

from massmail_plugin.audience.list_form import CopyPrivatePageForm, TargetListForm
from massmail_plugin.audience.panels import MembersPanel, PublicPagePanel
from massmail_plugin.audience.segments.models import Segment
from massmail_plugin.base_page import BasePage, parent_link
from massmail_plugin.exact_text import ExactCharField
from massmail_plugin.recipients import consent

#: Wagtail's own title panel says that the public sees it, and keeps an address in step that is not in the form.
TITLE = FieldPanel(
    "title",
    classname="title",
    help_text=_("Your colleagues see it, and so does whoever opts out: write what the mails are about."),
    widget=TextInput(attrs={"placeholder": _("Title*")}),
)


_FOLDER_TITLE = FieldPanel(
    "title",
    classname="title",
    help_text=_("For example the name of a department. Only your colleagues see it."),
    widget=TextInput(attrs={"placeholder": _("Title*")}),
)

#: What editors may use in the texts of a list's public pages.
_PUBLIC_TEXT = ["bold", "italic", "link", "ol", "ul"]


class _PrivatePagePermissions(PagePermissionTester):
    """Wagtail offers to unpublish a page that is live; nothing private was ever published."""

    def can_unpublish(self) -> bool:
        return False


class PrivatePageMixin:
    """A page that organises work in the admin and is never shown to the public.

    Wagtail publishes pages by default; people's data must not leak through a URL, the sitemap, the
    menu, the search index or an API. What the editor asks about public pages (address, menu, schedule,
    privacy) would only confuse here, so its tabs have nothing to show and vanish.
    """

    promote_panels: list[Any] = []
    settings_panels: list[Any] = []
    private_page_options: list[str] = []
    copy_form_class = CopyPrivatePageForm

    def route(self, request: HttpRequest, path_components: list[str]) -> None:
        # Before Wagtail asks who may see the page, and offers a login.
        raise Http404

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        raise Http404

    def get_sitemap_urls(self, request: HttpRequest | None = None) -> list[dict[str, Any]]:
        return []

    def get_url_parts(self, request: HttpRequest | None = None) -> None:
        return None

    def permissions_for_user(self, user: Any) -> PagePermissionTester:
        return _PrivatePagePermissions(user, self)

    @classmethod
    def get_indexed_objects(cls) -> models.QuerySet[Any]:
        return cls.objects.none()  # type: ignore[attr-defined]


class TargetListIndexPage(PrivatePageMixin, BasePage):
    """The folder in which target lists live, or a department's folder in it.

    A department's people have page permissions on their folder. Those on the first one hold for all folders.
    """

    page_ptr = parent_link()

    #: The first one is made by ``audience.members.get_index_page``: below a site's pages lists would be in that site.
    parent_page_types = ["massmail_plugin.TargetListIndexPage"]
    subpage_types = ["massmail_plugin.TargetListPage", "massmail_plugin.TargetListIndexPage"]
    content_panels = [_FOLDER_TITLE]
    show_in_menus_default = False
    preview_modes: list[tuple[str, str]] = []

    class Meta:
        verbose_name = _("target list folder")
        verbose_name_plural = _("target list folders")


class TargetListPage(PrivatePageMixin, BasePage):
    """A list of recipients: its members, :class:`TargetListMember` rows, and whoever is in its live segments."""

    page_ptr = parent_link()

    description = models.TextField(
        _("description"),
        blank=True,
        help_text=_("Who is in this list, and what for? Only your colleagues see it."),
    )
    live_segments = ParentalManyToManyField(
        Segment,
        blank=True,
        related_name="target_lists",
        verbose_name=_("live segments"),
        help_text=_("Whoever is in these segments when a mailing starts is in this list as well."),
    )

    is_public = models.BooleanField(
        _("anybody can sign up"),
        default=False,
        help_text=_(
            "The list then has a page of its own on your site, and people find its title on their preference page. "
            "Who is in the list stays private."
        ),
    )
    sign_up_intro = RichTextField(
        _("introduction"),
        blank=True,
        features=_PUBLIC_TEXT,
        help_text=_("Above the form: what the mails are about, and how often they come."),
    )
    sign_up_thanks = RichTextField(
        _("thanks"),
        blank=True,
        features=_PUBLIC_TEXT,
        help_text=_("Shown to whoever has confirmed the sign-up."),
    )
    goodbye = RichTextField(
        _("goodbye"),
        blank=True,
        features=_PUBLIC_TEXT,
        help_text=_("Shown to whoever has left the list."),
    )

    parent_page_types = ["massmail_plugin.TargetListIndexPage"]
    subpage_types: list[str] = []
    base_form_class = TargetListForm
    content_panels = [
        TITLE,
        "description",
        MembersPanel(),
        "live_segments",
        MultiFieldPanel(
            ["is_public", PublicPagePanel(), "sign_up_intro", "sign_up_thanks", "goodbye"],
            heading=_("Public sign-up"),
        ),
    ]
    #: Nobody expects a copy of a list to be public. Its live segments would bring back who has left it: see
    #: ``audience.carrying.copy_list``.
    exclude_fields_in_copy = ["is_public", "live_segments"]
    show_in_menus_default = False
    preview_modes: list[tuple[str, str]] = []

    class Meta:
        verbose_name = _("target list")
        verbose_name_plural = _("target lists")

    @property
    def consent_scope(self) -> consent.Scope:
        """What somebody opts out of who leaves this list."""
        return consent.Scope(key=f"list:{self.pk}", label=self.title)


class TargetListMember(models.Model):
    """One record of the host's in one target list; no foreign key, so that any model will do."""

    target_list = models.ForeignKey(
        TargetListPage, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    #: Key of the recipient type: "app_label.modelname".
    recipient_type = models.CharField(_("type"), max_length=100)
    #: Primary key of the record, as text: hosts use integers and UUIDs alike.
    object_id = ExactCharField(max_length=64)
    added_at = models.DateTimeField(_("added"), auto_now_add=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("added by"),
    )

    add_to_reference_index = False

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(
                fields=["target_list", "recipient_type", "object_id"], name="massmail_member_once_per_list"
            ),
        ]
        # A page of a long list is read from it, and its rows are counted in it.
        indexes = [models.Index(fields=["target_list", "id"], name="massmail_member_in_order")]

    def __str__(self) -> str:
        return f"{self.recipient_type} {self.object_id}"
