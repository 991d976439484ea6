"""An example's bank: a database and a store of its own for a module, loaded through the services once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from kequn.cli.data import apply_specs
from kequn.core.engine.store import Store
from kequn.core.spec.base import Definition
from kequn.core.spec.reading import read_specs
from kequn.ops import runtime
from kequn.ops.governance.queries import approvals_for
from kequn.ops.governance.services import decide
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import actor_named
from kequn.ops.orgs.services import save_user, sync_branches
from tests.conftest import ROOT

NOW = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
PEOPLE = {"zhaomin": ("赵敏", "marketer"), "zhoulv": ("周律", "checker"), "sunli": ("孙立", "analyst")}


@pytest.fixture(scope="module")
def opened(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Open a database that is rolled back after the module, and install a runtime with an empty store."""
    before = runtime._installed
    root = tmp_path_factory.mktemp("example")
    runtime.install(
        runtime.Runtime(
            store=Store(root / "store"),
            data_folder=root,
            tag_folders=(),
            field_key=b"f" * 32,
            index_key=b"i" * 32,
            audit_key=b"a" * 32,
            pseudonym_key=b"p" * 32,
            clock=lambda: NOW,
        )
    )
    with django_db_blocker.unblock(), transaction.atomic():
        sync_branches([{"branch_code": "HO", "name": "总行", "level": "head_office"}])
        for username, (name, role) in PEOPLE.items():
            save_user(system_actor(), username, display_name=name, role=role, branch_code="HO")
        yield
        transaction.set_rollback(True)
    if before is not None:
        runtime.install(before)


def specs_of(example: str) -> list[Definition]:
    """Return the definitions of an example."""
    return [spec for _, spec in read_specs(ROOT / "examples" / example)]


def define_data(example: str) -> None:
    """Save an example's sources and tags, as the analyst does."""
    apply_specs(actor_named("sunli"), [s for s in specs_of(example) if kind(s) in ("source", "tag")])


def define_work(example: str) -> None:
    """Save all other definitions as the marketer does, and have them approved by another person."""
    specs = [s for s in specs_of(example) if kind(s) not in ("source", "tag")]
    apply_specs(actor_named("zhaomin"), specs, submit=True)
    checker = actor_named("zhoulv")
    for approval in approvals_for(checker, state="waiting"):
        decide(checker, approval.pk, approve=True)


def kind(spec: Definition) -> str:
    """Return the kind of a definition."""
    return spec.kind  # type: ignore[attr-defined,no-any-return]


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Set the bank's clock."""
    installed = runtime.runtime()
    before, installed.clock = installed.clock, lambda: moment
    yield
    installed.clock = before


def actor(username: str) -> Actor:
    """Return one of the people."""
    return actor_named(username)


def figures(readme: Path) -> dict[str, str]:
    """Return the figures that a README states: the rows "| name | figure |" of its tables."""
    rows = [line.strip().strip("|").split("|") for line in readme.read_text("utf-8").splitlines() if line[:1] == "|"]
    return {row[0].strip(): row[1].strip() for row in rows if len(row) >= 2}
