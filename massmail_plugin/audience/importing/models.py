"""An import into a target list, of a file or from another list: what it brings, how far it has come, what failed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from massmail_plugin.audience.importing.faults import RowFault
from massmail_plugin.audience.models import TargetListPage


class ListImport(models.Model):
    """People who are brought into one list: out of a file, or out of another list that is too long to wait for.

    Moved on only by ``actions``, ``from_list`` and ``working``.
    """

    class Kind(models.TextChoices):
        CSV = "csv", _("CSV")
        XLSX = "xlsx", _("Excel (XLSX)")
        #: Another target list; nothing is read, and its batches are numbers of its members' rows.
        LIST = "list", _("target list")

    class State(models.TextChoices):
        #: Uploaded; nobody has said yet which column is which.
        UPLOADED = "uploaded", _("waiting for its columns")
        #: The file is being read to its end; nobody is in the list yet.
        READING = "reading", _("being read")
        #: People are being added, batch by batch.
        IMPORTING = "importing", _("being imported")
        DONE = "done", _("done")
        #: The file could not be read; nobody was added.
        FAILED = "failed", _("failed")
        #: Somebody stopped it; who was added until then stays.
        STOPPED = "stopped", _("stopped")

    target_list = models.ForeignKey(TargetListPage, on_delete=models.CASCADE, related_name="imports")
    #: Of a list: its title.
    file_name = models.CharField(_("file"), max_length=255)
    #: Of a list: which, and whether the people leave it.
    source = models.ForeignKey(TargetListPage, null=True, on_delete=models.SET_NULL, related_name="+")
    moving = models.BooleanField(default=False)
    kind = models.CharField(max_length=4, choices=Kind.choices)
    #: Of CSV: Python's name of the encoding, and the separator of its columns.
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    delimiter = models.CharField(_("separator"), max_length=1, blank=True)
    #: Of XLSX: the sheet.
    sheet = models.CharField(_("sheet"), max_length=255, blank=True)
    #: Of XLSX: first rows by sheet, so that showing them does not unpack the file again.
    samples = models.JSONField(default=dict)
    has_headings = models.BooleanField(_("The first row holds the headings"), default=True)
    headings = models.JSONField(default=list)
    #: Which column (from 0) is what: see ``columns.Columns``.
    columns = models.JSONField(default=dict)
    state = models.CharField(_("status"), max_length=10, choices=State.choices, default=State.UPLOADED)
    #: Why it failed, for people; while it is running, what the last worker broke off at.
    problem = models.TextField(blank=True)
    #: How many workers have taken it up, and died or broken off, since it last came on.
    tries = models.PositiveSmallIntegerField(default=0)
    #: Rows with anything in them, and how many of those have been looked at.
    rows = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    #: What became of them; together with those who were gone from the other list they add up to ``rows_done``.
    added = models.PositiveIntegerField(default=0)
    already = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    #: Out of another list: who has left that, and so stays behind.
    stayed = models.PositiveIntegerField(default=0)
    #: Of those imported: number by recipient type, and by the reason why they will get no mail.
    found = models.JSONField(default=dict)
    not_mailable = models.JSONField(default=dict)
    new_subscribers = models.PositiveIntegerField(default=0)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    #: Which worker is at it, and until when it may be silent.
    claim = models.CharField(max_length=32, blank=True)
    claimed_until = models.DateTimeField(null=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        default_permissions = ()
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state"], name="massmail_import_state")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_from_list(self) -> bool:
        return self.kind == self.Kind.LIST

    @property
    def gone(self) -> int:
        """How many had been taken out of the other list before their turn came."""
        return self.rows_done - self.added - self.already - self.failed - self.stayed

    @property
    def is_running(self) -> bool:
        return self.state in RUNNING

    @property
    def percent(self) -> int:
        return self.rows_done * 100 // self.rows if self.rows else 0


#: The states in which there is work to do.
RUNNING = (ListImport.State.READING, ListImport.State.IMPORTING)


class ImportPiece(models.Model):
    """A piece of the uploaded file; gone as soon as the file has been read."""

    list_import = models.ForeignKey(ListImport, on_delete=models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    add_to_reference_index = False

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["list_import", "number"], name="massmail_piece_number")
        ]

    def __str__(self) -> str:
        return f"{self.list_import_id}/{self.number}"


class ImportBatch(models.Model):
    """Rows that wait to be imported; deleted by the transaction that does it."""

    list_import = models.ForeignKey(ListImport, on_delete=models.CASCADE, related_name="batches")
    #: [[number of the line or row in the file, cell, cell, ...], ...]; from a list: [number of the member's row, ...]
    rows: Any = models.JSONField()

    add_to_reference_index = False

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.list_import_id}/{self.pk}"


class ImportFailure(models.Model):
    """A row that was not imported, and why."""

    list_import = models.ForeignKey(ListImport, on_delete=models.CASCADE, related_name="failures")
    #: Of the line in a CSV file, or of the row in a sheet.
    number = models.PositiveIntegerField()
    fault = models.CharField(max_length=20, choices=RowFault.choices)
    detail = models.TextField(blank=True)
    cells: Any = models.JSONField()

    add_to_reference_index = False

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.list_import_id}/{self.number}"

    @property
    def sentence(self) -> str:
        return f"{self.get_fault_display()}: {self.detail}" if self.detail else self.get_fault_display()
