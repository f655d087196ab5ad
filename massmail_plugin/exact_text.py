"""Text in which every letter counts."""

from __future__ import annotations

from typing import Any

from django.db import models

#: MariaDB and MySQL take "straße" and "strasse", "josé" and "JOSE" for the same text unless told otherwise.
_COLLATIONS = {"mysql": "utf8mb4_bin"}


class ExactCharField(models.CharField):
    """A ``CharField`` whose values are equal only if they are the same letters, on every database.

    For what identifies somebody: with a tolerant comparison one person's row would be found for another.
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        return {**parameters, "collation": _COLLATIONS.get(connection.vendor, parameters.get("collation"))}
