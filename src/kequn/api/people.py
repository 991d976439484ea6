"""Who calls, and the staff within her branches."""

from __future__ import annotations

from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.ops.orgs.queries import branches_for, staff_for

router = Router(tags=["people 机构与人员"])


class ActorOut(Schema):
    """The caller."""

    username: str
    display_name: str
    role: str
    branch_code: str


class BranchOut(Schema):
    """One branch within the caller's scope."""

    code: str
    name: str
    name_en: str
    level: str
    path: str


class StaffOut(Schema):
    """One member of staff within the caller's branches."""

    username: str
    display_name: str
    role: str
    staff_no: str


@router.get("/me", response=ActorOut, summary="Who the key or session acts as")
def me(request: Request) -> Any:
    return request.actor


@router.get("/branches", response=list[BranchOut], summary="Branches within scope")
def branches(request: Request) -> Any:
    return branches_for(request.actor)


@router.get("/staff", response=list[StaffOut], summary="Staff within scope")
def staff(request: Request) -> Any:
    return staff_for(request.actor)
