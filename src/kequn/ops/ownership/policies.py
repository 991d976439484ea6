"""The policy, rules and pools in force."""

from __future__ import annotations

from kequn.core.spec.base import Text
from kequn.core.spec.ownership import AssignmentSpec, OwnershipPolicySpec, PoolSpec
from kequn.ops.catalog.queries import current_of_kind

STANDARD = OwnershipPolicySpec(name="standard", title=Text(zh="系统默认", en="Built in"))
"""Holds where the bank approved none: nobody is taken back by it."""


def policy() -> OwnershipPolicySpec:
    """Return the approved policy that was decided last, else the built-in one."""
    found = current_of_kind("ownership_policy")
    return found[0] if found else STANDARD


def rules() -> list[AssignmentSpec]:
    """Return the approved assignment rules, the latest decided first."""
    return current_of_kind("assignment")


def pools() -> list[PoolSpec]:
    """Return the approved pools by name."""
    return sorted(current_of_kind("pool"), key=lambda p: p.name)
