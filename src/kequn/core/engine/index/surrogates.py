"""Surrogate ids in sorted order, mapped from files: the ordinals of a few customers without a look at all of them."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kequn.core.engine.store import Store

FOLDER = "_ids"
Sorted = tuple[NDArray[np.bytes_], NDArray[np.uint32]]


def find_ordinals(store: Store, dictionary: str, ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the ordinal of each surrogate id, in the order given; -1 where the dictionary does not have it.

    The sorted ids are kept beside the index under the dictionary's name, and made when they are first asked for.
    """
    names, ordinals = _opened(store, dictionary)
    width = names.dtype.itemsize
    asked = [name.encode() for name in ids]
    usable = np.array([0 < len(a) <= width and b"\0" not in a for a in asked], dtype=np.bool_)
    wanted = np.array([a if ok else b"" for a, ok in zip(asked, usable, strict=True)], dtype=names.dtype)
    if not len(names):
        return np.full(len(ids), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(usable & (names[at] == wanted), ordinals[at].astype(np.int64), -1)


def _opened(store: Store, dictionary: str) -> Sorted:
    folder = store.root / "index" / FOLDER / PurePosixPath(dictionary).stem
    return _read(folder, store.path(dictionary))


@lru_cache(maxsize=4)
def _read(folder: Path, source: Path) -> Sorted:
    try:
        return _mapped(folder)
    except (OSError, ValueError):
        made = _sorted(source)
    work = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        work.mkdir(parents=True)
        for name, values in zip(("ids", "ordinals"), made, strict=True):
            np.save(work / f"{name}.npy", values)
        work.rename(folder)
        return _mapped(folder)
    except OSError:  # another process made the same meanwhile, or there is no space: this one has it in memory then
        return made
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _mapped(folder: Path) -> Sorted:
    ids, ordinals = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "ordinals"))
    return np.asarray(ids), np.asarray(ordinals)


def _sorted(source: Path) -> Sorted:
    table = pq.read_table(source, columns=["customer_id", "ordinal"])
    names = table["customer_id"].to_numpy().astype("S")
    order = np.argsort(names)
    return names[order], table["ordinal"].to_numpy()[order].astype(np.uint32)
