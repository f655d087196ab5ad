"""The form of a mailing. It writes only what is in it, and only while the mailing is a draft."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from wagtail.admin.forms import WagtailAdminModelForm

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.admin.access import reachable
from massmail_plugin.mailings.models import Campaign, Mailing
from massmail_plugin.mailings.states import MailingState


class NoLongerDraft(Exception):
    """Somebody has sent or cancelled the mailing while its form was open."""


class MailingForm(WagtailAdminModelForm):
    class Media:
        css = {"all": ["massmail_plugin/admin.css"]}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "campaign" in self.fields and self.for_user is not None:
            campaigns: Any = self.fields["campaign"]
            within = reachable(self.for_user, Campaign).values("pk")
            campaigns.queryset = Campaign.objects.filter(Q(pk__in=within) | Q(pk=self.instance.campaign_id))
        if "owner" in self.fields:
            field: Any = self.fields["owner"]
            field.queryset = self._possible_owners()
            field.label_from_instance = lambda user: user.get_full_name() or user.get_username()
        if not SenderAccount.objects.filter(kind=SenderAccount.Kind.BACKEND, batch_size__gt=1).exists():
            # A question that nobody here has.
            self.fields.pop("in_batches", None)
        if "start_at" in self.fields:
            zone = timezone.get_current_timezone_name()
            self.fields["start_at"].help_text = _(
                "In your time zone, %(zone)s. Empty: as soon as you press Send."
            ) % {"zone": zone}

    def full_clean(self) -> None:
        super().full_clean()
        faults = self.errors.get("start_at")
        if faults and any(fault.code == "ambiguous_timezone" for fault in faults.as_data()):
            sentence = _(
                "In that night the clocks change, so that this time comes twice or not at all. Choose another one."
            )
            self.errors["start_at"] = self.error_class([sentence], renderer=self.renderer)

    def _possible_owners(self) -> QuerySet[Any]:
        """Mails leave through the owner's accounts, so nobody may write in another person's name."""
        users = get_user_model()._default_manager.filter(is_active=True).order_by("pk")
        if self.for_user is None or self.for_user.is_superuser:
            return users
        return users.filter(pk__in=[self.for_user.pk, self.instance.owner_id])

    def save(self, commit: bool = True) -> Mailing:
        """Raises :class:`NoLongerDraft`: saving the whole row would bring an old status back."""
        mailing: Mailing = self.instance
        if mailing.pk is None or not commit:
            return super().save(commit)
        draft = Mailing.objects.filter(pk=mailing.pk, state=MailingState.DRAFT)
        if not draft.update(**{name: getattr(mailing, name) for name in self.fields}):
            raise NoLongerDraft
        return mailing
