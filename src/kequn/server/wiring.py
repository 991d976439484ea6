"""Installs the runtime from the settings; called once per process, when Django is ready."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.conf import settings

from kequn.core.engine.store import Store
from kequn.ops.runtime import Runtime, install
from kequn.server.channels import wire_channels
from kequn.server.settings import secret


def wire() -> None:
    """Give services their store, keys and clock."""
    install(
        Runtime(
            store=Store(settings.STORE),
            data_folder=settings.DATA_FOLDER,
            tag_folders=tuple(settings.TAG_FOLDERS),
            field_key=settings.FIELD_KEY,
            index_key=settings.INDEX_KEY,
            audit_key=settings.AUDIT_KEY,
            pseudonym_key=settings.PSEUDONYM_KEY,
            secret=secret,
            clock=_clock(settings.CLOCK_OFFSET),
        )
    )
    wire_channels()


def _clock(offset: float) -> Callable[[], datetime]:
    shift = timedelta(seconds=offset)
    return lambda: datetime.now(UTC) + shift
