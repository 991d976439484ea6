"""Who has whom: leave, capacity, changes of owner with their reason, what is owed to the customer, the remote queue, the pool."""

from __future__ import annotations

from django.db import models

from kequn.ops.ownership import states


class Capacity(models.Model):
    """What one member of staff can carry, where the branch set it (容量); an empty value is the policy's or the bank's own."""

    staff_no = models.CharField(max_length=20, unique=True)
    tasks_a_day = models.PositiveIntegerField(null=True)
    book_limit = models.PositiveIntegerField(null=True)
    skills = models.JSONField(default=list)
    languages = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=0)
    """Counts every change and every customer taken: the row is the lock under which a book grows."""


class Absence(models.Model):
    """Days on which a member of staff does not work, with who stands in (休假与代管). Ownership stays; the days end by themselves."""

    staff_no = models.CharField(max_length=20, db_index=True)
    kind = models.CharField(max_length=12, choices=[(k, k) for k in states.ABSENCES])
    first_day = models.DateField()
    last_day = models.DateField()
    stand_in = models.CharField(max_length=20, blank=True, db_index=True)
    note = models.CharField(max_length=200, blank=True)
    entered_by = models.CharField(max_length=40)
    entered_at = models.DateTimeField()
    covered_at = models.DateTimeField(null=True)
    """When the open work went to the stand-in."""
    ended_at = models.DateTimeField(null=True)
    """When it came back: the days were over, or the absence was cancelled."""
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-first_day", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(last_day__gte=models.F("first_day")), name="absence_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=~models.Q(stand_in=models.F("staff_no")), name="absence_stands_in_for_another"
            ),
        ]


class CalendarDay(models.Model):
    """A day on which the bank works against the common calendar, or does not (调休、行内假日)."""

    day = models.DateField(unique=True)
    works = models.BooleanField()
    name = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["day"]


class OwnerChange(models.Model):
    """One change of a customer's owner; with the owner now they tell who had her when (管户变更)."""

    customer_id = models.CharField(max_length=32)
    from_staff = models.CharField(max_length=20, blank=True)
    to_staff = models.CharField(max_length=20, blank=True)
    branch_code = models.CharField(max_length=12, blank=True)
    """The customer's branch when it happened."""
    reason = models.CharField(max_length=12, choices=[(r, r) for r in states.REASONS])
    note = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=40)
    at = models.DateTimeField()
    protected_until = models.DateTimeField(null=True)
    """Until then nobody takes her from the new owner."""
    assignment = models.ForeignKey("Assignment", null=True, on_delete=models.PROTECT, related_name="changes")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(from_staff=models.F("to_staff")), name="owner_change_is_a_change"
            )
        ]
        indexes = [
            models.Index(fields=["customer_id", "-id"], name="owner_change_of_customer"),
            models.Index(fields=["to_staff", "reason", "at"], name="owner_change_to"),
            models.Index(fields=["branch_code", "-at"], name="owner_change_in_branch"),
        ]


class LoadConflict(models.Model):
    """The bank's system gave a customer to a third person after kequn had changed her owner (管户冲突)."""

    customer_id = models.CharField(max_length=32, db_index=True)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    before = models.CharField(max_length=20, blank=True)
    """The bank's value before."""
    bank = models.CharField(max_length=20, blank=True)
    kequn = models.CharField(max_length=20, blank=True)
    kept = models.CharField(max_length=20, blank=True)
    """Who has her after the rule of the policy."""
    load_id = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["-id"]


class Neglect(models.Model):
    """A customer nobody worked for so long that her owner was warned, then the branch head (久未联系)."""

    customer_id = models.CharField(max_length=32, unique=True)
    staff_no = models.CharField(max_length=20, db_index=True)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    stage = models.CharField(max_length=10, choices=[(s, s) for s in (states.WARNED, states.ESCALATED)])
    idle_since = models.DateField()
    warned_on = models.DateField()
    escalated_on = models.DateField(null=True)
    take_back_on = models.DateField(null=True)
    kept_for = models.CharField(max_length=16, blank=True)
    """Why she is not taken back though the day has come: an open matter, or protection."""

    class Meta:
        ordering = ["idle_since", "customer_id"]


class Assignment(models.Model):
    """Who gets whom, drawn up by rules, looked at, then applied (分配方案); also the hand-over of one person's customers."""

    kind = models.CharField(max_length=10, choices=[("assign", "assign"), ("hand_over", "hand_over")])
    rules = models.CharField(max_length=64, blank=True)
    fingerprint = models.CharField(max_length=12, blank=True)
    from_staff = models.CharField(max_length=20, blank=True)
    cause = models.CharField(max_length=12, blank=True)
    """Of a hand-over: transfer or left."""
    branch_code = models.CharField(max_length=12, db_index=True)
    branch_path = models.CharField(max_length=200, db_index=True)
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.ASSIGNMENT], default=states.PREVIEWED)
    summary = models.JSONField(default=dict)
    made_by = models.CharField(max_length=40)
    made_at = models.DateTimeField()
    job_id = models.BigIntegerField(null=True)
    applied_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]


