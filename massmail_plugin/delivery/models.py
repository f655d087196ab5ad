"""What the engine remembers about itself; the truth about mails is ``mailings.models.Delivery``."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from massmail_plugin.accounts.models import SenderAccount
from massmail_plugin.mailings.models import Mailing


class Heartbeat(models.Model):
    """A sign of life of one process that sends mails. A frozen cluster looks alive from outside; here it does not."""

    class Kind(models.TextChoices):
        #: Somebody did what has to happen each minute.
        TICK = "tick", _("look for work")
        #: A worker of a django-q2 cluster took a turn of ours.
        CLUSTER = "cluster", _("cluster")
        #: A ``massmail_worker`` is there.
        WORKER = "worker", _("massmail_worker")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    host = models.CharField(_("machine"), max_length=255)
    process = models.PositiveBigIntegerField(_("process"))
    started_at = models.DateTimeField(_("since"))
    #: By the database's clock.
    last_seen = models.DateTimeField(_("last seen"), db_index=True)
    #: It was told to end, and has ended.
    stopped_at = models.DateTimeField(null=True)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["kind", "host", "process"], name="massmail_one_heart_per_process")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.host}/{self.process}"


class Nudge(models.Model):
    """Somebody has pressed a button: a ``massmail_worker`` that finds this row looks for work at once.

    It is written in the transaction of what was done, so that it is seen exactly when that is.
    """

    asked_at = models.DateTimeField(default=timezone.now)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("nudge")
        verbose_name_plural = _("nudges")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.asked_at)


class Epoch(models.Model):
    """Which database this is, and how far it has come: one row. See ``delivery.keeping.epoch``."""

    class Doubt(models.TextChoices):
        """Why nothing may be sent until a person has looked."""

        BEHIND = "behind", _("The database has gone back in time, as if a backup had been restored.")
        MOVED = "moved", _("The database stands in another place than before, as if it had been copied.")
        REPLACED = "replaced", _("Another site's database has taken the place of this one.")

    #: Always 1: there is one row.
    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    instance = models.UUIDField(default=uuid.uuid4, editable=False)
    #: Grows with each tick and each turn; machines keep a copy in a file of theirs.
    mark = models.PositiveBigIntegerField(default=0)
    #: Where the database says that it is.
    place = models.CharField(max_length=255, blank=True)
    doubt = models.CharField(_("doubt"), max_length=10, choices=Doubt.choices, blank=True)
    doubted_at = models.DateTimeField(null=True)
    #: How often it was said to be the right database. Files from before the last time count no more.
    confirmations = models.PositiveIntegerField(default=0)
    #: The instances whose place this database has taken, and whose files count no more.
    predecessors = models.JSONField(default=list)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("sending")
        verbose_name_plural = _("sending")
        default_permissions = ("view", "change")
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="massmail_one_epoch")]

    def __str__(self) -> str:
        return f"{self.instance}/{self.mark}"


class OwnerNotice(models.Model):
    """An owner was told that an account or a mailing of theirs has stopped. Gone when it goes on again."""

    account = models.OneToOneField(SenderAccount, null=True, on_delete=models.CASCADE, related_name="+")
    mailing = models.OneToOneField(Mailing, null=True, on_delete=models.CASCADE, related_name="+")
    told_at = models.DateTimeField(default=timezone.now)

    add_to_reference_index = False

    class Meta:
        verbose_name = _("notice to an owner")
        verbose_name_plural = _("notices to owners")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.account_id or ''}/{self.mailing_id or ''}"
