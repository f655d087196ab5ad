"""What an integrator writes to make a host model mailable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Combinable
from django.utils.text import capfirst

from massmail_plugin.recipients.paths import follow

if TYPE_CHECKING:
    # Hosts register their types before Django's own models may be imported.
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """One host record, as far as choosing an audience needs it."""

    object_id: str
    name: str
    #: As the record has it: may be empty, malformed, or in any letter case.
    email: str
    #: Whether a main account may write to them.
    vip: bool = False


class RecipientType:
    """Describes how one host model is mailed. Subclass, and decorate with ``register(Model)``.

    Attributes that name data are field *paths* (``"company__name"``), so that audiences are resolved in
    SQL; ``name``, ``vip`` and ``merge_fields`` may also name a property or a method without arguments.
    """

    #: Path to the e-mail address. Must be a field.
    email: str = "email"
    #: Path, property or method that gives the name for display. Empty: ``str(record)``.
    name: str = ""
    #: The same as ``name`` as a database expression, where ``name`` is no field. Optional: without it each name of a
    #: long list is worked out in Python.
    name_expression: Combinable | None = None
    #: Path, property or method that is true for those to whom a main account may write. Empty: for nobody.
    vip: str = ""
    #: Optional paths to a user and to a group (or to several of them): whose record it is. With the preference
    #: "Whose contacts people may mail" others cannot mail it.
    owner: str = ""
    department: str = ""
    #: Optional paths: language code, time zone name. The pages behind the links of a mail speak the language, where
    #: the site has it (``settings.LANGUAGES``).
    language: str = ""
    time_zone: str = ""
    #: What templates may use: ``"first_name"`` becomes ``{{ contact.first_name }}`` and
    #: ``"company__name"`` becomes ``{{ contact.company.name }}``. Nothing else can be reached.
    merge_fields: Sequence[str] = ()
    #: A django-filter ``FilterSet`` for choosing records; optional.
    filterset_class: type | None = None
    #: Fields searched by the chooser; empty: ``email`` and ``name`` where they are fields.
    search_fields: Sequence[str] = ()

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    @property
    def key(self) -> str:
        """Stable name in the database: "app_label.modelname"."""
        return self.model._meta.label_lower

    @property
    def label(self) -> str:
        return capfirst(str(self.model._meta.verbose_name))

    @property
    def label_plural(self) -> str:
        return capfirst(str(self.model._meta.verbose_name_plural))

    def get_queryset(self) -> QuerySet[Any]:
        """Return the records that may be mailed at all. Override to narrow it for everybody."""
        return self.model._default_manager.all()

    def choosable_by(self, user: AbstractBaseUser) -> QuerySet[Any]:
        """Return the records that ``user`` may put in a target list.

        Override it where not everybody sees every record. What ``owner`` and ``department`` say comes on top.
        """
        return self.get_queryset()

    def get_search_fields(self) -> list[str]:
        """Return the field paths that a search looks into."""
        return list(self.search_fields) or [path for path in (self.name, self.email) if self.is_field(path)]

    def search(self, queryset: QuerySet[Any], text: str) -> QuerySet[Any]:
        """Return the records of ``queryset`` in which every word of ``text`` occurs, in any searched field."""
        fields = self.get_search_fields()
        for word in text.split() if fields else ():
            found = [Q(**{f"{field}__icontains": word}) for field in fields]
            queryset = queryset.filter(Q(*found, _connector=Q.OR))
        return queryset

    def sql_name(self) -> Combinable | None:
        """Return the name as an expression over the model; None if only Python knows it."""
        if self.name_expression is not None:
            return self.name_expression
        return F(self.name) if self.is_field(self.name) else None

    def sql_vip(self) -> Combinable | None:
        """Return whether a record is a VIP as an expression over the model; None if only Python knows it."""
        if not self.vip:
            return Value(False)
        return F(self.vip) if self.is_field(self.vip) else None

    def is_field(self, path: str) -> bool:
        """Return whether ``path`` is a path of database fields, and not a property or method."""
        return bool(path) and follow(self.model, path) is not None

    def rows(self, queryset: QuerySet[Any]) -> Iterator[RecipientRow]:
        """Yield a row for each record of ``queryset``, in order of primary key, in flat memory."""
        queryset = queryset.order_by("pk")
        if self.is_field(self.name) and (not self.vip or self.is_field(self.vip)):
            paths = ["pk", self.name, self.email, *([self.vip] if self.vip else [])]
            for pk, name, email, *vip in queryset.values_list(*paths).iterator(chunk_size=2000):
                yield RecipientRow(str(pk), str(name or "").strip(), str(email or ""), any(vip))
        else:
            relations = self._relations([path for path in (self.email, self.vip) if path])
            for record in queryset.select_related(*relations).iterator(chunk_size=2000):
                yield RecipientRow(
                    str(record.pk),
                    self.display_name(record),
                    str(_follow(record, self.email) or ""),
                    bool(self.vip and _follow(record, self.vip)),
                )

    def display_name(self, record: Model) -> str:
        """Return the name of ``record`` for people to read."""
        return str(_follow(record, self.name) or "").strip() if self.name else str(record)

    def load(self, object_ids: Iterable[str]) -> dict[str, Model]:
        """Return the records that still exist among ``object_ids``, by id, in one query."""
        records = self.get_queryset().filter(pk__in=list(object_ids))
        paths = [path for path in (*self.merge_fields, self.email, self.name) if path]
        return {str(record.pk): record for record in records.select_related(*self._relations(paths))}

    def merge_values(self, record: Model) -> dict[str, Any]:
        """Return what templates see as ``contact``: nested dictionaries of plain values."""
        values: dict[str, Any] = {}
        for path in self.merge_fields:
            *parents, leaf = path.split(LOOKUP_SEP)
            target = values
            for parent in parents:
                target = target.setdefault(parent, {})
            target[leaf] = _follow(record, path)
        return values

    def record_email(self, record: Model) -> str:
        """Return the address on ``record`` as it is now."""
        return str(_follow(record, self.email) or "")

    def _relations(self, paths: Sequence[str]) -> list[str]:
        """Return the relations that ``paths`` go through, for ``select_related``."""
        parents = {path.rpartition(LOOKUP_SEP)[0] for path in paths if self.is_field(path)}
        return sorted(parent for parent in parents if parent)


def _follow(record: Any, path: str) -> Any:
    """Follow a double-underscore path of attributes; a missing relation or None on the way gives None."""
    value = record
    for part in path.split(LOOKUP_SEP):
        if value is None:
            return None
        try:
            value = getattr(value, part)
        except ObjectDoesNotExist:
            return None
        if callable(value):
            value = value()
    return value
