"""Runs the commands of a tutorial as a reader would, in a folder of its own, and stops at the first that fails.

Every ```bash block is run; the words of the following ```text block, where there is one, must appear in what it printed
(a line `…` stands for anything).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXPORT = re.compile(r"^export (\w+)=(\S+)$", re.MULTILINE)
BLOCK = re.compile(r"```(bash|text)\n(.*?)```", re.DOTALL)


def main(page: Path) -> None:
    """Run one page."""
    work = Path(tempfile.mkdtemp(prefix="tutorial-"))
    shutil.copytree(ROOT / "examples", work / "examples")
    environment = os.environ | {
        "KEQUN_HOME": str(work / "var"),
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "COLUMNS": "200",
    }
    printed, ran = "", 0
    try:
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if kind == "bash":
                environment |= dict(EXPORT.findall(text))
                result = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", text],
                    cwd=work,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                printed = result.stdout + result.stderr
                if result.returncode:
                    sys.exit(f"{page}: failed with {result.returncode}:\n{text}\n{printed}")
                ran += 1
            else:
                for words in (line.strip() for line in text.splitlines()):
                    if words and words != "…" and words not in printed:
                        sys.exit(f"{page}: expected {words!r} in:\n{printed}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{page}: {ran} blocks ran")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
