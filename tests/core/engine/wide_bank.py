"""A bank whose tags have every kind of column, as rows of plain Python, as a store, and its plans judged row by row."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from kequn.core.engine.index import Column
from kequn.core.engine.index.layout import days_of
from kequn.core.engine.index.plan import All, Among, CodeIn, Known, Not, Plan, Range
from kequn.core.engine.index.plan import Any as AnyOf
from kequn.core.engine.store import DateState, Draft, Store, TagState

AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
TYPES: dict[str, pa.DataType] = {
    "acct_flag": pa.bool_(),
    "acct_all_known": pa.bool_(),
    "demo_city": pa.string(),
    "demo_street": pa.string(),
    "demo_nothing": pa.string(),
    "asset_aum": pa.int64(),
    "asset_debt": pa.int64(),
    "txn_visits": pa.int32(),
    "model_score": pa.float64(),
    "model_half": pa.float64(),
    "asset_matures": pa.date32(),
    "asset_forever": pa.date32(),
    "acct_class": pa.list_(pa.string()),
}
NUMBERS = ("asset_aum", "asset_debt", "txn_visits", "model_score", "model_half", "asset_matures", "asset_forever")
CODED = ("demo_city", "demo_street", "acct_class", "acct_flag", "acct_all_known")


def make_values(seed: int, size: int) -> dict[str, list[Any]]:
    """Values of each tag, ``None`` where unknown: zero-inflated, spread over many bins, few and many texts, holes."""
    rng = random.Random(seed)

    def column(draw: Any, holes: float = 0.2) -> list[Any]:
        return [None if rng.random() < holes else draw() for _ in range(size)]

    return {
        "acct_flag": column(lambda: rng.random() < 0.3),
        "acct_all_known": column(lambda: rng.random() < 0.5, holes=0),
        "demo_city": column(lambda: rng.choice(["上海", "北京", "", "广州", "深圳"])),
        "demo_street": column(lambda: f"{rng.randrange(400)} 号"),
        "demo_nothing": [None] * size,
        "asset_aum": column(lambda: rng.choice([0, 0, 0, rng.randrange(10**7), -rng.randrange(10**4)])),
        "asset_debt": column(lambda: rng.choice([0, rng.randrange(10**12)])),
        "txn_visits": column(lambda: rng.randrange(9)),
        "model_score": column(lambda: rng.choice([rng.random(), -0.0, 0.1, math.nan, -1e300])),
        "model_half": column(lambda: rng.randrange(-8, 8) / 2),
        "asset_matures": column(lambda: AS_OF + timedelta(days=rng.randrange(-400, 400))),
        "asset_forever": column(lambda: rng.choice([date(9999, 12, 31), date(1, 1, 1), AS_OF])),
        "acct_class": column(lambda: rng.sample(["I", "II", "III", None], rng.randrange(4))),
    }


def write_date(draft: Draft, values: dict[str, list[Any]], present: list[bool], *, day: date = AS_OF) -> DateState:
    """Write the values as the tags of a date."""
    draft.manifest.ordinals = max(draft.manifest.ordinals, len(present))
    path, population = draft.new_file("population", "present")
    pq.write_table(pa.table({"value": pa.array(present)}), path)
    state = DateState(population=population, customers=sum(present))
    for name, column in values.items():
        path, relative = draft.new_file("tags", name)
        pq.write_table(pa.table({"value": pa.array(column, type=TYPES[name])}), path, row_group_size=100)
        known = sum(v is not None for v in column)
        state.tags[name] = TagState(file=relative, fingerprint="0" * 12, known=known, computed_at=NOW)
    draft.manifest.dates[day.isoformat()] = state
    return state


def write_store(root: Path, values: dict[str, list[Any]], present: list[bool]) -> Store:
    """Write the bank into a store of its own."""
    store = Store(root)
    with store.writing(now=NOW) as draft:
        write_date(draft, values, present)
    return store


def number_of(value: Any) -> Any:
    """A value as number and day columns hold it."""
    if isinstance(value, date):
        return days_of(value)
    return math.inf if isinstance(value, float) and math.isnan(value) else value


def holds(plan: Plan, row: dict[str, Any], columns: dict[str, Column]) -> bool:
    """Whether one customer meets a plan."""
    match plan:
        case All(parts=parts):
            return all(holds(part, row, columns) for part in parts)
        case AnyOf(parts=parts):
            return any(holds(part, row, columns) for part in parts)
        case Not(part=part):
            return not holds(part, row, columns)
    value = row[plan.tag]
    if value is None:
        return False
    match plan:
        case Known():
            return True
        case CodeIn(codes=codes):
            meant = [(columns[plan.tag].values or ())[code - 1] for code in codes]
            return any(v in meant for v in value) if isinstance(value, list) else value in meant
        case Range(low=low, high=high):
            number = number_of(value)
            return (low is None or number >= low) and (high is None or number <= high)
        case Among(values=values):
            return number_of(value) in values


def plans(values: dict[str, list[Any]], columns: dict[str, Column]) -> st.SearchStrategy[Plan]:
    """Random plans whose bounds are mostly values that occur, or stand right beside one."""

    def bounds(tag: str) -> st.SearchStrategy[Any]:
        there = sorted({number_of(v) for v in values[tag] if v is not None}) or [0]
        near = st.sampled_from(there).flatmap(
            lambda v: st.sampled_from([v, v - 1, v + 1]) if v != math.inf else st.just(5)
        )
        return near.map(lambda v: v if columns[tag].exact.dtype.kind == "f" else int(v))  # type: ignore[union-attr]

    def coded(tag: str) -> st.SearchStrategy[Plan]:
        codes = st.integers(1, max(len(columns[tag].values or ()), 1))
        some = st.lists(codes, max_size=60, unique=True).map(tuple)
        return some.map(lambda c: CodeIn(tag, c)) if columns[tag].values else st.just(Known(tag))

    def ranged(tag: str) -> st.SearchStrategy[Plan]:
        return st.one_of(
            st.tuples(bounds(tag) | st.none(), bounds(tag) | st.none()).map(lambda ends: Range(tag, *ends)),
            bounds(tag).map(lambda v: Range(tag, v, v)),
            st.lists(bounds(tag), max_size=5).map(lambda v: Among(tag, tuple(v))),
        )

    leaf = st.one_of(
        st.sampled_from(CODED).flatmap(coded),
        st.sampled_from(NUMBERS).flatmap(ranged),
        st.sampled_from(sorted(TYPES)).map(Known),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(lambda parts: All(tuple(parts))),
            st.lists(inner, max_size=4).map(lambda parts: AnyOf(tuple(parts))),
            inner.map(Not),
        ),
        max_leaves=9,
    )
