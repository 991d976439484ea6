"""Between the analytical store's ordinals and the surrogate ids that the rest of kequn knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from kequn.core.engine.duck import Engine, literal
from kequn.core.engine.index.surrogates import find_ordinals

Ordinals = np.ndarray[Any, np.dtype[np.uint32]]


def customer_ids_of(bank: Engine, ordinals: Ordinals) -> list[str]:
    """Return the surrogate id of each ordinal, in the order given."""
    if not len(ordinals):
        return []
    asked = pa.table(
        {"ordinal": pa.array(ordinals, pa.uint32()), "position": pa.array(range(len(ordinals)), pa.uint32())}
    )
    bank.register("ids_asked", asked)
    query = f"SELECT d.customer_id FROM ids_asked a JOIN {_dictionary(bank)} d USING (ordinal) ORDER BY a.position"
    return bank.arrow(query)["customer_id"].to_pylist()  # type: ignore[no-any-return]


def ordinals_of(bank: Engine, customer_ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the ordinal of each surrogate id, in the order given; -1 where there is none."""
    if not len(customer_ids) or bank.manifest.dictionary is None:
        return np.full(len(customer_ids), -1, dtype=np.int64)
    return find_ordinals(bank.store, bank.manifest.dictionary, customer_ids)


def _dictionary(bank: Engine) -> str:
    if bank.manifest.dictionary is None:
        return "(SELECT 0::UINTEGER AS ordinal, '' AS customer_id LIMIT 0)"
    return f"read_parquet({literal(str(bank.store.path(bank.manifest.dictionary)))})"
