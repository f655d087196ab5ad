"""The tables in which an audience is worked out: everybody in some sources, with the verdict on each."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from massmail_plugin.audience.reasons import Reason
from massmail_plugin.exact_text import ExactCharField


class Stage(models.TextChoices):
    """How far an audience is; each stage is done in steps that are committed one by one."""

    #: The sources are cut into slices.
    PLANNING = "planning", _("looking at the lists")
    #: The records of each slice are copied.
    COLLECTING = "collecting", _("collecting the people")
    #: Addresses that the database cannot read by itself are read.
    READING = "reading", _("reading unusual addresses")
    #: Who must not or need not get a mail is told so.
    JUDGING = "judging", _("asking who said no")
    COMPLETE = "complete", _("complete")


class Audience(models.Model):
    """Everybody in some sources at one moment. ``subject`` says what for: "mailing:7" or "list:3"."""

    subject = models.CharField(max_length=80, unique=True)
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.PLANNING)
    #: [key, title] of the sources, in the order in which people are taken from them. Not a mapping: PostgreSQL keeps
    #: the members of JSON objects in an order of its own.
    sources = models.JSONField(default=list)
    excluded = models.JSONField(default=list)
    #: The segments that are live in the sources, by key: whoever left one of them counts as gone.
    live_scopes = models.JSONField(default=list)
    #: What else it was opened by, in the words of whoever did; and what shows that the people may have changed since.
    terms = models.JSONField(default=dict)
    traces = models.JSONField(default=list)
    #: The slices: key of the source, whether it is excluded, type, after and up to which primary key.
    plan = models.JSONField(default=list)
    #: How far the stage is: a slice, the number of a candidate, a rule.
    position = models.BigIntegerField(default=0)
    #: The last candidate that the rule in hand has looked at, if it needs several steps.
    looked_at = models.BigIntegerField(default=0)
    #: How many get a mail ("") and how many do not for which reason.
    counts = models.JSONField(default=dict)
    vips = models.PositiveIntegerField(default=0)
    #: What is broken, in one word for the administrator: it is not gone on with before somebody asks for that.
    fault = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True)

    #: Not kept: whether the traces are others now, as whoever has looked it up has found.
    has_changed = False

    add_to_reference_index = False

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")

    def __str__(self) -> str:
        return self.subject

    @property
    def is_complete(self) -> bool:
        return self.stage == Stage.COMPLETE

    @property
    def source_titles(self) -> dict[str, str]:
        """The titles of the sources that are not excluded, by key."""
        return dict(self.sources)

    @property
    def progress(self) -> int:
        """How much has been collected, in per cent."""
        if self.stage == Stage.PLANNING:
            return 0
        return 100 * self.position // max(len(self.plan), 1) if self.stage == Stage.COLLECTING else 100


class Candidate(models.Model):
    """One record of the sources, with the verdict: ``reason`` is empty for those who get the mail.

    Written and judged by statements over many rows at once; their order is the order of the sources, of the types
    by key, and of the primary keys.
    """

    # Without a constraint, which would be checked for each of a million rows: they go with ``working_out.forget``.
    audience = models.ForeignKey(
        Audience, on_delete=models.CASCADE, related_name="candidates", db_index=False, db_constraint=False
    )
    #: In an excluded source: keeps others out, and gets nothing itself.
    excluded = models.BooleanField(default=False)
    recipient_type = models.CharField(_("type"), max_length=100)
    object_id = ExactCharField(max_length=64)
    #: Key of the first source that it is in.
    source = models.CharField(_("through"), max_length=80)
    name = models.CharField(_("name"), max_length=255, blank=True)
    #: The address as the record has it, what RCPT TO gets, and the key under which consent is kept.
    email = models.CharField(_("address"), max_length=320, blank=True)
    envelope = models.CharField(max_length=254, blank=True)
    key = ExactCharField(max_length=254, blank=True)
    #: Whether a main account may write to them.
    vip = models.BooleanField(default=False)
    #: Whether another record before it has the same address, whatever became of that: an address has one place.
    is_repeated = models.BooleanField(default=False)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason.choices, blank=True)
    #: More about the reason, for people: which list, for example.
    detail = models.CharField(_("detail"), max_length=255, blank=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("candidate")
        verbose_name_plural = _("candidates")
        constraints = [
            models.UniqueConstraint(
                fields=["audience", "excluded", "recipient_type", "object_id"],
                name="massmail_candidate_once",
            ),
        ]
        # What the screens read in pages, and what the next stage has to look at.
        indexes = [
            models.Index(fields=["audience", "excluded", "reason", "id"], name="massmail_candidate_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    def get_reason_sentence(self) -> str:
        """Why this person gets no mail, in one line; empty for the others."""
        label: Any = Reason(self.reason).label if self.reason else ""
        return f"{label}: {self.detail}" if label and self.detail else str(label)