class AssignmentLine(models.Model):
    """One customer of an assignment."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="lines")
    customer_id = models.CharField(max_length=32)
    from_staff = models.CharField(max_length=20, blank=True)
    to_staff = models.CharField(max_length=20, blank=True)
    """Empty: nobody had room."""
    why = models.CharField(max_length=16)
    """The rule that decided."""
    outcome = models.CharField(max_length=12, choices=[(s, s) for s in states.LINE], default="planned")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["assignment", "customer_id"], name="assignment_line_once_per_customer")
        ]
        indexes = [models.Index(fields=["assignment", "outcome"], name="assignment_line_outcome")]


class Notice(models.Model):
    """The word owed to a customer whose relationship manager changed for good (换管户告知)."""

    change = models.OneToOneField(OwnerChange, on_delete=models.PROTECT, related_name="notice")
    customer_id = models.CharField(max_length=32, db_index=True)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    staff_no = models.CharField(max_length=20, db_index=True)
    """Who owes it: the new owner."""
    state = models.CharField(max_length=8, choices=[(s, s) for s in states.NOTICE], default=states.OWED)
    due_on = models.DateField()
    told_at = models.DateTimeField(null=True)
    how = models.CharField(max_length=12, blank=True)
    by = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=32, blank=True)
    """Key of the touch that tells her: on its way while the notice is owed, the proof once she was told."""
    tries = models.PositiveSmallIntegerField(default=0)
    """Messages begun so far; one that was not sent frees the notice for the next."""
    refused = models.CharField(max_length=120, blank=True)
    """Why the last message did not reach her: codes of the gate, or what became of it."""

    class Meta:
        ordering = ["due_on", "id"]
        constraints = [
            models.UniqueConstraint(fields=["message"], condition=~models.Q(message=""), name="notice_one_message_each")
        ]
        indexes = [
            models.Index(fields=["state", "told_at"], condition=~models.Q(message=""), name="notice_with_message")
        ]


class WecomMove(models.Model):
    """A customer's WeCom contact that is to pass, or passed, from one member of staff to another in WeCom (企微继承)."""

    customer_id = models.CharField(max_length=32, db_index=True)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    from_staff = models.CharField(max_length=20)
    to_staff = models.CharField(max_length=20)
    call = models.CharField(max_length=40, db_index=True)
    """Which request to WeCom she can be in: at most a hundred each."""
    planned_at = models.DateTimeField()
    earliest_at = models.DateTimeField()
    """Before this it cannot be done: she has 24 hours to refuse."""
    state = models.CharField(max_length=8, choices=[(s, s) for s in states.WECOM], default=states.WAITING)
    settled_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=40)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id"], condition=models.Q(state=states.WAITING), name="wecom_move_one_waiting"
            )
        ]


class RemoteCase(models.Model):
    """A customer worked by the remote centre as long as nobody else can (远程坐席队列)."""

    customer_id = models.CharField(max_length=32)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    reason = models.CharField(max_length=14, choices=[(r, r) for r in states.REMOTE_REASONS])
    state = models.CharField(max_length=8, choices=[(s, s) for s in states.REMOTE], default=states.OPEN)
    agent = models.CharField(max_length=20, blank=True)
    opened_by = models.CharField(max_length=40)
    opened_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    close_note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["opened_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id"], condition=~models.Q(state=states.CLOSED), name="remote_case_one_open"
            ),
            models.CheckConstraint(
                condition=models.Q(state=states.CLOSED)
                | (models.Q(state=states.OPEN) & models.Q(agent=""))
                | (models.Q(state=states.TAKEN) & ~models.Q(agent="")),
                name="remote_case_taken_by_somebody",
            ),
        ]
        indexes = [models.Index(fields=["agent", "state"], name="remote_case_of_agent")]


class PoolMember(models.Model):
    """One stay of a customer in a pool: when and why she came, when and why she left (客户池成员)."""

    pool = models.CharField(max_length=64)
    customer_id = models.CharField(max_length=32, db_index=True)
    entered_on = models.DateField()
    why_in = models.CharField(max_length=16)
    last_fit_on = models.DateField()
    """The last business date on which she fitted the segment or had bought lately enough."""
    aum_in_fen = models.BigIntegerField(default=0)
    """Her AUM on the day she came."""
    left_on = models.DateField(null=True)
    why_out = models.CharField(max_length=16, blank=True)

    class Meta:
        ordering = ["-entered_on", "customer_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["pool", "customer_id"], condition=models.Q(left_on__isnull=True), name="pool_member_once"
            ),
            models.CheckConstraint(
                condition=models.Q(left_on__isnull=True) | models.Q(left_on__gte=models.F("entered_on")),
                name="pool_member_leaves_after_entering",
            ),
        ]
        indexes = [models.Index(fields=["pool", "entered_on", "left_on"], name="pool_member_stay")]


class PoolFigure(models.Model):
    """The figures of a pool on a day, for one member of staff (客户池指标). Counts add up; rates are made of them when read."""

    pool = models.CharField(max_length=64)
    day = models.DateField()
    staff_no = models.CharField(max_length=20, blank=True)
    branch_code = models.CharField(max_length=12, blank=True)
    n = models.JSONField(default=dict)
    """Counts by name: members, active_day, active_month, holders, repurchased, at_risk, left, entered, contacted, converted."""
    aum_fen = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["pool", "day", "branch_code", "staff_no"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "day", "branch_code", "staff_no"], name="pool_figure_once")
        ]
