"""After a refresh behaviours can be counted from postings; a full disk does not fail the refresh."""

from __future__ import annotations

import errno
from typing import Any

from kequn.ops.audiences import services
from tests.core.segments.bank import AS_OF, make_bank, open_bank


def test_a_refresh_leaves_the_postings_of_every_table_of_behaviours(tmp_path, monkeypatch):
    bank = open_bank(make_bank(1), tmp_path)
    monkeypatch.setattr(services, "engine", lambda: bank)
    services.prepare_behaviours(AS_OF)
    assert len(list((tmp_path / "index" / "_rows").iterdir())) == 2


def test_a_full_disk_is_left_for_sql_to_bear(tmp_path, monkeypatch):
    bank = open_bank(make_bank(1), tmp_path)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(services, "engine", lambda: bank)
    monkeypatch.setattr(services, "build_postings", full)
    services.prepare_behaviours(AS_OF)
