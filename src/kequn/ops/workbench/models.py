"""An RM's tasks, what came of them, and whose doing a purchase was."""

from __future__ import annotations

from django.db import models

from kequn.ops.runtime import now
from kequn.ops.workbench import states


class Task(models.Model):
    """Work for an RM with a due time: contact this customer, for this reason, with this offer (任务)."""

    key = models.CharField(max_length=64, unique=True)
    """What makes a second creation the same task: the touch's key, or the request's."""
    customer_id = models.CharField(max_length=32, db_index=True)
    staff_no = models.CharField(max_length=20)
    moved_from = models.CharField(max_length=20, blank=True)
    """Who had it, where it was given to somebody who does not have the customer."""
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    kind = models.CharField(max_length=12, choices=[(k, k) for k in states.KINDS])
    """``contact`` is one the RM started herself: it has passed the gate and is exempt from control groups."""
    campaign = models.CharField(max_length=64, blank=True, db_index=True)
    channel = models.CharField(max_length=12, default="call")
    title_zh = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200, blank=True)
    why_zh = models.TextField(blank=True)
    why_en = models.TextField(blank=True)
    """Why now, with its numbers: for staff alone (内部依据)."""
    said_zh = models.TextField(blank=True)
    said_en = models.TextField(blank=True)
    """Words that may be said to the customer (可对客表述)."""
    facts = models.JSONField(default=dict)
    """The numbers behind the words: what the task is about (``product``, ``family``), since when and how much."""
    blocked = models.JSONField(default=dict)
    """What may not be done and by which rules of the gate, by channel and for the ``offer``; as of the planning."""
    offer = models.CharField(max_length=64, blank=True)
    talk_track = models.CharField(max_length=12, blank=True)
    """Fingerprint of the approved version."""
    priority = models.PositiveSmallIntegerField(default=60)
    score = models.PositiveIntegerField(default=0)
    """Its place in the day's order (``core.desk.ranking``): its hour, overdue, due today, later; within each by points."""
    value_cny = models.DecimalField(max_digits=16, decimal_places=2, null=True)
    """The money at stake."""
    is_main = models.BooleanField(default=False)
    """The one open task under which the customer stands in the day's list; her others are folded under it."""
    planned_for = models.DateField(null=True)
    """The business day it has a place on, or waits for."""
    waits_since = models.DateField(null=True)
    """Since when there was no room for it."""
    is_held = models.BooleanField(default=False)
    """Whether nothing may be done about it now: the gate closes every way to the customer."""
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    """After this it makes no sense any more."""
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.TRANSITIONS], default=states.OPEN)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=8, blank=True, choices=[(c, c) for c in states.CLOSERS])
    closed_why = models.CharField(max_length=16, blank=True)
    """A key of ``states.CLOSINGS`` where it was not a member of staff."""
    credited_to = models.CharField(max_length=20, blank=True)

    class Meta:
        ordering = ["-priority", "due_at", "id"]
        indexes = [
            models.Index(fields=["staff_no", "state", "due_at"], name="task_of_staff"),
            models.Index(fields=["staff_no", "state", "is_main", "-score"], name="task_of_day"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id"], condition=models.Q(state=states.OPEN, is_main=True), name="task_one_main"
            ),
            models.CheckConstraint(
                condition=~models.Q(state=states.OPEN) | models.Q(closed_by=""), name="task_open_is_not_closed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title_zh} ({self.state})"

    @property
    def is_overdue(self) -> bool:
        """Whether its time has come and it is not done."""
        return self.state == states.OPEN and self.due_at < now()


class FollowUp(models.Model):
    """One recorded contact by an RM, with its outcome (跟进)."""

    key = models.CharField(max_length=64, unique=True)
    """The request's own key: pressing twice records once."""
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="follow_ups")
    customer_id = models.CharField(max_length=32, db_index=True)
    staff_no = models.CharField(max_length=20)
    contact = models.CharField(max_length=16, choices=[(c, c) for c in states.CONTACTS])
    intent = models.CharField(max_length=16, choices=[(i, i) for i in states.INTENTS], blank=True)
    amount_cny = models.DecimalField(max_digits=16, decimal_places=2, null=True)
    next_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()
    before = models.JSONField(default=dict)
    """The task as it was, to be put back within seconds."""
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=(models.Q(contact="connected") & ~models.Q(intent=""))
                | (~models.Q(contact="connected") & models.Q(intent="")),
                name="follow_up_intent_of_the_reached",
            ),
            models.CheckConstraint(
                condition=models.Q(amount_cny__isnull=True) | models.Q(amount_cny__gt=0),
                name="follow_up_amount_positive",
            ),
        ]


