"""What an import graph cannot see of the house's rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "kequn"
OPS_FILES = {"__init__", "apps", "contracts", "models", "queries", "services", "states"}
MECHANISMS = {
    "customers": {"crypto", "masking"},
    "governance": {"audit"},
    "orgs": {"actor", "rights"},
    "jobs": {"lease"},
    "tags": {"backfill", "history"},
    "delivery": None,
    "audiences": None,
    "campaigns": None,
    "workbench": None,
    "reviews": None,
    "catalog": None,
    "analysis": None,
    "board": None,
    "feedback": set(),
    "wecom": set(),
    "books": None,
    "insights": None,
    "ownership": None,
}
"""Modules of an app that hold a mechanism of its own, private to the app; ``None``: any number of them, each named for its mechanism."""
OPEN = {"services", "queries", "contracts", "actor", "rights"}
VAGUE = {"utils", "helpers", "common", "managers", "signals", "misc", "base2", "handlers"}


def modules(below: str = "") -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((SOURCE / below).rglob("*.py")):
        if "migrations" not in path.parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("door", ["console", "api", "cli"])
def test_doors_touch_no_rows(door: str) -> None:
    for path, tree in modules(door):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "objects":
                pytest.fail(f"{path.relative_to(ROOT)}:{node.lineno} reaches rows past services and queries")


def test_an_app_enters_another_by_its_open_modules() -> None:
    for path, tree in modules("ops"):
        app = path.relative_to(SOURCE / "ops").parts[0]
        for name in imported(tree):
            match = re.match(r"kequn\.ops\.(\w+)\.(\w+)", name)
            if match and match[1] != app and (SOURCE / "ops" / match[1]).is_dir():
                assert match[2] in OPEN, f"{path.relative_to(ROOT)} imports {name}"


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [p.relative_to(ROOT) for p, _ in modules() if p.stem in VAGUE]
    assert vague == []


def test_apps_have_the_same_files() -> None:
    for path, _ in modules("ops"):
        parts = path.relative_to(SOURCE / "ops").parts
        if len(parts) == 2:
            own = MECHANISMS.get(parts[0], set())
            assert own is None or path.stem in OPS_FILES | own, (
                f"{path.relative_to(ROOT)}: which file of an app is this?"
            )


def test_core_and_channels_read_no_clock_environment_or_chance() -> None:
    forbidden = re.compile(
        r"os\.environ|os\.getenv|datetime\.now\(|date\.today\(|time\.time\(|random\.(random|randint|choice)\("
    )
    for below in ("core", "channels"):
        for path, _ in modules(below):
            if "tests" in path.parts or path.name == "loopback.py":
                continue
            found = forbidden.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path.relative_to(ROOT)} reads {found[0] if found else ''}"


def test_the_core_loads_no_framework() -> None:
    code = "import sys, pkgutil, kequn.core as c\nfor m in pkgutil.walk_packages(c.__path__, 'kequn.core.'): __import__(m.name)\n"
    code += "bad = [m for m in ('django', 'ninja', 'typer') if m in sys.modules]\nassert not bad, bad"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(SOURCE.parent)})


def test_the_settings_are_the_only_reader_of_the_environment() -> None:
    readers = {p.relative_to(SOURCE).as_posix() for p, _ in modules() if "os.environ" in p.read_text(encoding="utf-8")}
    assert readers <= {"server/settings.py", "server/wsgi.py", "cli/start.py"}


def test_every_class_of_rows_and_specs_is_in_the_glossary() -> None:
    glossary = yaml.safe_load((ROOT / "docs" / "glossary.yaml").read_text(encoding="utf-8"))
    named = {c for entry in glossary.values() for c in entry.get("classes", [])}
    for path, tree in modules():
        if path.name == "models.py" or "spec" in path.parts:
            for node in tree.body:
                bases = {
                    b.attr if isinstance(b, ast.Attribute) else getattr(b, "id", "") for b in getattr(node, "bases", [])
                }
                if isinstance(node, ast.ClassDef) and bases & {"Model", "Definition"}:
                    assert node.name in named, (
                        f"{node.name} ({path.relative_to(ROOT)}) has no entry in docs/glossary.yaml"
                    )


def test_no_absolute_path_or_foreign_address_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".html", ".css", ".js"} and path.is_file():
            assert not re.search(r'(src|href)="(https?:)?//(?!www\.w3\.org)', path.read_text(encoding="utf-8")), name
