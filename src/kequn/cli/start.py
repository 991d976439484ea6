"""Starts Django for a command."""

from __future__ import annotations

import os

import django
from django.core.management import call_command


def start(**settings: str) -> None:
    """Make settings, apps and the runtime ready; ``settings`` are variables that the command itself decides (the demo's)."""
    os.environ |= settings
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kequn.server.settings")
    django.setup()


def migrate() -> None:
    """Bring the database up to date."""
    call_command("migrate", interactive=False, verbosity=0)
