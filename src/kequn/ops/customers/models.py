"""The person behind a surrogate id: the only rows with a name, number or address."""

from __future__ import annotations

from django.db import models


class Person(models.Model):
    """A customer as a person (客户). Every personal column is sealed; ``*_index`` columns serve exact look-up."""

    customer_id = models.CharField(max_length=32, primary_key=True)
    customer_no = models.BinaryField()
    customer_no_index = models.CharField(max_length=40, unique=True)
    name = models.BinaryField(default=b"")
    name_index = models.CharField(max_length=40, blank=True, db_index=True)
    phone = models.BinaryField(default=b"")
    phone_index = models.CharField(max_length=40, blank=True, db_index=True)
    document_no = models.BinaryField(default=b"")
    document_no_index = models.CharField(max_length=40, blank=True, db_index=True)
    wrong_phone_index = models.CharField(max_length=40, blank=True)
    """Of a number that turned out dead or somebody else's: while the bank has no other one, nobody is called or texted there."""
    email = models.BinaryField(default=b"")
    address = models.BinaryField(default=b"")
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    rm_no = models.CharField(max_length=20, blank=True, db_index=True)
    """Her owner: the bank's, unless she was given to another here since."""
    bank_rm_no = models.CharField(max_length=20, blank=True)
    """Her owner by the bank's system as of the last load."""
    digest = models.CharField(max_length=40)
    """Keyed hash of all the clear values: a load writes only the persons who changed."""
    loaded_at = models.DateTimeField()


class BranchChange(models.Model):
    """One change of a customer's branch, as a load brought it (网点变更); with her branch now they tell where she was when."""

    customer = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    from_branch = models.CharField(max_length=12, blank=True)
    to_branch = models.CharField(max_length=12, blank=True)
    load_id = models.CharField(max_length=80)
    at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(from_branch=models.F("to_branch")), name="branch_change_is_a_change"
            )
        ]


class Reveal(models.Model):
    """One personal value shown in clear to one user, with her reason (明文查看)."""

    customer = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    field = models.CharField(max_length=12)
    user_id = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user_id", "at"])]
