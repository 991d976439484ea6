"""What each customer had and received, by customer: summed once for a state of the data, so that a group's sum is a masked one.

The arrays are files that never change, mapped into memory, in a folder named by a hash of what they were made from. A ledger
that is not there yet is made when it is asked for; the refresh's follower asks first, so that no page waits for it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.duck import Engine
from kequn.core.errors import NoData, StoreFull
from kequn.core.insight.periods import Period

LAYOUT = 1
"""Raised when the same tables would give other arrays."""
FOLDER = "insight/ledger"
READ = ("customer", "holding", "transaction")
KEPT = 2
"""Folders that stay: the newest and the one before it."""
STALE_SECONDS = 86_400
"""So much older than the newest, an unfinished folder belongs to a process that died."""
NO_ROW, NO_DAY = 2_147_483_647, 2_147_483_646
"""Days of opening of an ordinal without a customer, and of a customer without a day; both later than any date."""
EPOCH = date(1970, 1, 1)
DAYS, MONTHS = 31, 12
PARTS = ("held", "receipts", "inflow", "outflow", "came_by_day", "came_by_month")
"""The sums by part, in the order of the fields of a ledger."""

Flags = npt.NDArray[np.bool_]
_making = threading.Lock()


@dataclass(frozen=True, slots=True)
class ByPart:
    """Amounts by part (a day of the month, a month, a family) and customer: those of part p are at ``starts[p]:starts[p + 1]``."""

    starts: npt.NDArray[np.int64]
    ordinal: npt.NDArray[np.uint32]
    """Ascending within a part."""
    amount: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, part: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[Any]]:
        """Return ordinals and amounts of one part."""
        at = slice(int(self.starts[part]), int(self.starts[part + 1]))
        return self.ordinal[at], self.amount[at]

    def among(self, chosen: Flags, part: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Return ordinals and amounts of one part of the chosen ones (one flag an ordinal)."""
        ordinal, amount = self.of(part)
        mine = np.flatnonzero(chosen.take(ordinal))  # places are taken several times as fast as flags are followed
        return ordinal.take(mine), amount.take(mine).astype(np.int64)

    def totals(self, chosen: Flags) -> list[int]:
        """Return the sum of each part over the chosen ones."""
        return [int(self.among(chosen, part)[1].sum()) for part in range(len(self))]

    def holders(self, chosen: Flags) -> int:
        """Return how many of the chosen have anything in any part."""
        found = np.zeros(len(chosen), dtype=bool)
        for part in range(len(self)):
            found[self.of(part)[0]] = True
        return int((found & chosen).sum())


@dataclass(frozen=True, slots=True)
class Ledger:
    """Sums by customer on a business date; money is fen, ordinals count from 0."""

    as_of: date
    periods: tuple[Period, ...]
    """Months with holdings by the date; none without holdings."""
    flows: tuple[Period, ...]
    """The last twelve of them that are whole; the latest where none is."""
    opened: npt.NDArray[np.int32]
    """Day the customer opened, from 1970-01-01; ``NO_ROW`` and ``NO_DAY`` where there is none."""
    assets: npt.NDArray[np.int64]
    """(period, ordinal): balances of the families that are assets."""
    level: npt.NDArray[np.int64]
    """Month-average assets at the end of the last period."""
    held: ByPart
    """Positive positions at the end of the last period, by family."""
    receipts: ByPart
    """How often money came in from outside during ``flows``, by day of the month."""
    inflow: ByPart
    """Money from outside during ``flows``, by their number."""
    outflow: ByPart
    came_by_day: ByPart
    """Money from outside in the 365 days that end with the date, by day of the month."""
    came_by_month: ByPart
    """The same by month of the year."""

    def chosen(self, ordinals: npt.NDArray[Any]) -> Flags:
        """Return one flag an ordinal: whether it is among these."""
        flags = np.zeros(len(self.opened), dtype=bool)
        flags[ordinals[ordinals < len(flags)]] = True
        return flags


def ledger(engine: Engine, as_of: date) -> Ledger:
    """Return the sums by customer for a date, made first where they are not kept for this state of the data.

    Raises:
        StoreFull: there is no space to keep them.
    """
    folder = _folder(engine, as_of)
    found = _read(folder)
    if found is None:
        with _making:  # several parts of a page ask at once: one makes it, the others wait
            found = _read(folder) or _made(engine, as_of, folder)
    return found


def whole_months(found: Ledger) -> Ledger:
    """Return the same ledger.

    Raises:
        NoData: it has no months: there were no holdings by its date.
    """
    if not found.periods:
        raise NoData(
            f"There are no holdings by {found.as_of}.", hint="Load the holdings table.", as_of=str(found.as_of)
        )
    return found


def _made(engine: Engine, as_of: date, folder: Path) -> Ledger:
    from kequn.core.insight.entering import enter

    work = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        work.mkdir(parents=True)
        facts = enter(engine, as_of, work)
        (work / "ledger.json").write_text(json.dumps(facts))
        if _read(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
            work.rename(folder)
    except OSError as error:
        if _read(folder) is None:  # else another process put the same there meanwhile
            raise StoreFull(
                "The sums by customer could not be kept.", hint=f"Make room for the store: {error.strerror}."
            ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    found = _read(folder)
    if found is None:
        raise StoreFull("The sums by customer were not kept whole.", hint="Look at the store's disk.")
    _sweep(folder)
    return found


def _sweep(newest: Path) -> None:
    """Remove what no reader asks for any more; a mapping that is open stays readable when its file is gone."""
    moment = newest.stat().st_mtime
    others = [f for f in newest.parent.iterdir() if f != newest]
    made = [f for f in others if not f.name.startswith(".")]
    old = sorted(made, key=lambda f: f.stat().st_mtime, reverse=True)[KEPT - 1 :]
    left = [f for f in others if f.name.startswith(".") and f.stat().st_mtime < moment - STALE_SECONDS]
    for folder in [*old, *left]:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(engine: Engine, as_of: date) -> Path:
    tables = engine.manifest.tables
    files = {name: [tables[name].files, tables[name].columns] for name in READ if name in tables}
    text = json.dumps([LAYOUT, files, engine.manifest.ordinals, as_of.isoformat()], sort_keys=True)
    return engine.store.path(FOLDER) / hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _read(folder: Path) -> Ledger | None:
    try:
        facts: dict[str, Any] = json.loads((folder / "ledger.json").read_text())
        opened, assets, level = (np.load(folder / f"{n}.npy", mmap_mode="r") for n in ("opened", "assets", "level"))
        parts = [_by_part(folder / name) for name in PARTS]
    except (OSError, ValueError):
        return None
    periods, flows = (
        tuple(Period(date.fromisoformat(a), date.fromisoformat(b)) for a, b in facts[name])
        for name in ("periods", "flows")
    )
    return Ledger(date.fromisoformat(facts["as_of"]), periods, flows, opened, assets, level, *parts)


def _by_part(stem: Path) -> ByPart:
    starts, ordinal, amount = (np.load(f"{stem}.{name}.npy", mmap_mode="r") for name in ("starts", "ordinal", "amount"))
    return ByPart(np.asarray(starts), np.asarray(ordinal), np.asarray(amount))
