"""Who belongs: the compiled query against the plain telling of what a rule means."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.errors import NoData
from kequn.core.segments import count, count_by, funnel, members, overlap, preview
from kequn.core.spec.segment import SegmentSpec
from tests.core.segments.bank import AS_OF, CITIES, TAGS, Bank, make_bank, open_bank
from tests.core.segments.reference import who
from tests.core.segments.trees import CONDITIONS, SEGMENTS, segment

QUICK = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
SHORT = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
GIVEN = {"tags": TAGS, "segments": SEGMENTS, "as_of": AS_OF}
Banks = list[tuple[Bank, Engine]]


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Banks]:
    made = [make_bank(seed) for seed in (1, 2, 3)]
    opened = [(bank, open_bank(bank, tmp_path_factory.mktemp("store"))) for bank in made]
    yield opened
    for _, engine in opened:
        engine.close()


def found(engine: Engine, spec: SegmentSpec) -> set[int]:
    return set(members(engine, spec, **GIVEN).tolist())


@QUICK
@given(where=CONDITIONS, which=st.integers(0, 2))
def test_the_query_finds_exactly_those_whom_the_rule_means(banks: Banks, where: dict, which: int):
    bank, engine = banks[which]
    assert found(engine, segment(where)) == who(segment(where), bank, SEGMENTS)


@pytest.mark.slow
@LONG
@given(where=CONDITIONS, which=st.integers(0, 2))
def test_the_query_finds_exactly_those_whom_the_rule_means_at_length(banks: Banks, where: dict, which: int):
    bank, engine = banks[which]
    assert found(engine, segment(where)) == who(segment(where), bank, SEGMENTS)


@SHORT
@given(where=CONDITIONS)
def test_a_rule_and_its_negation_split_the_bank(banks: Banks, where: dict):
    bank, engine = banks[0]
    inside, outside = found(engine, segment(where)), found(engine, segment({"not": where}))
    assert inside | outside == bank.customers()
    assert not inside & outside


@SHORT
@given(parts=st.lists(CONDITIONS, min_size=2, max_size=5), seed=st.integers(0, 99))
def test_the_order_of_conditions_never_changes_the_count(banks: Banks, parts: list[dict], seed: int):
    _, engine = banks[1]
    shuffled = random.Random(seed).sample(parts, len(parts))
    assert count(engine, segment({"all": parts}), **GIVEN) == count(engine, segment({"all": shuffled}), **GIVEN)
    assert count(engine, segment({"any": parts}), **GIVEN) == count(engine, segment({"any": shuffled}), **GIVEN)


@SHORT
@given(parts=st.lists(CONDITIONS, min_size=2, max_size=4), gone=st.integers(0, 3))
def test_taking_one_condition_out_leaves_the_figures_of_the_others_as_they_were(
    banks: Banks, parts: list[dict], gone: int
):
    _, engine = banks[2]
    assume(gone < len(parts))
    before = funnel(engine, segment({"all": parts}), **GIVEN)
    after = funnel(engine, segment({"all": parts[:gone] + parts[gone + 1 :]}), **GIVEN)
    kept = [step for i, step in enumerate(before) if i != gone]
    assert [(s.alone, s.unknown) for s in kept] == [(s.alone, s.unknown) for s in after]
    assert [s.left for s in before[:gone]] == [s.left for s in after[:gone]]


@SHORT
@given(where=CONDITIONS)
def test_count_members_and_preview_agree(banks: Banks, where: dict):
    bank, engine = banks[0]
    size = count(engine, segment(where), **GIVEN)
    seen = preview(engine, segment(where), **GIVEN)
    assert size == len(members(engine, segment(where), **GIVEN)) == seen.size
    assert seen.customers == len(bank.customers())


@SHORT
@given(wheres=st.lists(CONDITIONS, min_size=1, max_size=4))
def test_overlap_is_the_size_of_the_intersection(banks: Banks, wheres: list[dict]):
    bank, engine = banks[1]
    specs = [segment(where, f"s{i}") for i, where in enumerate(wheres)]
    sets = [who(spec, bank, SEGMENTS) for spec in specs]
    both = overlap(engine, specs, **GIVEN)
    assert both.names == tuple(spec.name for spec in specs)
    assert both.both == tuple(tuple(len(a & b) for b in sets) for a in sets)


@pytest.mark.parametrize("city", CITIES)
def test_a_value_with_quotes_or_wildcards_in_it_stays_a_value(banks: Banks, city: str):
    bank, engine = banks[0]
    expected = {i for i in bank.customers() if bank.tags["demo_city"][i] == city}
    assert expected
    assert found(engine, segment({"tag": "demo_city", "value": city})) == expected


@pytest.mark.parametrize("part", ["%", "_", "!", "!%", "!_", "%_", "\\", "'", '"', "5%f", "x_", "上"])
def test_contains_takes_its_value_letter_by_letter(banks: Banks, part: str):
    for bank, engine in banks:
        expected = {i for i in bank.customers() if part in (bank.tags["demo_city"][i] or "")}
        assert found(engine, segment({"tag": "demo_city", "op": "contains", "value": part})) == expected


def test_a_day_on_a_column_of_times_stands_for_all_of_it(banks: Banks):
    for bank, engine in banks:
        did_it = {r["ordinal"] for r in bank.rows["transaction"] if r["at"] and r["at"].date() == AS_OF}
        where = [{"column": "at", "value": AS_OF.isoformat()}]
        spec = segment({"did": {"table": "transaction", "where": where, "within_days": 9}})
        assert did_it & bank.customers()
        assert found(engine, spec) == did_it & bank.customers()


def test_a_customer_without_the_tag_fails_unequal_and_meets_not_equal_by_negation(banks: Banks):
    bank, engine = banks[0]
    without = {i for i in bank.customers() if bank.tags["demo_age"][i] is None}
    unequal = found(engine, segment({"tag": "demo_age", "op": "!=", "value": 20}))
    negated = found(engine, segment({"not": {"tag": "demo_age", "op": "=", "value": 20}}))
    assert without
    assert not without & unequal
    assert negated - unequal == without


def test_rows_after_the_business_date_count_nowhere(banks: Banks):
    bank, engine = banks[0]
    late = {r["ordinal"] for r in bank.rows["event"] if r["happened_on"] > AS_OF}
    in_time = {r["ordinal"] for r in bank.rows["event"] if r["happened_on"] <= AS_OF}
    ever = found(engine, segment({"did": {"table": "event", "within_days": 3660}}))
    assert late - in_time & bank.customers()
    assert ever == in_time & bank.customers()


def test_a_window_of_one_day_is_the_business_date_alone(banks: Banks):
    bank, engine = banks[0]
    today = {r["ordinal"] for r in bank.rows["event"] if r["happened_on"] == AS_OF}
    assert found(engine, segment({"did": {"table": "event", "within_days": 1}})) == today & bank.customers()


def test_buying_on_the_day_of_the_last_look_counts_as_having_bought_since(tmp_path):
    bank = Bank([True] * 3, {"acct_payroll": [True] * 3}, {"event": []})
    seen = {"kind": "view", "happened_on": AS_OF}
    bank.rows["event"] = [
        {"ordinal": 0, **seen},
        {"ordinal": 0, "kind": "buy", "happened_on": AS_OF},
        {"ordinal": 1, **seen},
        {"ordinal": 1, "kind": "buy", "happened_on": AS_OF.replace(day=29)},
        {"ordinal": 2, **seen},
    ]
    engine = open_bank(bank, tmp_path)
    looked = {"table": "event", "where": [{"column": "kind", "value": "view"}], "within_days": 7}
    bought = {"table": "event", "where": [{"column": "kind", "value": "buy"}]}
    assert found(engine, segment({"did": {**looked, "not_since": bought}})) == {1, 2}


def test_a_row_of_the_behaviour_itself_is_never_one_of_the_other_kind(tmp_path):
    in_app = {"kind": "view", "channel": "app", "happened_on": AS_OF}
    somewhere = {"kind": "view", "channel": None, "happened_on": AS_OF}
    rows = [{"ordinal": 0, **in_app}, {"ordinal": 1, **in_app}, {"ordinal": 1, **somewhere}]
    engine = open_bank(Bank([True] * 2, {"acct_payroll": [True] * 2}, {"event": rows}), tmp_path)
    looked = {"table": "event", "where": [{"column": "channel", "value": "app"}], "within_days": 7}
    assert found(engine, segment({"did": {**looked, "not_since": {"table": "event"}}})) == {0}


def test_the_funnel_tells_alone_left_and_unknown(tmp_path):
    bank = Bank(
        [True, True, True, False], {"acct_payroll": [True, None, False, True], "demo_age": [30, 40, None, 20]}, {}
    )
    engine = open_bank(bank, tmp_path)
    where = {"all": [{"tag": "acct_payroll", "value": True}, {"tag": "demo_age", "op": ">=", "value": 35}]}
    seen = preview(engine, segment(where), **GIVEN)
    assert [(s.path, s.alone, s.left, s.unknown) for s in seen.steps] == [
        ("where.all.0", 1, 1, 1),
        ("where.all.1", 1, 0, 1),
    ]
    assert (seen.customers, seen.size, seen.share) == (3, 0, 0.0)
    assert seen.unknown == {"where.all.0": 1, "where.all.1": 1}


def test_members_by_the_value_of_a_tag_add_up_to_the_segment(banks: Banks):
    _, engine = banks[0]
    spec = segment({"tag": "acct_payroll", "op": "known"})
    by_city = count_by(engine, spec, tag="demo_city", **GIVEN)
    assert sum(by_city.values()) == count(engine, spec, **GIVEN)
    assert None in by_city


def test_a_segment_over_rows_or_a_list_that_is_not_there_says_so(tmp_path):
    engine = open_bank(Bank([True], {"acct_payroll": [True]}, {}), tmp_path)
    with pytest.raises(NoData, match="'service'"):
        count(engine, segment({"did": {"table": "service", "within_days": 9}}), **GIVEN)
    with pytest.raises(NoData, match="'vip'"):
        count(engine, segment({"list": "vip"}), **GIVEN)
    with pytest.raises(NoData, match="2020"):
        count(engine, segment({"tag": "acct_payroll", "value": True}), **GIVEN | {"as_of": AS_OF.replace(year=2020)})
