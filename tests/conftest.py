"""What all tests share: where the real data are, and the bank's fixed cast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

settings.register_profile("kequn", deadline=None)  # a busy machine is no defect
settings.register_profile(
    "ci", deadline=None, derandomize=True
)  # what fails there fails again; new cases are sought here
settings.load_profile("ci" if os.environ.get("CI") == "true" else "kequn")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    """Let the middleware that serves static files look for them once a process, as on a server, not once for each test client."""
    found: dict[str, StaticFile] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def look_once(self: WhiteNoiseMiddleware) -> None:
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", look_once)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data sets; skip without it, fail without it under CI."""
    folder = Path(os.environ.get("KEQUN_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ANCHORS.md").exists():
        reason = f"the real data sets are not at {folder}; set KEQUN_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
