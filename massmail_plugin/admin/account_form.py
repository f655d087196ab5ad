"""The form of a sender account. Its secrets can be written and never read, whatever goes wrong."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm

from massmail_plugin.accounts.connections import BadBackend, read_options
from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.accounts.secrets import Secret
from massmail_plugin.admin.account_limits import time_zone_choices, working_days_field

#: Where a secret is sent to. Who changes one of these must know the secret: otherwise anybody who may edit an
#: account could have its password sent to a server of their own.
_PASSWORD_GOES_TO = ("kind", "host", "port", "security", "username")
_OPTIONS_GO_TO = ("kind", "backend")


class WriteOnlyTextarea(forms.Textarea):
    """Several lines that are never rendered back, not even after a mistake elsewhere in the form."""

    def format_value(self, value: Any) -> None:
        return None


class SenderAccountForm(WagtailAdminModelForm):
    new_password = forms.CharField(
        label=_("Password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    remove_password = forms.BooleanField(label=_("Forget the stored password"), required=False)
    new_options = forms.CharField(
        label=_("Backend options"),
        required=False,
        widget=WriteOnlyTextarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )
    remove_options = forms.BooleanField(label=_("Forget the stored options"), required=False)
    working_days = working_days_field()
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    class Media:
        css = {"all": ["massmail_plugin/admin.css"]}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account: Any = self.instance
        self.fields["new_password"].help_text = _hint(account.password)
        self.fields["new_options"].help_text = " ".join(
            [
                gettext('What the backend needs, as JSON, for example {"api_key": "…"}.'),
                _hint(account.backend_options),
            ]
        )
        self.fields["time_zone"].choices = time_zone_choices(account.time_zone)
        if not account.password:
            del self.fields["remove_password"]
        if not account.backend_options:
            del self.fields["remove_options"]
        # Mailings leave in the owner's name: only administrators give an account to somebody else.
        if self.for_user is not None and not self.for_user.is_superuser:
            self.fields.pop("owner", None)

    def clean_new_options(self) -> str:
        text: str = self.cleaned_data["new_options"]
        try:
            read_options(text)
        except BadBackend as error:
            raise ValidationError(str(error)) from error
        return text

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        self._ask_again("new_password", "remove_password", self.instance.password, _PASSWORD_GOES_TO)
        self._ask_again("new_options", "remove_options", self.instance.backend_options, _OPTIONS_GO_TO)
        return cleaned

    def _ask_again(self, new: str, remove: str, stored: Secret, goes_to: tuple[str, ...]) -> None:
        """Refuse to keep a stored secret that would go to another place than before."""
        if not stored or self.cleaned_data.get(new) or self.cleaned_data.get(remove):
            return
        if any(name in self.changed_data for name in goes_to):
            message = gettext(
                "Enter it again: what is stored was meant for the place that you have just changed."
            )
            self.add_error(new, ValidationError(message))

    def save(self, commit: bool = True) -> SenderAccount:
        written = self._write_secrets()
        if not commit or self.instance.pk is None:
            return super().save(commit)
        account: SenderAccount = super().save(commit=False)
        # Only what the form asks: a worker may have stopped the account, or somebody switched it off, since it was
        # opened, and the whole row would undo that.
        columns = {field.name for field in account._meta.concrete_fields}
        account.save(update_fields=[*columns.intersection(self.fields), *written])
        self.save_m2m()
        return account

    def _write_secrets(self) -> set[str]:
        """Put what was entered into the account. Returns the names of the fields that changed."""
        account: Any = self.instance
        written = {}
        if self.cleaned_data.get("remove_password"):
            written["password"] = Secret()
        if self.cleaned_data.get("remove_options"):
            written["backend_options"] = Secret()
        if self.cleaned_data["new_password"]:
            written["password"] = Secret.of(self.cleaned_data["new_password"])
        if self.cleaned_data["new_options"].strip():
            written["backend_options"] = Secret.of(self.cleaned_data["new_options"])
        for name, secret in written.items():
            setattr(account, name, secret)
        return set(written)


def _hint(secret: Secret) -> str:
    if secret:
        return gettext("Stored, and never shown. Leave empty to keep it.")
    return gettext("Is stored encrypted, and never shown again.")
