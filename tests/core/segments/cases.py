"""A hundred and fifty fixed rules, each a sentence of the language, with a name.

They are answered by every engine there is here and compared with the plain telling; their SQL is kept as text for all
dialects. After a wanted change: ``python -m tests.core.segments.cases`` writes the texts anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kequn.core.segments import DIALECTS, EXECUTED, members_sql
from tests.core.segments.bank import AS_OF, EARLIER, TAGS
from tests.core.segments.trees import PERIODS, SEGMENTS, TO_COME, segment

GOLDEN = Path(__file__).parent / "golden"
Where = dict[str, Any]
VIEW = {"table": "event", "where": [{"column": "kind", "value": "view"}]}
BUY = {"table": "event", "where": [{"column": "kind", "value": "buy"}]}
LOGIN = {"table": "event", "where": [{"column": "kind", "value": "login"}]}
PAYROLL = {"table": "transaction", "where": [{"column": "category", "value": "payroll"}]}
INFLOW = {"table": "transaction", "where": [{"column": "direction", "value": "in"}]}
SPENT = {"table": "transaction", "where": [{"column": "direction", "value": "out"}]}
YOUNG, VIP = {"segment": "young"}, {"list": "vip"}
OLD = {"tag": "demo_age", "op": ">=", "value": 21}
RICH = {"tag": "asset_aum", "op": ">=", "value": 50000}
PRESCHOOL = {"tag": "demo_child_stage", "value": "0-5"}
PAID = {"tag": "acct_payroll", "value": True}


def _tag_tests() -> dict[str, Where]:
    tests: dict[str, list[tuple[str, Any]]] = {
        "acct_payroll": [("=", True), ("=", False), ("!=", True), ("known", None), ("unknown", None)],
        "demo_age": [("=", 20), ("!=", 20), ("<", 20), ("<=", 20), (">", 20), (">=", 20), ("between", [19, 22]), ("in", [18, 24])],
        "txn_online": [("=", 0.1), ("!=", 0.3), (">=", 0.25), ("<", 0.3), ("between", [0.1, 0.5]), ("in", [0, 1])],
        "asset_aum": [("=", 0), (">", 50000), ("<=", "0.99"), ("between", [-1, 1]), ("in", [0.01, 50000.01]), ("unknown", None)],
        "asset_matures": [("=", "2026-06-30"), ("<", "2026-06-30"), ("between", ["2026-02-28", "2026-06-30"]), ("known", None)],
        "demo_city": [("=", "上海"), ("=", ""), ("!=", "O'Brien"), ("in", ["a\\b", 'quo"te']), ("contains", "%_"), ("contains", "'"),
                      ("contains", "\\"), ("contains", "!"), ("unknown", None)],
        "demo_child_stage": [("=", "0-5"), ("in", ["6-11", "18-25"]), ("contains", "1")],
        "acct_class": [("contains", "I"), ("in", ["I", "III"]), ("contains_all", ["I", "II"]), ("contains_all", ["III"]), ("known", None)],
    }  # fmt: skip
    named = {}
    for tag, found in tests.items():
        for n, (op, value) in enumerate(found, start=1):
            named[f"{tag}_{n}"] = {"tag": tag, "op": op} | ({} if value is None else {"value": value})
    return named


def _dates() -> dict[str, Where]:
    during = {
        f"during_{n:02}": {"tag": "asset_matures", "op": "during", "value": p} for n, p in enumerate(PERIODS + TO_COME)
    }
    yearly = ["today", "this month", "next 2 days", "last 1 month", "this year", "2026-02-20 to 2026-03-01"]
    anniversary = {
        f"anniversary_{n}": {"tag": "asset_matures", "op": "anniversary", "value": p} for n, p in enumerate(yearly)
    }
    birthday = {
        f"birthday_{n}": {"tag": "demo_birthday_md", "op": "anniversary", "value": p} for n, p in enumerate(yearly)
    }
    days = ["today", "2 days ago", "in 1 day", "start of this month", "end of this quarter"]
    told = {f"day_{n}": {"tag": "asset_matures", "op": "<=", "value": day} for n, day in enumerate(days)}
    return during | anniversary | birthday | told


def _behaviours() -> dict[str, Where]:
    made: dict[str, Where] = {
        "did_once": {**VIEW, "within_days": 7},
        "did_today": {**VIEW, "within_days": 1},
        "did_twice": {**VIEW, "within_days": 30, "at_least": 2},
        "did_anything": {"table": "transaction", "within_days": 3660},
        "did_with_a_sum": {**INFLOW, "within_days": 30, "sum_of": "amount", "sum_at_least": "2.50"},
        "did_twice_with_a_sum": {**SPENT, "within_days": 8, "at_least": 2, "sum_of": "amount", "sum_at_least": 1},
        "did_not_since": {**VIEW, "within_days": 7, "not_since": BUY},
        "did_not_since_elsewhere": {**VIEW, "within_days": 7, "at_least": 2, "not_since": PAYROLL},
        "did_not_since_itself": {**VIEW, "within_days": 7, "not_since": {"table": "event"}},
        "did_last_month": {**INFLOW, "during": "last month"},
        "did_this_month": {**INFLOW, "during": "this month", "at_least": 2},
        "did_last_week_not_since": {**VIEW, "during": "last week", "not_since": BUY},
        "did_in_fixed_days": {**SPENT, "during": "2026-06-20 to 2026-06-28"},
        "did_at_a_time": {"table": "transaction", "within_days": 9, "where": [{"column": "at", "op": ">", "value": "2026-06-28T09:30"}]},
        "did_on_a_day_of_times": {"table": "transaction", "within_days": 9, "where": [{"column": "at", "value": "yesterday"}]},
        "did_by_no_channel": {"table": "event", "within_days": 9, "where": [{"column": "channel", "op": "unknown"}]},
    }  # fmt: skip
    return {name: {"did": did} for name, did in made.items()}


def _sequences() -> dict[str, Where]:
    made: dict[str, Where] = {
        "then_same_day": {"first": VIEW, "then": BUY, "gap_days": 0, "within_days": 30},
        "then_within_days": {"first": VIEW, "then": BUY, "gap_days": 3, "within_days": 30},
        "then_without": {"first": VIEW, "then": BUY, "gap_days": 5, "within_days": 30, "without": LOGIN},
        "then_elsewhere": {"first": PAYROLL, "then": VIEW, "gap_days": 2, "within_days": 30},
        "then_elsewhere_without": {"first": VIEW, "then": SPENT, "gap_days": 4, "within_days": 30, "without": BUY},
        "then_again": {"first": VIEW, "then": VIEW, "gap_days": 9, "within_days": 60},
        "then_overlapping": {"first": {"table": "event"}, "then": BUY, "gap_days": 3, "during": "this month", "without": LOGIN},
        "then_last_month": {"first": INFLOW, "then": SPENT, "gap_days": 10, "during": "last month"},
    }  # fmt: skip
    return {name: {"sequence": order} for name, order in made.items()}


def _comparisons() -> dict[str, Where]:
    trends: dict[str, Where] = {
        "trend_ratio": {**INFLOW, "sum_of": "amount", "during": "last 7 days", "ratio": 1.5},
        "trend_down": {**INFLOW, "sum_of": "amount", "during": "last 7 days", "op": "<=", "ratio": 0.5},
        "trend_to_nothing": {**SPENT, "during": "last 3 days", "op": "<=", "ratio": 0},
        "trend_difference": {**SPENT, "sum_of": "amount", "during": "this month", "difference": "2.50"},
        "trend_fewer": {"table": "event", "during": "last 1 month", "op": "<", "difference": 0},
        "trend_year_before": {"table": "event", "during": "this month", "against": "year before", "op": ">", "difference": 1},
        "trend_other_period": {"table": "event", "during": "this week", "against": "last 2 weeks", "op": ">=", "ratio": "0.25"},
    }  # fmt: skip
    changes: dict[str, Where] = {
        "change_of_money": {"tag": "asset_aum", "since": "6 days ago", "op": ">=", "difference": 1},
        "change_ratio": {"tag": "asset_aum", "since": "6 days ago", "op": ">", "ratio": "1.25"},
        "change_of_a_number": {"tag": "txn_online", "since": "2026-06-24", "op": "<=", "difference": -0.1},
        "change_of_a_number_ratio": {"tag": "txn_online", "since": "2026-06-24", "op": ">=", "ratio": 1},
        "change_of_a_count": {"tag": "demo_age", "since": "end of last week", "op": "<", "difference": 0},
    }
    return {n: {"trend": t} for n, t in trends.items()} | {n: {"change": c} for n, c in changes.items()}


def _ranks() -> dict[str, Where]:
    made: dict[str, Where] = {
        "rank_top": {"tag": "asset_aum", "top": 5},
        "rank_bottom": {"tag": "asset_aum", "bottom": 5},
        "rank_top_percent": {"tag": "demo_age", "top_percent": 10},
        "rank_bottom_percent": {"tag": "txn_online", "bottom_percent": 33.33},
        "rank_middle": {"tag": "demo_age", "percentile": [25, 75]},
        "rank_upper_half": {"tag": "asset_aum", "percentile": [50, 100]},
        "rank_of_dates": {"tag": "asset_matures", "top": 3},
        "rank_among": {"tag": "asset_aum", "top": 3, "among": {"all": [PAID, YOUNG]}},
        "rank_among_those_who_did": {"tag": "demo_age", "top_percent": 50, "among": {"did": {**VIEW, "within_days": 7}}},
        "rank_among_ranked": {"tag": "demo_age", "bottom": 4, "among": {"rank": {"tag": "asset_aum", "top_percent": 50}}},
        "rank_among_listed": {"tag": "asset_aum", "top_percent": 25, "among": {"not": VIP}},
    }  # fmt: skip
    return {name: {"rank": place} for name, place in made.items()}


def _references() -> dict[str, Where]:
    return {
        "member": YOUNG,
        "member_of_a_wide_one": {"segment": "recent"},
        "was_member": {"segment": "young", "as_of": "6 days ago"},
        "was_member_of_a_wide_one": {"segment": "recent", "as_of": "2026-06-25"},
        "was_not_member": {"all": [YOUNG, {"not": {"segment": "young", "as_of": "yesterday"}}]},
        "on_list": VIP,
        "on_empty_list": {"list": "empty"},
        "not_on_list": {"not": VIP},
        "tag_then": {"tag": "acct_payroll", "value": True, "as_of": "6 days ago"},
        "tag_then_and_now": {"all": [PRESCHOOL | {"as_of": "6 days ago"}, PRESCHOOL | {"op": "!="}]},
        "tag_then_unknown": {"tag": "demo_age", "op": "unknown", "as_of": "6 days ago"},
        "tag_then_due": {"tag": "asset_matures", "op": "during", "value": "next 2 days", "as_of": "2026-06-24"},
        "tag_then_all_of": {"tag": "acct_class", "op": "contains_all", "value": ["I", "II"], "as_of": "6 days ago"},
        "cluster": {"cluster": {"set": "spring", "in": ["a"]}},
        "clusters": {"cluster": {"set": "spring", "in": ["a", "c"]}},
    }  # fmt: skip


def _groups() -> dict[str, Where]:
    return {
        "everybody": {"all": []},
        "nobody": {"any": []},
        "not_everybody": {"not": {"all": []}},
        "both": {"all": [PAID, OLD]},
        "either": {"any": [PAID, OLD]},
        "neither": {"not": {"any": [PAID, OLD]}},
        "not_not": {"not": {"not": OLD}},
        "mixed": {"all": [PAID, {"any": [OLD, {"not": RICH}]}, {"not": {"all": [VIP, YOUNG]}}]},
        "union": {"union": ["young", "recent", VIP]},
        "intersect": {"intersect": ["young", VIP]},
        "except": {"except": ["recent", "young", VIP]},
        "sets_in_sets": {"union": [{"except": ["young", VIP]}, {"intersect": ["recent", OLD]}]},
    }


CASES: dict[str, Where] = (
    _tag_tests() | _dates() | _behaviours() | _sequences() | _comparisons() | _ranks() | _references() | _groups()
)


def sql_of(dialect: str) -> str:
    """Return the SQL of all cases in one dialect, as it is kept."""
    note = "executed" if dialect in EXECUTED else "not executed"
    given: Any = {"tags": TAGS, "segments": SEGMENTS, "as_of": AS_OF, "dates": [EARLIER, AS_OF], "dialect": dialect}
    texts = [f"-- {name}\n{members_sql(segment(where), **given)};\n" for name, where in CASES.items()]
    return f"-- {dialect}: {note}\n\n" + "\n".join(texts)


if __name__ == "__main__":
    for name in DIALECTS:
        (GOLDEN / f"{name}.sql").write_text(sql_of(name), encoding="utf-8")
