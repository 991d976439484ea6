"""Starts Django for a command."""

from __future__ import annotations

import os
from pathlib import Path

import django


def start(home: Path | None = None) -> None:
    """Make settings, apps and the runtime ready; ``home`` is where the installation keeps its files unless the environment says."""
    if home is not None:
        os.environ.setdefault("KEQUN_HOME", str(home))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kequn.server.settings")
    django.setup()
