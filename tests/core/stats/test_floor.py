"""Small cells of a table cannot be read, nor worked out from its sums."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kequn.core.stats.floor import LEAST, floored

TABLES = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.one_of(st.integers(0, 12), st.integers(0, 900)))
)


@given(table=TABLES)
def test_no_small_cell_is_told_and_none_is_the_only_one_left_out_of_its_line(table: np.ndarray) -> None:
    told, left_out = floored(table)
    hidden = table != told
    assert left_out == hidden.sum()
    assert not ((told > 0) & (told < LEAST)).any()
    assert (told[~hidden] == table[~hidden]).all()
    for cells, gone in [
        *zip(table, hidden, strict=True),
        *(zip(table.T, hidden.T, strict=True) if len(table) > 1 else ()),
    ]:
        assert gone.sum() != 1 or (cells > 0).sum() == 1  # alone in its line: nothing else could hide it


@given(table=TABLES)
def test_a_table_without_small_cells_is_told_whole(table: np.ndarray) -> None:
    large = np.where(table > 0, table + LEAST, 0)
    told, left_out = floored(large)
    assert left_out == 0
    assert (told == large).all()
