"""Random condition trees over the small bank, as the documents people write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from kequn.core.spec.segment import SegmentSpec
from tests.core.segments.bank import AS_OF, CITIES, KINDS, STAGES, TAGS

NULL_TESTS = st.sampled_from([{"op": "known"}, {"op": "unknown"}])
DAYS = st.integers(-3, 3).map(lambda d: (AS_OF + timedelta(days=d)).isoformat())
TIMES = st.tuples(DAYS, st.sampled_from(["", "T00:30", "T09:30:00", "T12:00"]))
YUAN = st.sampled_from([-1, 0, 0.01, "0.99", 1, 2.5, 50000, "50000.01", 60000])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(17, 25),
    "number": st.sampled_from([0, 0.1, 0.25, 0.3, "0.5", 1]),
    "money": YUAN,
    "date": DAYS,
}


def ordered(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Every test that a type with an order allows."""
    low_high = st.lists(values, min_size=2, max_size=2).map(lambda v: sorted(v, key=_rank))
    return st.one_of(
        st.builds(lambda op, v: {"op": op, "value": v}, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), values),
        low_high.map(lambda v: {"op": "between", "value": v}),
        st.lists(values, min_size=1, max_size=4).map(lambda v: {"op": "in", "value": v}),
        NULL_TESTS,
    )


def texts(values: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Every test that text allows; substrings are taken from the values themselves."""
    one = st.sampled_from(values)
    parts = st.sampled_from(sorted({v[i : i + n] for v in values for i in range(len(v)) for n in (1, 2, 3)}))
    return st.one_of(
        st.builds(lambda op, v: {"op": op, "value": v}, st.sampled_from(["=", "!="]), one),
        st.lists(one, min_size=1, max_size=3).map(lambda v: {"op": "in", "value": v}),
        parts.map(lambda v: {"op": "contains", "value": v}),
        NULL_TESTS,
    )


def booleans() -> st.SearchStrategy[dict[str, Any]]:
    """Every test that a truth value allows."""
    pairs = st.tuples(st.sampled_from(["=", "!="]), st.booleans())
    return st.one_of(pairs.map(lambda p: {"op": p[0], "value": p[1]}), NULL_TESTS)


CLASSES = st.sampled_from(["I", "II", "III"])
LISTS = st.one_of(
    CLASSES.map(lambda v: {"op": "contains", "value": v}),
    st.lists(CLASSES, min_size=1, max_size=3).map(lambda v: {"op": "in", "value": v}),
    NULL_TESTS,
)


def tests_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Tests on one tag."""
    if name == "demo_city":
        return texts(CITIES)
    if name == "demo_child_stage":
        return texts(STAGES)
    if TAGS[name].type == "list":
        return LISTS
    return booleans() if TAGS[name].type == "boolean" else ordered(VALUES[TAGS[name].type])


TAG_TESTS = st.sampled_from([n for n in TAGS if TAGS[n].sensitivity != "X"]).flatmap(
    lambda name: tests_of(name).map(lambda test: {"tag": name, **test})
)
COLUMNS: dict[str, dict[str, st.SearchStrategy[dict[str, Any]]]] = {
    "transaction": {
        "category": texts(["payroll", "cash", "consumption"]),
        "direction": texts(["in", "out"]),
        "channel": texts(["app", "atm"]),
        "amount": ordered(st.sampled_from([0, 0.5, 1, 2.5])),
        "is_online": booleans(),
        "booked_on": ordered(DAYS),
        "at": st.one_of(
            ordered(DAYS), ordered(st.builds(lambda d, t: d + t, DAYS, st.sampled_from(["T00:30", "T12:00"])))
        ),
    },
    "event": {
        "kind": texts(KINDS),
        "channel": texts(["app", "web"]),
        "amount": ordered(st.sampled_from([1, 2.5])),
    },
}


def rows(table: str) -> st.SearchStrategy[dict[str, Any]]:
    """Rows of a table that meet up to two tests."""
    columns = COLUMNS[table]
    column = st.sampled_from(sorted(columns)).flatmap(lambda c: columns[c].map(lambda test: {"column": c, **test}))
    return st.lists(column, max_size=2).map(lambda where: {"table": table, "where": where})


ROWS = st.sampled_from(["transaction", "event"]).flatmap(rows)
SUMS = st.one_of(st.just({}), st.sampled_from([0, 1, "3.5"]).map(lambda v: {"sum_of": "amount", "sum_at_least": v}))
SINCE = st.one_of(st.just({}), ROWS.map(lambda r: {"not_since": r}))
BEHAVIOURS = st.builds(
    lambda r, days, least, total, since: {"did": {**r, "within_days": days, "at_least": least, **total, **since}},
    ROWS,
    st.integers(1, 8),
    st.integers(1, 3),
    SUMS,
    SINCE,
)
LEAVES = st.one_of(TAG_TESTS, TAG_TESTS, BEHAVIOURS, st.just({"list": "vip"}), st.just({"segment": "young"}))
CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda parts: {"all": parts}),
        st.lists(inner, max_size=4).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=10,
)
SEGMENTS = {
    "young": SegmentSpec.model_validate(
        {
            "name": "young",
            "title": {"zh": "年轻客群", "en": "the young"},
            "where": {"not": {"tag": "demo_age", "op": ">", "value": 20}},
        }
    )
}


def segment(where: dict[str, Any], name: str = "s") -> SegmentSpec:
    """A segment with this condition."""
    return SegmentSpec.model_validate({"name": name, "title": "客群", "where": where})


def _rank(value: Any) -> Any:
    return float(value) if not isinstance(value, str) or value.replace(".", "", 1).isdigit() else value
