"""The fixed cast of the bank, on a fresh database, with a runtime of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kequn.core.engine.store import Store
from kequn.ops import runtime
from kequn.ops.delivery import services as delivery
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.models import Branch, User
from tests.ops.remembering import remembered

NOW = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
CAST = {
    "zhaomin": ("赵敏", "marketer", "HO", "M001"),
    "zhoulv": ("周律", "checker", "HO", "C001"),
    "sunli": ("孙立", "analyst", "HO", "A001"),
    "admin": ("管理员", "admin", "HO", "X001"),
    "liqiang": ("李强", "branch_head", "0001", "B001"),
    "wangfang": ("王芳", "rm", "0001", "R001"),
    "chenjing": ("陈静", "rm", "0002", "R002"),
}


@pytest.fixture(autouse=True)
def bank_runtime(tmp_path: Path) -> Iterator[runtime.Runtime]:
    """Install a runtime with an empty store, fixed keys and a clock that stands still."""
    with installed_at(tmp_path) as installed:
        yield installed


@contextmanager
def installed_at(root: Path) -> Iterator[runtime.Runtime]:
    """Install a runtime below a folder, and the one before it again."""
    before = runtime._installed
    installed = runtime.Runtime(
        store=Store(root / "store"),
        data_folder=root / "data",
        tag_folders=(),
        field_key=b"f" * 32,
        index_key=b"i" * 32,
        audit_key=b"a" * 32,
        pseudonym_key=b"p" * 32,
        clock=lambda: NOW,
    )
    runtime.install(installed)
    yield installed
    if before is not None:
        runtime.install(before)


@pytest.fixture(autouse=True)
def delivery_wiring() -> Iterator[None]:
    """Leave the gate, the addresses and the channels of the process as they were: a test may put its own in their place."""
    installed, lines, secrets = dict(delivery._installed), dict(delivery._lines), delivery._secrets
    yield
    delivery._installed.clear()
    delivery._installed.update(installed)
    delivery._lines.clear()
    delivery._lines.update(lines)
    delivery._secrets = secrets


@pytest.fixture
@remembered
def cast(db: None) -> dict[str, Actor]:
    """Return the actors by login name; branches HO > C1 > 0001, 0002."""
    return make_cast(CAST)


def make_cast(members: Mapping[str, tuple[str, str, str, str]]) -> dict[str, Actor]:
    """Make the branches and these members of staff: name, role, branch and staff number by login name."""
    head = Branch.objects.create(code="HO", name="总行", name_en="Head office", level="head_office", path="/HO/")
    city = Branch.objects.create(code="C1", name="城市分行", name_en="City", level="city", parent=head, path="/HO/C1/")
    branches = {"HO": head, "C1": city}
    for code in ("0001", "0002"):
        branches[code] = Branch.objects.create(
            code=code, name=f"网点{code}", name_en=f"Branch {code}", level="branch", parent=city, path=f"/HO/C1/{code}/"
        )
    users = {
        name: User.objects.create(
            username=name, display_name=shown, role=role, branch=branches[branch], staff_no=staff_no, password="!"
        )
        for name, (shown, role, branch, staff_no) in members.items()
    }
    return {name: user.actor() for name, user in users.items()}


from tests.ops.bank import bank, built, definitions, people  # noqa: E402, F401 - fixtures, after the ones they use
