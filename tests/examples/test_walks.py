"""The commands of the examples' READMEs, run as they stand there by the installed program in a home of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.examples.conftest import figures

pytestmark = [pytest.mark.realdata, pytest.mark.slow, pytest.mark.timeout(900)]


class Shell:
    """Runs commands in a home of its own."""

    def __init__(self, home: Path) -> None:
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {"KEQUN_HOME": str(home), "COLUMNS": "160", "PATH": programs}

    def run(self, text: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", text], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{done.stderr}\nafter\n{done.stdout}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(shlex.join(("kequn", *words, "--json"))))


def walked(example: str, folder: Path, home: Path) -> tuple[Shell, str]:
    """Run the walk of an example's README, with the folders of this test; return what it said."""
    text = (ROOT / "examples" / example / "README.md").read_text("utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert "export KEQUN_HOME" in block
    lines = [line for line in block.splitlines() if not line.startswith("export KEQUN_HOME")]
    shell = Shell(home)
    return shell, shell.run("\n".join(lines).replace("FOLDER", shlex.quote(str(folder))))


def test_the_walk_through_berka_gives_its_figures(real_data: Path, tmp_path: Path) -> None:
    shell, said = walked("berka", real_data / "berka", tmp_path)
    stated = figures(ROOT / "examples" / "berka" / "README.md")
    for name in ("cash_payers", "customers on 1994-03-30", "young_owners"):
        assert stated[name] in said
    assert "Nobody can be contacted" in said
    assert f"{shell.json('segment', 'count', 'insured_households')['size']:,}" == stated["insured_households"]
    again = shell.json("load", "--folder", str(real_data / "berka"))
    assert {row["state"] for row in again} == {"unchanged"}
    assert all(row["loaded"] == 0 for row in again)
    profile = shell.json("segment", "profile", "young_owners", "--as-of", "1998-12-31")
    assert profile["size"] == 1_131


def test_the_walk_through_hillstrom_gives_the_published_effects(real_data: Path, tmp_path: Path) -> None:
    shell, said = walked("hillstrom", real_data / "hillstrom", tmp_path)
    for words in ("7.659", "4.523", "0.6805", "0.3111", "0.7698", "0.4244"):
        assert words in said
    metrics = [w for name in ("visit_2w", "conversion_2w", "spend_2w") for w in ("--metric", name)]
    found = shell.json("review", "hillstrom", "--control", "none", *metrics, "--days", "14")
    by = {(r["metric"], r["arm"]): r["lift"]["interval"] for r in found["results"]}
    assert by["visit_2w", "mens"]["point"] == pytest.approx(0.0766, abs=5e-5)
    assert by["visit_2w", "womens"]["se"] == pytest.approx(0.0032, abs=5e-5)
    assert by["spend_2w", "mens"]["point"] == pytest.approx(77.0, abs=0.05)  # fen
    assert by["spend_2w", "womens"]["se"] == pytest.approx(13.0, abs=0.05)
