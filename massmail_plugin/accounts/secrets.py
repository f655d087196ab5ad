"""Secrets at rest: encrypted text that is written and never shown, and that fails closed.

A wrong or lost key raises; it never yields the cipher text as if it were the password (what a popular
field library does).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import models
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from massmail_plugin import conf


class SecretUnreadable(Exception):
    """The stored secret cannot be decrypted with any of the project's keys."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The stored password cannot be read: the project's secret key was changed. Enter the password again."
            )
        )


class Secret:
    """A decrypted value on its way to a connection. Its ``repr`` shows nothing, so that no log can."""

    __slots__ = ("_cipher",)

    def __init__(self, cipher: str = "") -> None:
        self._cipher = cipher

    @classmethod
    @sensitive_variables()
    def of(cls, plain: str) -> Secret:
        """Encrypt ``plain``; the empty text stays empty."""
        return cls(_fernet().encrypt(plain.encode()).decode() if plain else "")

    @property
    def cipher(self) -> str:
        return self._cipher

    @sensitive_variables()
    def reveal(self) -> str:
        """Return the plain text. Raises :class:`SecretUnreadable`."""
        if not self._cipher:
            return ""
        try:
            return _fernet().decrypt(self._cipher.encode()).decode()
        except InvalidToken as error:
            raise SecretUnreadable from error

    def __bool__(self) -> bool:
        return bool(self._cipher)

    def __repr__(self) -> str:
        return "<secret>" if self._cipher else "<no secret>"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._cipher == self._cipher

    def __hash__(self) -> int:
        return hash(self._cipher)


if TYPE_CHECKING:
    _Text = models.TextField[Secret, Secret]
else:
    _Text = models.TextField


class SecretField(_Text):
    """Holds a :class:`Secret`; assign ``Secret.of("plain")``. Fixtures and logs only ever see cipher text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(editable=False, blank=True, default=Secret)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for key in ("editable", "blank", "default"):
            kwargs.pop(key, None)
        return name, path, args, kwargs

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret:
        return Secret(value or "")

    def to_python(self, value: Any) -> Secret:
        return value if isinstance(value, Secret) else Secret(value or "")

    def get_prep_value(self, value: Any) -> str:
        if not isinstance(value, Secret):
            raise TypeError("Assign Secret.of(...) to a SecretField, never a plain text.")
        return value.cipher

    def value_to_string(self, obj: models.Model) -> str:
        return self.value_from_object(obj).cipher


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(_derive(key)) for key in conf.secret_keys()])


def _derive(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"massmail_plugin.accounts.secrets").derive(
        key.encode()
    )
    return base64.urlsafe_b64encode(derived)
