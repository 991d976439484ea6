"""What an RM makes of her book: views, circles, rounds of stock-taking with their corrections, visits."""

from __future__ import annotations

from django.db import models

from kequn.ops.books import states


class SavedView(models.Model):
    """One person's own way of looking at her list: filters, order and columns, by name (视图)."""

    user_id = models.BigIntegerField()
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=1000, blank=True)
    """As in the address: codes and amounts, never a name or a number."""
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user_id", "name"], name="view_named_once"),
            models.UniqueConstraint(
                fields=["user_id"], condition=models.Q(is_default=True), name="view_one_default_a_person"
            ),
        ]


class Circle(models.Model):
    """Customers whom an RM keeps together, such as the merchants of one market street (商圈)."""

    staff_no = models.CharField(max_length=20)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    name = models.CharField(max_length=40)
    place = models.CharField(max_length=80, blank=True)
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["staff_no", "name"], condition=models.Q(removed_at__isnull=True), name="circle_named_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class CircleMember(models.Model):
    """One customer in a circle. Who left the RM's book stays here unseen, until she is back or taken out."""

    circle = models.ForeignKey(Circle, on_delete=models.CASCADE, related_name="members")
    customer_id = models.CharField(max_length=32, db_index=True)
    added_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["circle", "customer_id"], name="circle_member_once")]


class StockTake(models.Model):
    """A round in which an RM goes through (part of) her book, one customer at a time (盘点)."""

    key = models.CharField(max_length=64, unique=True)
    """What makes a second opening the same round."""
    title = models.CharField(max_length=80)
    staff_no = models.CharField(max_length=20, db_index=True)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    query = models.CharField(max_length=1000, blank=True)
    """The filter that chose the customers; empty for the whole book."""
    deadline = models.DateField()
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.STOCK_TAKE], default=states.OPEN)
    opened_by = models.CharField(max_length=40)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at", "-id"]


class StockTakeLine(models.Model):
    """One customer of a round, and what the RM decided of her."""

    stock_take = models.ForeignKey(StockTake, on_delete=models.CASCADE, related_name="lines")
    customer_id = models.CharField(max_length=32, db_index=True)
    position = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.LINE], default=states.TODO)
    reason = models.CharField(max_length=20, choices=[(r, r) for r in states.REASONS], blank=True)
    note = models.CharField(max_length=500, blank=True)
    key = models.CharField(max_length=64, blank=True)
    """Of the request that decided: the same again changes nothing."""
    decided_by = models.CharField(max_length=40, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["stock_take", "customer_id"], name="stock_take_customer_once"),
            models.CheckConstraint(
                condition=(models.Q(state=states.TODO) & models.Q(decided_at__isnull=True))
                | (~models.Q(state=states.TODO) & models.Q(decided_at__isnull=False)),
                name="stock_take_decided_or_not",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=states.GIVEN_UP) | ~models.Q(reason=""), name="stock_take_given_up_why"
            ),
        ]
        indexes = [models.Index(fields=["stock_take", "state"], name="stock_take_progress")]


class Correction(models.Model):
    """What an RM says is wrong in the bank's own record of a customer (更正建议). It goes back to the bank as a list."""

    customer_id = models.CharField(max_length=32)
    staff_no = models.CharField(max_length=20)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    field = models.CharField(max_length=20, choices=[(f, f) for f in states.FIELDS])
    value = models.CharField(max_length=120, blank=True)
    note = models.CharField(max_length=500, blank=True)
    line = models.ForeignKey(StockTakeLine, null=True, on_delete=models.SET_NULL, related_name="corrections")
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.CORRECTION], default=states.PROPOSED)
    at = models.DateTimeField()
    settled_by = models.CharField(max_length=40, blank=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "field"],
                condition=models.Q(state=states.PROPOSED),
                name="correction_one_open_per_field",
            )
        ]


class VisitPlan(models.Model):
    """A day on which an RM goes to see customers, in an order (拜访计划)."""

    key = models.CharField(max_length=64, unique=True)
    staff_no = models.CharField(max_length=20)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    title = models.CharField(max_length=80)
    place = models.CharField(max_length=80, blank=True)
    on = models.DateField()
    companion = models.CharField(max_length=20, blank=True)
    """Staff number of the branch head who comes along."""
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-on", "-id"]
        indexes = [models.Index(fields=["staff_no", "on"], name="visit_plan_of_staff")]


class Visit(models.Model):
    """One customer of a day's plan; what came of it stands in the follow-ups of its task (拜访)."""

    plan = models.ForeignKey(VisitPlan, on_delete=models.CASCADE, related_name="visits")
    customer_id = models.CharField(max_length=32, db_index=True)
    position = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.VISIT], default=states.PLANNED)
    task_id = models.BigIntegerField(null=True)
    codes = models.CharField(max_length=300, blank=True)
    """Of a blocked one: the gate's reasons, comma between."""

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "customer_id"], name="visit_customer_once"),
            models.CheckConstraint(
                condition=~models.Q(state=states.READY) | models.Q(task_id__isnull=False), name="visit_ready_has_task"
            ),
        ]
