"""Two branches with relationship managers, a leaver, two agents, and customers without an owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kequn.core.spec.base import Text
from kequn.core.spec.ownership import OwnershipPolicySpec
from kequn.ops.catalog.models import DefinitionVersion
from kequn.ops.customers.services import store_people
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.models import Branch, User
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

Cast = dict[str, Actor]
MORE = {
    "hejie": ("何杰", "rm", "0001", "R003"),
    "qianlin": ("钱琳", "rm", "0001", "R004"),
    "wumei": ("吴梅", "branch_head", "0002", "B002"),
    "yuancheng": ("袁程", "remote_agent", "HO", "Y001"),
    "yuanfang": ("袁方", "remote_agent", "HO", "Y002"),
}


def person(n: int, *, branch: str = "0001", owner: str = "") -> dict[str, str]:
    return {
        "customer_id": f"{n:032x}", "customer_no": f"C{n:07}", "branch_code": branch, "rm_no": owner, "name": f"张{n}",
        "phone": f"139{n:08}",
    }  # fmt: skip


def ids(*numbers: int) -> list[str]:
    return [f"{n:032x}" for n in numbers]


def load(*rows: dict[str, str], load_id: str = "l1") -> None:
    store_people(system_actor(), rows, load_id=load_id)


@pytest.fixture
@remembered
def staff(cast: Cast) -> Cast:
    """Return the cast with more staff: R001, R003, R004 and B001 of 0001; R002, B002 of 0002; agents of the head office."""
    found = dict(cast)
    for name, (shown, role, branch, staff_no) in MORE.items():
        user = User.objects.create(
            username=name, display_name=shown, role=role, branch=Branch.objects.get(code=branch), staff_no=staff_no,
            password="!",
        )  # fmt: skip
        found[name] = user.actor()
    return found


@pytest.fixture
def policy(db: None) -> Callable[..., OwnershipPolicySpec]:
    """Put a policy in force."""

    def put(**fields: object) -> OwnershipPolicySpec:
        spec = OwnershipPolicySpec(name="house", title=Text(zh="管户规则"), **fields)
        DefinitionVersion.objects.filter(kind=spec.kind).delete()
        DefinitionVersion.objects.create(
            kind=spec.kind, name=spec.name, fingerprint=spec.fingerprint(), spec=spec, state="approved", is_current=True,
            created_at=NOW, decided_at=NOW,
        )  # fmt: skip
        return spec

    return put
