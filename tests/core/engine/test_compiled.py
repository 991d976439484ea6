"""Processes that compile the same function for different types at once do not mix up what they keep."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

caching = pytest.importorskip("numba.core.caching")

from kequn.core.engine.compiled import LockedCacheFile  # noqa: E402 - numba is optional
from kequn.core.engine.index import counting, kernels  # noqa: E402

TYPES = ("uint8", "uint16", "int32", "int64", "float32")


def slow_file(folder: Path) -> Any:
    """A function's cache as one process opens it, with time for others between looking for a number and taking it."""
    file = caching.IndexDataCacheFile(str(folder), "loop-1.py311", source_stamp=1)
    look = file._load_index

    def slowly() -> Any:
        found = look()
        time.sleep(0.02)
        return found

    file._load_index = slowly
    return file


def written_at_once(folder: Path, opened: Callable[[], Any]) -> dict[str, Any]:
    """What the cache holds after a process for each type kept its own form at the same moment."""
    writers = [Thread(target=opened().save, args=(name, f"code for {name}")) for name in TYPES]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    reader = opened()
    return {name: reader.load(name) for name in TYPES}


def test_forms_kept_at_once_are_each_found_under_their_own_types(tmp_path: Path) -> None:
    found = written_at_once(tmp_path, lambda: LockedCacheFile(slow_file(tmp_path)))
    assert found == {name: f"code for {name}" for name in TYPES}


def test_without_the_lock_they_would_not_be(tmp_path: Path) -> None:
    found = written_at_once(tmp_path, lambda: slow_file(tmp_path))
    assert found != {name: f"code for {name}" for name in TYPES}


def test_where_nothing_can_be_written_the_cache_is_still_read(tmp_path: Path) -> None:
    LockedCacheFile(slow_file(tmp_path)).save("uint8", "code")
    (tmp_path / "loop-1.py311.nbi.lock").unlink()
    (tmp_path / "loop-1.py311.nbi.lock").mkdir()  # opening it to write fails
    assert LockedCacheFile(slow_file(tmp_path)).load("uint8") == "code"


@pytest.mark.parametrize("module", [kernels, counting])
def test_every_compiled_loop_of_the_index_is_kept_under_the_lock(module: Any) -> None:
    loops = [value for value in vars(module).values() if hasattr(value, "py_func")]
    assert len(loops) > 5
    assert all(isinstance(loop._cache._cache_file, LockedCacheFile) for loop in loops)
