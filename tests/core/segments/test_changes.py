"""Why customers joined and left: every one of them is told exactly once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.segments import members
from kequn.core.segments.changes import Changes, changes
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec

BEFORE, AFTER = date(2026, 6, 29), date(2026, 6, 30)
N = 40


def tag(name: str) -> TagSpec:
    return TagSpec(name=name, title=name, family="acct", type="integer", over="customer", expression="1", owner="x")


TAGS = {name: tag(name) for name in ("acct_a", "acct_b", "acct_c")}
LEAF = st.builds(
    lambda name, op, value: {"tag": name, "op": op, "value": value},
    st.sampled_from(sorted(TAGS)), st.sampled_from([">=", "<", "="]), st.integers(0, 3),
)  # fmt: skip
TREES = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda p: {"all": p})
        | st.lists(inner, min_size=1, max_size=3).map(lambda p: {"any": p})
        | inner.map(lambda p: {"not": p})
    ),
    max_leaves=5,
)


def segment(where: Any) -> SegmentSpec:
    return SegmentSpec(name="s", title="s", where=where)


def told(engine: Engine, spec: SegmentSpec, *, same: bool = True, was: SegmentSpec | None = None) -> Changes:
    old = members(engine, was or spec, tags=TAGS, segments={}, as_of=BEFORE)
    new = members(engine, spec, tags=TAGS, segments={}, as_of=AFTER)
    return changes(
        engine, spec, tags=TAGS, segments={}, before=BEFORE, after=AFTER, joined=np.setdiff1d(new, old),
        left=np.setdiff1d(old, new), same_definition=same,
    )  # fmt: skip


def two_days(bank: Callable[..., Engine], before: dict[str, list[Any]], after: dict[str, list[Any]]) -> Engine:
    n = len(after["acct_a"])
    return bank(customer=[{"ordinal": i} for i in range(n)], tags={BEFORE: before, AFTER: after})


def random_days(bank: Callable[..., Engine]) -> Engine:
    rng = np.random.default_rng(5)

    def columns() -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {
            name: [None if v == 4 else int(v) for v in rng.integers(0, 5, N)] for name in TAGS
        }
        return found | {"population": [bool(v) for v in rng.random(N) < 0.9]}

    return two_days(bank, columns(), columns())


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=TREES, was=TREES, same=st.booleans())
def test_the_reasons_add_up_to_those_who_joined_and_left(
    bank: Callable[..., Engine], where: Any, was: Any, same: bool
) -> None:
    engine = bank.opened if hasattr(bank, "opened") else random_days(bank)
    bank.opened = engine  # type: ignore[attr-defined]
    found = told(engine, segment(where), same=same, was=segment(where if same else was))
    for movement in (found.joined, found.left):
        alone = sum(cause.alone for cause in movement.causes)
        parts = movement.customers + movement.definition + movement.corrected + movement.several + alone
        assert parts == movement.total
        assert all(cause.alone <= cause.mattered <= movement.total for cause in movement.causes)
        if same:
            assert movement.definition == movement.corrected == 0


def test_of_two_conditions_the_one_that_turned_is_named(bank: Callable[..., Engine]) -> None:
    engine = two_days(
        bank,
        {"acct_a": [5, 0, 0, 5, 5], "acct_b": [0, 5, 0, 5, 5], "population": [True] * 5},
        {"acct_a": [5, 5, 5, 5, None], "acct_b": [5, 5, 5, 0, 5], "population": [True] * 5},
    )
    both = segment({"all": [{"tag": "acct_a", "op": ">=", "value": 3}, {"tag": "acct_b", "op": ">=", "value": 3}]})
    found = told(engine, both)
    assert found.joined.total == 3
    assert [(c.path, c.mattered, c.alone) for c in found.joined.causes] == [
        ("where.all.0", 2, 1),
        ("where.all.1", 2, 1),
    ]
    assert found.joined.several == 1
    assert [(c.path, c.alone) for c in found.left.causes] == [("where.all.0", 1), ("where.all.1", 1)]


def test_a_condition_that_turned_without_effect_is_not_blamed(bank: Callable[..., Engine]) -> None:
    engine = two_days(bank, {"acct_a": [0], "acct_b": [5]}, {"acct_a": [5], "acct_b": [0]})
    found = told(engine, segment({"all": [{"tag": "acct_a", "op": ">=", "value": 3}, {"not": {"all": [
        {"tag": "acct_b", "op": ">=", "value": 3}, {"tag": "acct_b", "op": "<", "value": 0}]}}]}))  # fmt: skip
    assert [c.alone for c in found.joined.causes] == [1, 0, 0]


def test_new_and_closed_customers_are_told_apart(bank: Callable[..., Engine]) -> None:
    engine = two_days(
        bank, {"acct_a": [5, None], "population": [True, False]}, {"acct_a": [None, 5], "population": [False, True]}
    )
    found = told(engine, segment({"tag": "acct_a", "op": ">=", "value": 3}))
    assert (found.joined.total, found.joined.customers) == (1, 1)
    assert (found.left.total, found.left.customers) == (1, 1)


def test_a_changed_definition_is_the_reason_where_no_data_moved(bank: Callable[..., Engine]) -> None:
    engine = two_days(bank, {"acct_a": [1, 5]}, {"acct_a": [1, 5]})
    wide, narrow = ({"tag": "acct_a", "op": ">=", "value": v} for v in (1, 3))
    found = told(engine, segment(wide), same=False, was=segment(narrow))
    assert (found.joined.total, found.joined.definition, found.left.total) == (1, 1, 0)