class Credit(models.Model):
    """A purchase that a task brought about, counted once, for one member of staff (业绩归属)."""

    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="credit")
    customer_id = models.CharField(max_length=32)
    product_code = models.CharField(max_length=40)
    """Of the largest position that was opened or grew."""
    family = models.CharField(max_length=20, blank=True)
    """That of most of the money."""
    amount_cny = models.DecimalField(max_digits=16, decimal_places=2)
    parts = models.JSONField(default=list)
    """What of it was placed where, the largest first: family, product, fen and the day it was opened."""
    day = models.DateField()
    """The business date of the data that shows it."""
    staff_no = models.CharField(max_length=20)
    branch_code = models.CharField(max_length=12, blank=True)
    reason = models.CharField(max_length=8, choices=[(r, r) for r in states.CREDITED])
    """``contact``: she had the last effective contact; ``owner``: nobody had, and the customer is hers."""
    at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "family", "day"], name="credit_once_a_purchase"),
            models.CheckConstraint(condition=models.Q(amount_cny__gt=0), name="credit_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["staff_no", "day"], name="credit_of_staff"),
            models.Index(fields=["branch_code", "day"], name="credit_of_branch"),
        ]


class Settlement(models.Model):
    """What the bank's data showed when they settled a task, to be asked again when data are corrected (了结)."""

    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="settlement")
    customer_id = models.CharField(max_length=32, db_index=True)
    why = models.CharField(max_length=8, choices=[(w, w) for w in states.BY_CUSTOMER])
    as_of = models.DateField()
    """The business date that was asked; a credit carries it."""
    shown_on = models.DateField()
    """The day of the holdings that answered: those that are asked again."""
    since = models.DateField()
    """What pictures after this day were credited for is not new."""
    parts = models.JSONField(default=list)
    """What they showed by family, written as in a credit."""
    amount_cny = models.DecimalField(max_digits=16, decimal_places=2)
    """What counts of it: of matured money no more than matured."""
    at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["as_of", "id"]


class TaskChange(models.Model):
    """One line of what the data did to a task: closed, credited, corrected, taken back, opened again (任务变更)."""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="changes")
    what = models.CharField(max_length=12, choices=[(c, c) for c in states.CHANGES])
    facts = models.JSONField(default=dict)
    """What the words need: ``day``, ``why``, ``amount``, ``was`` (yuan), ``staff``, ``until``."""
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]


class TaskMove(models.Model):
    """One hand that an open task went through: from whom, to whom, why and by whom (任务转手)."""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="moves")
    from_staff = models.CharField(max_length=20, blank=True)
    to_staff = models.CharField(max_length=20, blank=True)
    """Empty for the remote centre's queue and for work that waits to be assigned."""
    reason = models.CharField(max_length=200)
    """A key of ``states.MOVES`` or of an owner change, else somebody's own words."""
    by = models.CharField(max_length=40, blank=True)
    """What the member of staff is called; empty for the system."""
    at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["id"]


class ContactDetail(models.Model):
    """What else a recorded contact says: by which channel, about which product, how it came here."""

    follow_up = models.OneToOneField(FollowUp, primary_key=True, on_delete=models.CASCADE, related_name="detail")
    channel = models.CharField(max_length=12)
    post = models.CharField(max_length=20, blank=True)
    """The role of who recorded it, as it was then."""
    product = models.CharField(max_length=32, blank=True)
    """Code of the product that an appointment or a deal is about."""
    source = models.CharField(max_length=8, choices=[(s, s) for s in ("form", "grid", "file")], default="form")
    flags = models.CharField(max_length=40, blank=True)
    """What was found in the note, with commas between: ``number`` (masked), ``markup`` (shown as text)."""


class ResultFile(models.Model):
    """A file of results that was taken in: the same file a second time does nothing (结果文件)."""

    staff_no = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    file_name = models.CharField(max_length=200)
    rows = models.PositiveIntegerField()
    recorded = models.PositiveIntegerField()
    refused = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["staff_no", "digest"], name="result_file_once")]


class DayPlan(models.Model):
    """One morning's distribution: from which data, by which rules, and what came of it (晨间分派)."""

    day = models.DateField(unique=True)
    as_of = models.DateField()
    """The business date of the data."""
    fingerprint = models.CharField(max_length=12)
    """Of the desk policy."""
    found = models.JSONField(default=dict)
    """Occasions by kind."""
    missing = models.JSONField(default=dict)
    """Kinds that were not looked for, with the reason."""
    counts = models.JSONField(default=dict)
    """New, today, later, over, held, unowned, closed."""
    planned_at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]


class StaffDay(models.Model):
    """What the distribution gave one person on a day, and what the gate kept from her (个人分派)."""

    day = models.DateField()
    staff_no = models.CharField(max_length=20)
    capacity = models.PositiveIntegerField()
    """Her own of the day, and no more than a list is long by the policy."""
    given = models.PositiveIntegerField()
    later = models.PositiveIntegerField()
    held = models.JSONField(default=dict)
    """Customers with an occasion that may not be followed, by each rule of the gate that says no."""

    class Meta:
        ordering = ["-day", "staff_no"]
        constraints = [models.UniqueConstraint(fields=["day", "staff_no"], name="staff_day_once")]


class HeldOutflow(models.Model):
    """A large outflow about which the gate lets nobody call: no task, and still before the branch head (被拦下的大额流出)."""

    key = models.CharField(max_length=64, unique=True)
    """That of the task which it would be."""
    customer_id = models.CharField(max_length=32)
    value_cny = models.DecimalField(max_digits=18, decimal_places=2)
    blocked = models.JSONField(default=list)
    """Rules of the gate, as the last morning asked."""
    raised_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-value_cny", "id"]
