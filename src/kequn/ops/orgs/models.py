"""Branches and the staff who log in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models

from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.rights import ROLES


class Branch(models.Model):
    """A node of the branch tree (机构)."""

    code = models.CharField(max_length=12, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80, blank=True)
    level = models.CharField(max_length=12)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    path = models.CharField(max_length=200, db_index=True)
    city = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class UserManager(BaseUserManager["User"]):
    """Makes users with a hashed password; each comes with her branch, of which she is an actor."""

    def get_queryset(self) -> models.QuerySet[User]:
        return super().get_queryset().select_related("branch")

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> User:
        user: User = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A member of staff who logs in (用户)."""

    username = models.CharField(max_length=40, unique=True)
    display_name = models.CharField(max_length=40)
    role = models.CharField(max_length=12, choices=[(r, str(r)) for r in ROLES])
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="+")
    staff_no = models.CharField(max_length=20, blank=True, db_index=True)
    phone = models.CharField(max_length=32, blank=True)
    """At work, as customers are told it."""
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=10, default="zh-hans")
    capacity = models.PositiveIntegerField(default=20)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["display_name", "role"]
    objects = UserManager()

    class Meta:
        ordering = ["username"]
        constraints = [models.CheckConstraint(condition=models.Q(role__in=list(ROLES)), name="user_role_known")]

    def actor(self) -> Actor:
        """Return the actor this user is."""
        return Actor(
            user_id=self.pk,
            username=self.username,
            role=self.role,
            branch_code=self.branch.code,
            branch_path=self.branch.path,
            staff_no=self.staff_no,
            display_name=self.display_name,
            branch_name=self.branch.name,
            branch_level=self.branch.level,
        )


class Token(models.Model):
    """A key with which another system of the bank acts as one user (接口令牌). Only its hash is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    label = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
