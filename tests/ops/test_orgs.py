"""The branch tree, who manages whom, and the trail of it."""

from __future__ import annotations

import pytest

from kequn.core.errors import InvalidSpec, NotAllowed
from kequn.ops.governance.models import AuditEntry
from kequn.ops.orgs import services
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.models import Branch, User
from kequn.ops.orgs.queries import branch_codes_for
from tests.ops.bank import Cast

pytestmark = pytest.mark.django_db
PASSWORD = "long-enough-四个字"


def row(code: str, parent: str | None = None, level: str = "branch") -> dict[str, str | None]:
    return {"branch_code": code, "name": code, "level": level, "parent_code": parent}


def staff_of(code: str, role: str = "marketer") -> Actor:
    return User.objects.create(
        username=f"at{code.lower()}", display_name="x", role=role, branch=Branch.objects.get(code=code), password="!"
    ).actor()


def test_the_head_office_sees_all_whatever_its_code() -> None:
    services.sync_branches([row("0000", level="head_office"), row("01", "0000", "province"), row("0001", "01")])
    assert staff_of("0000").sees_all_branches
    assert list(branch_codes_for(staff_of("01")) or ()) == ["01", "0001"]
    assert list(branch_codes_for(staff_of("0001")) or ()) == ["0001"]


def test_a_bank_whose_branches_have_no_parent_shows_each_only_itself() -> None:
    services.sync_branches([row("0001"), row("0002"), row("0021", "0002")])
    assert list(branch_codes_for(staff_of("0001")) or ()) == ["0001"]
    assert list(branch_codes_for(staff_of("0002")) or ()) == ["0002", "0021"]
    assert branch_codes_for(system_actor()) is None


def test_a_stray_branch_beside_the_head_office_sees_only_itself() -> None:
    services.sync_branches([row("HO", level="head_office"), row("0001", "HO"), row("stray")])
    assert branch_codes_for(staff_of("HO")) is None
    assert list(branch_codes_for(staff_of("stray")) or ()) == ["stray"]


def test_a_code_with_a_slash_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="slash"):
        services.sync_branches([row("HO", level="head_office"), row("a/HO")])


@pytest.fixture
def local(cast: Cast) -> Actor:
    """Return an administrator of branch 0001 alone."""
    return staff_of("0001", "admin")


def test_a_local_administrator_manages_her_branch_alone(cast: Cast, local: Actor) -> None:
    services.set_password(local, "wangfang", PASSWORD)
    for refused in (
        lambda: services.set_password(local, "zhoulv", PASSWORD),
        lambda: services.set_active(local, "zhoulv", active=False),
        lambda: services.issue_token(local, "zhoulv", label="x"),
        lambda: services.rename_login(local, "C001", "boss"),
        lambda: services.save_user(local, "zhoulv", display_name="x", role="rm", branch_code="0001"),
        lambda: services.save_user(local, "mole", display_name="x", role="checker", branch_code="HO"),
    ):
        with pytest.raises(NotAllowed):
            refused()
    assert not User.objects.filter(username="mole").exists()
    assert services.save_user(local, "helper", display_name="x", role="rm", branch_code="0001").branch.code == "0001"


def test_what_is_done_to_users_stands_in_the_trail(cast: Cast) -> None:
    admin = cast["admin"]
    services.save_user(admin, "fresh", display_name="新人", role="rm", branch_code="0001")
    services.set_password(admin, "fresh", PASSWORD)
    services.issue_token(admin, "fresh", label="x")
    services.set_active(admin, "fresh", active=False)
    entries = AuditEntry.objects.order_by("id")
    assert [e.act for e in entries] == ["user.saved", "user.password_set", "token.issued", "user.shut_out"]
    assert PASSWORD not in str([e.facts for e in entries])
    with pytest.raises(NotAllowed, match="herself"):
        services.set_active(admin, "admin", active=False)
