"""Runs the command line in this process, as its program does: what it prints, and its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kequn.cli.main import run
from kequn.cli.output import out
from tests.ops.bank import *  # noqa: F403 - fixtures
from tests.ops.conftest import bank_runtime, cast, delivery_wiring  # noqa: F401 - fixtures


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Kequn = Callable[..., Said]


@pytest.fixture
def kequn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kequn:
    """Return a function that runs a command: kequn("segment", "count", "rich")."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(out, "width", 200)  # it took the width of the moment it was made
    monkeypatch.setattr("kequn.cli.data.migrate", lambda: None)  # the database of the tests is migrated already

    def call(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["kequn", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            run()
        except SystemExit as ended:
            code = int(ended.code or 0)
        shown = capsys.readouterr()
        return Said(code, shown.out, shown.err)

    return call
