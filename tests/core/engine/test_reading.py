"""The values of some customers out of a column are those that were written, also where a day's changes lie over it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kequn.core.engine.duck import Engine
from kequn.core.engine.index.reading import values_at
from tests.core.engine.test_changes import Days
from tests.core.engine.wide_bank import TYPES


def plain(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return value.astype(object)
    return value.item() if hasattr(value, "item") else value


@pytest.mark.parametrize("seed", range(6))
def test_any_customers_values_are_as_written_and_strangers_have_none(tmp_path: Path, seed: int) -> None:
    bank = Days(tmp_path, seed, days=3, size=150)
    engine = Engine(bank.store)
    for day, values in bank.values.items():
        size = len(bank.present[day])
        ordinals = np.array([-1, *np.random.default_rng(seed).permutation(size)[:60], size + 5_000])
        for name in TYPES:
            column = engine.index(day).columns[name]
            found = values_at(column, ordinals)
            written = [values[name][i] if 0 <= i < size else None for i in ordinals.tolist()]
            if column.kind == "text":
                assert not found.known.any()
                continue
            assert found.known.tolist() == [v is not None for v in written], (name, day)
            for value, is_known, wanted in zip(found.values, found.known, written, strict=True):
                if is_known:
                    shown = plain(value)
                    is_same = set(shown) == set(wanted) - {None} if column.kind == "set" else shown == wanted
                    assert is_same, (name, day, shown, wanted)
    engine.close()


def test_nobody_is_asked_for(tmp_path: Path) -> None:
    bank = Days(tmp_path, 1, days=0, size=80)
    engine = Engine(bank.store)
    found = values_at(
        engine.index(max(bank.values, key=date.toordinal)).columns[next(iter(TYPES))], np.array([], dtype=np.int64)
    )
    assert len(found.values) == len(found.known) == 0
    engine.close()
