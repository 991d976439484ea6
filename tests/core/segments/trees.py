"""Random condition trees over the small bank, as the documents people write.

One generator serves short runs, where hypothesis plays the dice and shrinks, and long ones with a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

from kequn.core.spec.segment import SegmentSpec
from tests.core.segments.bank import AS_OF, CITIES, KINDS, STAGES, TAGS

Test = dict[str, Any]
Values = Callable[[Random], Any]
PERIODS = [
    "last 1 day", "last 3 days", "last 2 weeks", "last 1 month", "this week", "last week", "this month", "last month",
    "this quarter", "this year", "today", "yesterday", "2026-06-20 to 2026-06-28", "last 7 days",
]  # fmt: skip
TO_COME = ["next 2 days", "tomorrow", "next week", "next month", "next 1 month"]
RELATIVE_DAYS = ["today", "yesterday", "tomorrow", "2 days ago", "in 1 day", "start of this month", "end of this week"]
EARLIER_DAYS = ["6 days ago", "3 days ago", "yesterday", "2026-06-24", "2026-06-25", "end of last week"]


def _days(rng: Random) -> str:
    if rng.random() < 0.4:
        return rng.choice(RELATIVE_DAYS)
    return (AS_OF + timedelta(days=rng.randint(-3, 3))).isoformat()


def _fixed_day(rng: Random) -> str:
    return (AS_OF + timedelta(days=rng.randint(-3, 3))).isoformat()


def _times(rng: Random) -> str:
    return _fixed_day(rng) + rng.choice(["T00:30", "T09:30:00", "T12:00"])


VALUES: dict[str, Values] = {
    "boolean": lambda rng: rng.random() < 0.5,
    "integer": lambda rng: rng.randint(17, 25),
    "number": lambda rng: rng.choice([0, 0.1, 0.25, 0.3, "0.5", 1]),
    "money": lambda rng: rng.choice([-1, 0, 0.01, "0.99", 1, 2.5, 50000, "50000.01", 60000]),
    "date": _days,
}
BOUNDS: dict[str, Values] = VALUES | {"date": _fixed_day}


def _null_test(rng: Random) -> Test:
    return {"op": rng.choice(["known", "unknown"])}


def ordered(values: Values, bounds: Values | None = None) -> Callable[[Random], Test]:
    """Every test that a type with an order allows."""

    def test(rng: Random) -> Test:
        match rng.randint(0, 6):
            case 0:
                return _null_test(rng)
            case 1:
                ends = [(bounds or values)(rng) for _ in range(2)]
                return {"op": "between", "value": sorted(ends, key=_rank)}
            case 2:
                return {"op": "in", "value": [values(rng) for _ in range(rng.randint(1, 4))]}
            case _:
                return {"op": rng.choice(["=", "!=", "<", "<=", ">", ">="]), "value": values(rng)}

    return test


def dated(values: Values, bounds: Values, *ops: str) -> Callable[[Random], Test]:
    """Every test that a date allows."""

    def test(rng: Random) -> Test:
        if rng.random() < 0.4:
            return {"op": rng.choice(["during", *ops]), "value": rng.choice(PERIODS + TO_COME)}
        return ordered(values, bounds)(rng)

    return test


def texts(values: list[str]) -> Callable[[Random], Test]:
    """Every test that text allows; substrings are taken from the values themselves."""
    parts = sorted({v[i : i + n] for v in values for i in range(len(v)) for n in (1, 2, 3)})

    def test(rng: Random) -> Test:
        match rng.randint(0, 4):
            case 0:
                return _null_test(rng)
            case 1:
                return {"op": "contains", "value": rng.choice(parts)}
            case 2:
                return {"op": "in", "value": [rng.choice(values) for _ in range(rng.randint(1, 3))]}
            case _:
                return {"op": rng.choice(["=", "!="]), "value": rng.choice(values)}

    return test


def booleans(rng: Random) -> Test:
    """Every test that a truth value allows."""
    return _null_test(rng) if rng.random() < 0.3 else {"op": rng.choice(["=", "!="]), "value": rng.random() < 0.5}


def listed(rng: Random) -> Test:
    """Every test that a tag of several values allows."""
    match rng.randint(0, 3):
        case 0:
            return _null_test(rng)
        case 1:
            return {"op": "contains", "value": rng.choice(["I", "II", "III"])}
        case _:
            values = [rng.choice(["I", "II", "III"]) for _ in range(rng.randint(1, 3))]
            return {"op": rng.choice(["in", "contains_all"]), "value": values}


def _month_days(rng: Random) -> Test:
    if rng.random() < 0.5:
        return {"op": "anniversary", "value": rng.choice(PERIODS + TO_COME)}
    return texts(["06-30", "02-29"])(rng)


def _tests_of(name: str) -> Callable[[Random], Test]:
    by_name = {
        "demo_city": texts(CITIES),
        "demo_child_stage": texts(STAGES),
        "demo_birthday_md": _month_days,
        "model_cluster_spring": texts(["a", "b", "c"]),
    }
    by_type = {"list": listed, "boolean": booleans, "date": dated(_days, _fixed_day, "anniversary")}
    kind = TAGS[name].type
    return by_name.get(name) or by_type.get(kind) or ordered(VALUES[kind])


TESTS = {name: _tests_of(name) for name, tag in TAGS.items() if tag.sensitivity != "X"}
COLUMNS: dict[str, dict[str, Callable[[Random], Test]]] = {
    "transaction": {
        "category": texts(["payroll", "cash", "consumption"]),
        "direction": texts(["in", "out"]),
        "channel": texts(["app", "atm"]),
        "amount": ordered(lambda rng: rng.choice([0, 0.5, 1, 2.5])),
        "is_online": booleans,
        "booked_on": dated(_days, _fixed_day),
        "at": lambda rng: (ordered(_times) if rng.random() < 0.5 else dated(_days, _fixed_day))(rng),
    },
    "event": {
        "kind": texts(KINDS),
        "channel": texts(["app", "web"]),
        "amount": ordered(lambda rng: rng.choice([1, 2.5])),
    },
}


def tag_test(rng: Random) -> Test:
    """A test on a tag, now or on an earlier day."""
    name = rng.choice(sorted(TESTS))
    earlier = {"as_of": rng.choice(EARLIER_DAYS)} if rng.random() < 0.15 else {}
    return {"tag": name, **TESTS[name](rng), **earlier}


def rows(rng: Random, table: str | None = None) -> Test:
    """Rows of a table that meet up to two tests."""
    table = table or rng.choice(["transaction", "event"])
    chosen = [rng.choice(sorted(COLUMNS[table])) for _ in range(rng.choice([0, 1, 1, 2]))]
    return {"table": table, "where": [{"column": c, **COLUMNS[table][c](rng)} for c in chosen]}


def _window(rng: Random) -> Test:
    return {"within_days": rng.choice([1, 2, 3, 5, 8, 30])} if rng.random() < 0.6 else {"during": rng.choice(PERIODS)}


def behaviour(rng: Random) -> Test:
    """Did this so often, with such a sum, and not that since."""
    made = {**rows(rng), **_window(rng), "at_least": rng.randint(1, 3)}
    if rng.random() < 0.4:
        made |= {"sum_of": "amount", "sum_at_least": rng.choice([0, 1, "3.5"])}
    if rng.random() < 0.5:
        made["not_since"] = rows(rng)
    return {"did": made}


def sequence(rng: Random) -> Test:
    """This, then that, and not a third in between."""
    first = rows(rng)
    then = rows(rng, first["table"] if rng.random() < 0.6 else None)
    made = {"first": first, "then": then, "gap_days": rng.choice([0, 1, 2, 4, 9]), **_window(rng)}
    if rng.random() < 0.5:
        made["without"] = rows(rng)
    return {"sequence": made}


def _comparison(rng: Random) -> Test:
    measure = {"ratio": rng.choice([0, 0.5, 1, 1.5, "1.25"])} if rng.random() < 0.5 else {}
    return {"op": rng.choice(["<", "<=", ">", ">="]), **measure}


def trend(rng: Random) -> Test:
    """One period against another."""
    made = {**rows(rng), **_comparison(rng), "during": rng.choice(PERIODS)}
    made["against"] = rng.choice(["period before", "year before", *PERIODS])
    if rng.random() < 0.6:
        made["sum_of"] = "amount"
    if "ratio" not in made:
        made["difference"] = rng.choice([-2.5, -1, 0, 1]) if "sum_of" in made else rng.choice([-1, 0, 1])
    return {"trend": made}


def change(rng: Random) -> Test:
    """A tag against itself."""
    tag = rng.choice(["asset_aum", "demo_age", "txn_online"])
    made = {"tag": tag, "since": rng.choice(EARLIER_DAYS), **_comparison(rng)}
    if "ratio" not in made:
        made["difference"] = rng.choice([-1, 0, 1] if tag == "demo_age" else [-0.5, -0.01, 0, 0.25, 1])
    return {"change": made}


def rank(rng: Random, depth: int) -> Test:
    """A place in the bank or among some."""
    ways: list[Test] = [
        {"top": rng.randint(1, 12)}, {"bottom": rng.randint(1, 12)}, {"top_percent": rng.choice([10, 12.5, 50, 100])},
        {"bottom_percent": rng.choice([5, 33.33, 80])}, {"percentile": rng.choice([[0, 50], [25, 75.5], [50, 100]])},
    ]  # fmt: skip
    among = {"among": tree(rng, depth - 1)} if depth > 0 and rng.random() < 0.4 else {}
    return {
        "rank": {
            "tag": rng.choice(["asset_aum", "demo_age", "asset_matures", "txn_online"]),
            **rng.choice(ways),
            **among,
        }
    }


def reference_to(rng: Random) -> Test:
    """A list, a segment now or on an earlier day, or clusters."""
    match rng.randint(0, 5):
        case 0 | 1:
            return {"list": rng.choice(["vip", "vip", "empty"])}
        case 2:
            return {"segment": rng.choice(sorted(SEGMENTS))}
        case 3 | 4:
            return {"segment": rng.choice(sorted(SEGMENTS)), "as_of": rng.choice(EARLIER_DAYS)}
        case _:
            return {"cluster": {"set": "spring", "in": rng.sample(["a", "b", "c"], rng.randint(1, 2))}}


def leaf(rng: Random, depth: int) -> Test:
    """One condition."""
    match rng.randint(0, 11):
        case 0 | 1 | 2 | 3 | 4:
            return tag_test(rng)
        case 5:
            return behaviour(rng)
        case 6:
            return sequence(rng)
        case 7:
            return trend(rng)
        case 8:
            return change(rng)
        case 9:
            return rank(rng, depth)
        case _:
            return reference_to(rng)


def tree(rng: Random, depth: int = 3) -> Test:
    """A condition; mostly a group of several."""
    if depth == 0 or rng.random() < 0.35:
        return leaf(rng, depth)
    parts = [tree(rng, depth - 1) for _ in range(rng.choice([0, 1, 2, 2, 3, 3]))]
    match rng.randint(0, 8):
        case 0 | 1:
            return {"not": parts[0] if parts else leaf(rng, 0)}
        case 2 if parts:
            return {rng.choice(["union", "intersect"]): [rng.choice(["young", "recent"]), *parts]}
        case 3 if len(parts) > 1:
            return {"except": parts}
        case 4 | 5:
            return {"any": parts}
        case _:
            return {"all": parts}


DICE = st.randoms(use_true_random=False)
CONDITIONS: st.SearchStrategy[Test] = DICE.map(tree)
BEHAVIOURS: st.SearchStrategy[Test] = DICE.map(behaviour)


def segment(where: dict[str, Any], name: str = "s") -> SegmentSpec:
    """A segment with this condition."""
    return SegmentSpec.model_validate({"name": name, "title": "客群", "where": where})


RECENT = {
    "any": [
        {"did": {"table": "event", "during": "last 3 days"}},
        {"tag": "asset_matures", "op": "during", "value": "this month"},
        {"rank": {"tag": "asset_aum", "top": 5}},
    ]
}
SEGMENTS = {
    "young": SegmentSpec.model_validate(
        {
            "name": "young",
            "title": {"zh": "年轻客群", "en": "the young"},
            "where": {"not": {"tag": "demo_age", "op": ">", "value": 20}},
        }
    ),
    "recent": segment(RECENT, "recent"),
}


def _rank(value: Any) -> Any:
    return float(value) if not isinstance(value, str) or value.replace(".", "", 1).isdigit() else value
