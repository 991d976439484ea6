"""A segment's profile: counts by hand, what is withheld, what stands out, and in which order."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kequn.core.errors import NoData, UnknownTag
from kequn.core.insight import Cell, Profile, TagProfile, profile, tgi
from kequn.core.insight.cells import value_counts
from tests.core.insight.bank import AS_OF, open_store, tag


def profile_of(
    root: Path,
    name: str,
    type: str,
    values: list[Any],
    members: list[int],
    more: dict[str, Any] | None = None,
    **how: Any,
) -> TagProfile:
    """The profile of one tag; members are ordinals."""
    tags = {name: tag(name, type, **(more or {}))}
    engine = open_store(root, tags, {name: values})
    return profile(engine, np.array(members, dtype=np.uint32), tags=tags, as_of=AS_OF, **how).tags[0]


def cells(found: TagProfile) -> dict[str, Cell]:
    return {cell.value: cell for cell in found.cells}


def test_shares_are_among_the_known_and_the_index_is_their_ratio(tmp_path):
    values = [True] * 40 + [False] * 40 + [None] * 20 + [True] * 100 + [False] * 780 + [None] * 20
    found = profile_of(tmp_path, "acct_payroll", "boolean", values, list(range(100)))
    yes = cells(found)["true"]
    assert (found.known, found.bank_known) == (80, 960)
    assert (found.coverage, found.bank_coverage) == (0.8, 0.96)
    assert (yes.n, yes.bank_n, yes.share, yes.bank_share) == (40, 140, 0.5, 140 / 960)
    by_hand = tgi(40, 80, 140, 960)
    assert (yes.tgi, yes.low, yes.high) == pytest.approx(
        (float(by_hand.point), float(by_hand.low), float(by_hand.high))
    )
    assert yes.tgi == pytest.approx(100 * 0.5 / (140 / 960))
    assert (yes.zh, yes.en) == ("是", "yes")


def test_a_tag_that_nobody_in_the_bank_has_a_value_of_has_no_shares(tmp_path):
    words = {"values": {"high": "高", "low": "低"}}
    found = profile_of(tmp_path, "value_grade", "text", [None] * 40, list(range(20)), words)
    assert (found.known, found.bank_known, found.coverage) == (0, 0, 0.0)
    assert all(
        (cell.share, cell.bank_share, cell.tgi, cell.stands_out) == (None, None, None, False) for cell in found.cells
    )


def test_declared_values_come_in_their_order_with_their_words(tmp_path):
    words = {"values": {"high": {"zh": "高", "en": "high"}, "low": "低"}}
    found = profile_of(tmp_path, "value_grade", "text", ["low"] * 30 + ["high"] * 10, list(range(20, 40)), words)
    assert [(cell.value, cell.zh, cell.n, cell.bank_n) for cell in found.cells] == [
        ("high", "高", 10, 10),
        ("low", "低", 10, 30),
    ]


def test_text_with_many_values_shows_the_commonest_and_counts_the_others_together(tmp_path):
    values = [f"城{i:02d}" for i in range(40) for _ in range(40 - i)]
    found = profile_of(tmp_path, "demo_city", "text", values, list(range(len(values))))
    assert len(found.cells) == 31
    assert found.cells[0].value == "城00"
    assert found.cells[-1].zh == "其他"
    assert found.cells[-1].bank_n == sum(range(1, 11))
    assert sum(cell.bank_n or 0 for cell in found.cells) == len(values)


def test_a_customer_counts_once_under_each_value_of_a_list(tmp_path):
    values = [["I", "II"], ["I", "I"], [], None, ["II", None]] * 20
    found = cells(profile_of(tmp_path, "acct_class", "list", values, list(range(50))))
    assert (found["I"].n, found["I"].bank_n) == (20, 40)
    assert (found["II"].n, found["II"].bank_n) == (20, 40)
    assert found["I"].share == pytest.approx(20 / 40)


def test_declared_bins_of_money_are_in_yuan_and_closed_below(tmp_path):
    fen = [0, 999_999, 1_000_000, 4_999_999, 5_000_000] * 10
    found = profile_of(tmp_path, "asset_aum", "money", fen, list(range(50)), {"bins": [10000, 50000]})
    assert [(c.value, c.zh, c.bank_n) for c in found.cells] == [
        ("[,10000)", "1 万元以下", 20),
        ("[10000,50000)", "1 万元–5 万元", 20),
        ("[50000,)", "5 万元及以上", 10),
    ]
    assert found.numbers is not None
    assert found.numbers.mean == pytest.approx(24_000 - 0.004)
    assert found.numbers.quantiles["p50"] == 10_000


def test_without_bins_the_banks_quantiles_cut_and_a_heap_at_zero_stands_alone(tmp_path):
    values = [0] * 500 + list(range(1, 501))
    found = profile_of(
        tmp_path, "txn_count", "integer", values, list(range(1000)), {"unit": {"zh": "笔", "en": "times"}}
    )
    assert (found.cells[0].zh, found.cells[0].en, found.cells[0].bank_n) == ("0 笔", "0 times", 500)
    assert len(found.cells) == 5
    assert sum(cell.bank_n or 0 for cell in found.cells) == 1000
    assert found.cells[-1].zh.endswith("笔及以上")


def test_few_whole_numbers_are_shown_one_by_one(tmp_path):
    found = profile_of(tmp_path, "risk_c_level", "integer", [1, 2, 3, 4, 5] * 20, list(range(100)))
    assert [(cell.zh, cell.bank_n) for cell in found.cells] == [("1", 20), ("2", 20), ("3", 20), ("4", 20), ("5", 20)]


def test_dates_have_quantiles_and_no_mean(tmp_path):
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(101)]
    found = profile_of(tmp_path, "asset_matures", "date", days, list(range(101)))
    assert found.numbers is not None
    assert found.numbers.mean is None
    assert found.numbers.quantiles["p50"] == "2026-02-20"
    assert sum(cell.bank_n or 0 for cell in found.cells) == 101


def test_quantiles_are_those_of_numpy(tmp_path):
    rng = np.random.default_rng(3)
    values = rng.normal(size=1001)
    found = profile_of(tmp_path, "txn_rate", "number", values.tolist(), list(range(500)))
    assert found.numbers is not None
    assert list(found.numbers.quantiles.values()) == pytest.approx(
        np.quantile(values[:500], [0.1, 0.25, 0.5, 0.75, 0.9])
    )
    assert found.numbers.mean == pytest.approx(values[:500].mean())


def test_small_cells_are_withheld_and_cannot_be_had_by_subtraction(tmp_path):
    values = ["a"] * 60 + ["b"] * 3 + ["c"] * 17 + ["a"] * 300 + ["b"] * 100 + ["c"] * 200
    found = cells(profile_of(tmp_path, "demo_city", "text", values, list(range(80))))
    assert found["b"].suppressed
    assert found["b"].n is found["b"].share is found["b"].tgi is found["b"].low is None
    assert found["b"].bank_n == 103
    assert found["c"].suppressed, "the next smallest goes too: 80 - 60 would tell the rest"
    assert found["a"].n == 60


def test_a_value_too_rare_in_the_bank_is_withheld_there_too(tmp_path):
    values = ["a"] * 50 + ["b"] * 50 + ["rare"] * 2
    found = cells(profile_of(tmp_path, "demo_city", "text", values, list(range(50))))
    assert found["rare"].bank_n is None
    assert found["rare"].bank_share is None


def test_too_few_members_are_not_reliable(tmp_path):
    values = [True] * 20 + [False] * 9 + [True] * 100 + [False] * 871
    few = profile_of(tmp_path / "a", "acct_payroll", "boolean", values, list(range(29)))
    assert not any(cell.reliable or cell.stands_out for cell in few.cells)
    enough = profile_of(tmp_path / "b", "acct_payroll", "boolean", values, list(range(29)), minimum=29)
    assert not cells(enough)["true"].reliable, "only 3.5 customers would be expected by the bank's share"
    assert cells(enough)["false"].reliable


def bank_with_differences(root: Path) -> Profile:
    rng = np.random.default_rng(11)
    size, n = 20_000, 2000
    inside = np.arange(size) < n
    strong = {f"txn_strong{i}": np.where(inside, rng.random(size) < 0.6, rng.random(size) < 0.2) for i in range(5)}
    columns: dict[str, Any] = {
        **strong,
        "acct_weak": np.where(inside, rng.random(size) < 0.30, rng.random(size) < 0.25),
        "demo_noise": rng.random(size) < 0.3,
        "asset_rare": np.where(inside, rng.random(size) < 0.0015, rng.random(size) < 0.0005),
        "risk_hidden": inside,
        "life_rule": inside,
    }
    tags = {name: tag(name, "boolean", sensitivity="X" if name == "risk_hidden" else "C1") for name in columns}
    tags["mkt_never_computed"] = tag("mkt_never_computed", "boolean")
    engine = open_store(root, tags, columns)
    return profile(engine, np.arange(n), tags=tags, as_of=AS_OF, defining=["life_rule"])


def test_top_differences_are_certain_ones_not_too_many_of_one_family_and_not_the_rule_itself(tmp_path):
    found = bank_with_differences(tmp_path)
    names = [difference.tag for difference in found.top_differences]
    assert len([name for name in names if name.startswith("txn_")]) == 3
    assert names[-1] == "acct_weak"
    assert not {"demo_noise", "asset_rare", "life_rule", "risk_hidden"} & set(names)
    assert all(difference.cell.value == "true" for difference in found.top_differences)


def test_class_x_is_left_out_unless_it_is_asked_for_by_name(tmp_path):
    tags = {"risk_x": tag("risk_x", "boolean", sensitivity="X"), "acct_a": tag("acct_a", "boolean")}
    engine = open_store(tmp_path, tags, {name: [True, False] * 50 for name in tags})
    members = np.arange(50)
    assert [t.tag for t in profile(engine, members, tags=tags, as_of=AS_OF).tags] == ["acct_a"]
    assert [t.tag for t in profile(engine, members, tags=tags, as_of=AS_OF, only=["risk_x"]).tags] == ["risk_x"]


def test_the_same_question_has_the_same_answer_whatever_the_order_of_members(tmp_path):
    once = bank_with_differences(tmp_path / "a")
    again = bank_with_differences(tmp_path / "b")
    assert once == again
    assert json.loads(json.dumps(once.as_json()))["size"] == 2000
    assert once.not_computed == ("mkt_never_computed",)
    tags = {"acct_a": tag("acct_a", "boolean")}
    engine = open_store(tmp_path / "c", tags, {"acct_a": [True, False, None] * 50})
    members = np.arange(60)
    shuffled = np.random.default_rng(1).permutation(members)
    given = {"tags": tags, "as_of": AS_OF}
    assert profile(engine, members, **given) == profile(engine, shuffled, **given)


def test_members_who_are_not_customers_on_the_date_are_counted_apart(tmp_path):
    tags = {"acct_a": tag("acct_a", "boolean")}
    engine = open_store(tmp_path, tags, {"acct_a": [True] * 10}, present=[True] * 8 + [False] * 2)
    found = profile(engine, np.array([0, 1, 8, 9, 500], dtype=np.uint32), tags=tags, as_of=AS_OF)
    assert (found.size, found.customers, found.outside, found.share) == (2, 8, 3, 0.25)


def test_nobody_has_a_profile_without_figures(tmp_path):
    tags = {"acct_a": tag("acct_a", "boolean"), "demo_age": tag("demo_age", "integer"), "acct_l": tag("acct_l", "list")}
    columns = {"acct_a": [True] * 20, "demo_age": [None] * 20, "acct_l": [["I"]] * 20}
    engine = open_store(tmp_path, tags, columns)
    found = profile(engine, np.array([], dtype=np.uint32), tags=tags, as_of=AS_OF)
    assert (found.size, found.top_differences) == (0, ())
    assert [cell.tgi for t in found.tags for cell in t.cells] == [None] * 3
    assert found.tags[1].cells == ()
    json.dumps(found.as_json(), allow_nan=False)


def test_a_date_or_a_tag_that_is_not_there_says_so(tmp_path):
    tags = {"acct_a": tag("acct_a", "boolean")}
    engine = open_store(tmp_path, tags, {"acct_a": [True]})
    with pytest.raises(NoData, match="2020-01-01"):
        profile(engine, np.array([0]), tags=tags, as_of=date(2020, 1, 1))
    with pytest.raises(UnknownTag, match="'nope'"):
        profile(engine, np.array([0]), tags=tags, as_of=AS_OF, only=["nope"])


def test_what_stands_out_alone_may_be_chance_among_many(tmp_path):
    """25% against 20% among 400 is past the 95% line, but of hundreds of cells some always are."""
    inside = [True] * 100 + [False] * 300 + [True] * 1920 + [False] * 7680
    tags = {"acct_a": tag("acct_a", "boolean")}
    columns: dict[str, Any] = {"acct_a": inside}
    rng = np.random.default_rng(5)
    for i in range(60):
        tags[f"txn_noise{i}"] = tag(f"txn_noise{i}", "boolean")
        columns[f"txn_noise{i}"] = rng.random(10_000) < 0.3
    engine = open_store(tmp_path, tags, columns)
    alone = profile(engine, np.arange(400), tags=tags, as_of=AS_OF, only=["acct_a"])
    among = profile(engine, np.arange(400), tags=tags, as_of=AS_OF)
    assert alone.tags[0].cells[0].low == pytest.approx(among.tags[0].cells[0].low)
    assert (alone.tags[0].cells[0].low or 0) > 100
    assert [difference.tag for difference in alone.top_differences] == ["acct_a"]
    assert among.top_differences == ()


def test_of_a_truth_value_the_yes_is_told_even_where_the_no_differs_more(tmp_path):
    values = [True] * 990 + [False] * 10 + [True] * 8000 + [False] * 1000
    tags = {"acct_a": tag("acct_a", "boolean")}
    engine = open_store(tmp_path, tags, {"acct_a": values})
    found = profile(engine, np.arange(1000), tags=tags, as_of=AS_OF)
    assert [(d.tag, d.cell.value) for d in found.top_differences] == [("acct_a", "true")]


def test_what_members_have_more_of_is_told_before_what_none_of_them_has(tmp_path):
    rng = np.random.default_rng(3)
    inside = np.arange(40_000) < 4000
    families = ("acct", "asset", "cc", "chan", "demo", "life", "loan", "mkt", "model", "txn")
    columns: dict[str, Any] = {f"{f}_never": ~inside & (rng.random(40_000) < 0.4) for f in families}
    columns |= {f"{f}_often": rng.random(40_000) < np.where(inside, 0.4, 0.2) for f in families}
    tags = {name: tag(name, "boolean") for name in columns}
    engine = open_store(tmp_path, tags, columns)
    told = profile(engine, np.arange(4000), tags=tags, as_of=AS_OF).top_differences
    assert [(d.cell.low or 0) > 100 for d in told] == [True] * 7 + [False] * 3
    nothing_more = profile(engine, np.arange(4000), tags=tags, as_of=AS_OF, only=list(columns)[:10]).top_differences
    assert [d.cell.tgi for d in nothing_more] == [0.0] * 10


def test_the_most_common_of_many_values_are_told_and_the_rest_are_one() -> None:
    rng = np.random.default_rng(8)
    words = [f"w{i:03}" for i in range(200)]
    bank = rng.integers(1, 9, 200)  # many of them are equally common
    inside = bank // 2
    made = value_counts(tag("demo_city", "text"), words, inside, bank, int(inside.sum()), int(bank.sum()))
    expected = sorted(range(200), key=lambda i: (-bank[i], words[i]))
    assert list(made.keys[:-1]) == [words[i] for i in expected[:30]]
    assert made.inside.tolist() == [*inside[expected[:30]], inside[expected[30:]].sum()]
    assert made.bank.tolist() == [*bank[expected[:30]], bank[expected[30:]].sum()]
