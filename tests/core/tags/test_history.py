"""Transitions, days in a state, drift and given values: a tag between dates."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kequn.core.engine.duck import Engine
from kequn.core.errors import InvalidSpec, NoData, TagFailed
from kequn.core.segments import count
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import (
    catalogue,
    days_in_state,
    drift,
    publish_together,
    publish_values,
    reason_in_words,
    tier_history,
    tier_transitions,
    transitions,
    unavailable,
)
from kequn.core.tags.pack import check_tags
from tests.core.small_bank import NOW, SmallBank

APRIL, MAY, JUNE = date(2026, 4, 30), date(2026, 5, 31), date(2026, 6, 30)
WAN = 10_000 * 100
GENDER = catalogue()["demo_gender"]


def marital(values: list[list[str | None]], folder: Path) -> SmallBank:
    """A bank whose customers' family tag was computed for three month ends, one list of values each."""
    bank = SmallBank(folder, customers=len(values[0]))
    for day, column in zip((APRIL, MAY, JUNE), values, strict=True):
        for who, value in enumerate(column):
            bank.rows["customer"][who]["marital"] = value
        bank.refresh(catalogue(), day, only=("demo_marital",))
    return bank


def test_a_matrix_counts_each_customer_once(tmp_path: Path) -> None:
    bank = marital([["single"] * 4, ["single", "married", "married", None], ["married"] * 4], tmp_path)
    found = transitions(Engine(bank.store), catalogue()["demo_marital"], earlier=APRIL, later=MAY)
    at = {state: i for i, state in enumerate(found.states)}
    assert found.states[-1] == "absent"
    assert found.n[at["single"]][at["married"]] == 2
    assert found.n[at["single"]][at["single"]] == found.n[at["single"]][at["absent"]] == 1
    assert sum(map(sum, found.n)) == found.began == 4
    assert found.moved(up=True) == 2
    assert found.moved(up=False) == 0


def test_a_matrix_counts_only_those_in_scope(tmp_path: Path) -> None:
    bank = marital([["single"] * 4, ["married"] * 4, ["married"] * 4], tmp_path)
    scope = np.array([True, False, False, True])
    found = transitions(Engine(bank.store), catalogue()["demo_marital"], earlier=APRIL, later=JUNE, scope=scope)
    assert found.began == 2


def test_a_tag_without_declared_values_has_no_matrix(tmp_path: Path) -> None:
    bank = marital([["single"]] * 3, tmp_path)
    with pytest.raises(InvalidSpec, match="no declared values"):
        transitions(Engine(bank.store), catalogue()["demo_age"], earlier=APRIL, later=MAY)
    with pytest.raises(InvalidSpec, match="is not before"):
        transitions(Engine(bank.store), catalogue()["demo_marital"], earlier=MAY, later=MAY)
    with pytest.raises(InvalidSpec, match="several values at once"):
        transitions(Engine(bank.store), catalogue()["acct_autopay"], earlier=APRIL, later=MAY)
    with pytest.raises(NoData, match="was not computed for 2026-01-31"):
        transitions(Engine(bank.store), catalogue()["demo_marital"], earlier=date(2026, 1, 31), later=MAY)


def test_tiers_move_between_months_whose_tags_were_never_computed(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=2)
    for day, amounts in ((APRIL, (1 * WAN, 30 * WAN)), (MAY, (6 * WAN, 30 * WAN)), (JUNE, (6 * WAN, 30 * WAN))):
        for who, fen in enumerate(amounts):
            bank.hold(who, day, "demand", fen)
    bank.refresh(catalogue(), JUNE, only=("asset_tier",))
    history = tier_history(Engine(bank.store), JUNE)
    found = tier_transitions(history, catalogue()["asset_tier"], earlier=APRIL, later=MAY)
    assert found.n[1][2] == 1
    assert found.n[3][3] == 1
    with pytest.raises(NoData, match="No balances for 2026-01-31"):
        tier_transitions(history, catalogue()["asset_tier"], earlier=date(2026, 1, 31), later=MAY)


def test_days_in_a_state_reach_back_to_the_last_date_that_differs(tmp_path: Path) -> None:
    bank = marital([["single", "single", None, "single"], ["single", "married", "married", "married"],
                    ["single", "married", "married", None]], tmp_path)  # fmt: skip
    manifest = bank.store.manifest()
    assert days_in_state(bank.store, manifest, "demo_marital", JUNE).to_pylist() == [61, 30, 30, None]
    assert days_in_state(bank.store, manifest, "demo_marital", APRIL).to_pylist() == [0, 0, None, 0]


def test_a_distribution_that_stays_has_no_drift_and_one_that_turns_has_much(tmp_path: Path) -> None:
    stays = ["single", "married"] * 50
    bank = marital([stays, stays, ["married"] * 90 + ["single"] * 10], tmp_path)
    engine, spec = Engine(bank.store), catalogue()["demo_marital"]
    assert drift(engine, spec, earlier=APRIL, later=MAY).index == pytest.approx(0)
    turned = drift(engine, spec, earlier=MAY, later=JUNE)
    assert turned.grade == "large"
    assert {s.code: (s.then, s.now) for s in turned.shifts}["married"] == (50, 90)


def test_customers_who_lost_their_value_are_drift_too(tmp_path: Path) -> None:
    bank = marital([["single"] * 100, ["single"] * 100, ["single"] * 60 + [None] * 40], tmp_path)
    found = drift(Engine(bank.store), catalogue()["demo_marital"], earlier=MAY, later=JUNE)
    assert found.grade == "large"
    assert found.shifts[-1].code == "unknown"
    assert found.shifts[-1].now == 40


@pytest.mark.parametrize("name", ["demo_age", "asset_aum_mavg", "asset_maturity_next", "acct_class"])
def test_every_type_of_tag_has_a_drift(tmp_path: Path, name: str) -> None:
    bank = SmallBank(tmp_path, customers=0)
    for i in range(30):
        bank.customer(birth_on=date(1960 + i, 3, 1))
        bank.hold(i, MAY, "time", (i + 1) * WAN, matures_on=date(2026, 7, i + 1))
        bank.hold(i, JUNE, "time", (i + 1) * WAN * 9, matures_on=date(2026, 8, i + 1))
    for day in (MAY, JUNE):
        bank.refresh(catalogue(), day, only=(name,))
    found = drift(Engine(bank.store), catalogue()[name], earlier=MAY, later=JUNE)
    assert sum(s.then for s in found.shifts) == sum(s.now for s in found.shifts) == 30
    assert found.index >= 0


def given_tag(**more: object) -> TagSpec:
    """A score that a model hands in."""
    fields = {"name": "model_try", "title": "试", "family": "model", "type": "number", "over": "given",
              "given_by": {"zh": "由模型发布。", "en": "By a model."}, "owner": "model_team"}  # fmt: skip
    return TagSpec.model_validate(fields | more)


def test_a_given_tag_has_the_values_that_were_handed_in_and_keeps_them_through_a_refresh(tmp_path: Path) -> None:
    bank, spec = SmallBank(tmp_path, customers=3), given_tag()
    specs = {"model_try": spec, "demo_gender": GENDER}
    bank.refresh(specs, JUNE)
    assert unavailable(specs, bank.store.manifest()) == {"model_try": "given"}
    assert reason_in_words("given", spec).zh == "由模型发布。"
    publish_values(bank.store, spec, {JUNE: pa.array([0.25, None, 1.0])}, now=NOW)
    assert bank.column("model_try") == [0.25, None, 1.0]
    bank.rows["customer"][0]["gender"] = "F"
    bank.refresh(specs, JUNE)
    assert bank.column("model_try") == [0.25, None, 1.0]
    assert bank.store.manifest().dates[JUNE.isoformat()].tags["model_try"].known == 2


def test_values_are_handed_in_one_an_ordinal_for_a_date_with_tags(tmp_path: Path) -> None:
    bank, spec = SmallBank(tmp_path, customers=3), given_tag()
    bank.refresh({"demo_gender": GENDER}, JUNE)
    before = (bank.store.root / "manifest.json").read_bytes()
    with pytest.raises(InvalidSpec, match="2 values for 3 customers"):
        publish_values(bank.store, spec, {JUNE: pa.array([0.5, 0.5])}, now=NOW)
    with pytest.raises(NoData, match="No tags for 2026-05-31"):
        publish_values(bank.store, spec, {MAY: pa.array([0.5] * 3)}, now=NOW)
    with pytest.raises(InvalidSpec, match="computed from data"):
        publish_values(bank.store, GENDER, {JUNE: pa.array(["M"] * 3)}, now=NOW)
    coded = given_tag(type="text", values={"a": {"zh": "甲", "en": "A"}})
    with pytest.raises(TagFailed, match="does not declare"):
        publish_values(bank.store, coded, {JUNE: pa.array(["b"] * 3)}, now=NOW)
    assert (bank.store.root / "manifest.json").read_bytes() == before


def test_tags_that_belong_together_are_handed_in_together_or_not_at_all(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=3)
    bank.refresh({"demo_gender": GENDER}, JUNE)
    version, one, other = bank.store.manifest().version, given_tag(), given_tag(name="model_sure")
    with pytest.raises(InvalidSpec, match="2 values"):
        publish_together(
            bank.store, [(one, {JUNE: pa.array([0.5] * 3)}), (other, {JUNE: pa.array([0.5] * 2)})], now=NOW
        )
    assert "model_try" not in bank.store.manifest().dates[JUNE.isoformat()].tags
    publish_together(bank.store, [(spec, {JUNE: pa.array([0.5] * 3)}) for spec in (one, other)], now=NOW)
    assert bank.store.manifest().version == version + 1
    assert {"model_try", "model_sure"} <= set(bank.store.manifest().dates[JUNE.isoformat()].tags)


def test_sensitive_values_are_handed_in_for_those_alone_who_consented(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=3)
    bank.refresh({"demo_gender": GENDER}, JUNE)
    sensitive = given_tag(sensitivity="S", consent="health_data")
    with pytest.raises(NoData, match="who gave the consent"):
        publish_values(bank.store, sensitive, {JUNE: pa.array([1.0, 2.0, 3.0])}, now=NOW)
    consent = given_tag(name="mkt_consent_health_data", type="boolean", family="mkt")
    publish_values(bank.store, consent, {JUNE: pa.array([True, False, None])}, now=NOW)
    publish_values(bank.store, sensitive, {JUNE: pa.array([1.0, 2.0, 3.0])}, now=NOW)
    assert bank.column("model_try") == [1.0, None, None]


@pytest.mark.parametrize("by", ["index", "duckdb"])
@pytest.mark.parametrize(
    ("test", "size"),
    [({"op": "<=", "value": 1}, 2), ({"op": ">", "value": 1}, 0), ({"op": "unknown"}, 2), ({"op": "known"}, 2)],
)
def test_what_is_not_a_number_is_no_value(tmp_path: Path, test: dict[str, Any], size: int, by: Any) -> None:
    bank, spec = SmallBank(tmp_path, customers=4), given_tag()
    bank.refresh({"demo_gender": GENDER}, JUNE)
    publish_values(bank.store, spec, {JUNE: pa.array([0.25, float("nan"), 1.0, None])}, now=NOW)
    assert bank.column("model_try") == [0.25, None, 1.0, None]
    assert bank.store.manifest().dates[JUNE.isoformat()].tags["model_try"].known == 2
    rule = SegmentSpec.model_validate({"name": "try", "title": "试", "where": {"tag": "model_try"} | test})
    assert count(Engine(bank.store), rule, tags={"model_try": spec}, segments={}, as_of=JUNE, by=by) == size


def test_a_given_tag_says_by_whom_and_has_no_expression() -> None:
    with pytest.raises(ValueError, match="given_by"):
        given_tag(given_by=None)
    with pytest.raises(ValueError, match="expression"):
        given_tag(expression="1")


def test_sensitive_information_has_a_value_only_with_its_own_consent(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=0)
    for _ in range(4):
        bank.customer(child_stage="0-5")
    bank.add("consent", 0, purpose="child_data", channel="any", granted=True, given_on=date(2026, 1, 1))
    bank.add("consent", 1, purpose="marketing", channel="sms", granted=True, given_on=date(2026, 1, 1))
    bank.add("consent", 2, purpose="child_data", channel="any", granted=True, given_on=date(2025, 1, 1))
    bank.add("consent", 2, purpose="child_data", channel="any", granted=False, given_on=date(2026, 6, 1))
    bank.add("consent", 3, purpose="child_data", channel="any", granted=True, given_on=date(2025, 1, 1),
             expires_on=date(2026, 6, 29))  # fmt: skip
    bank.refresh(catalogue(), JUNE, only=("demo_child_stage",))
    assert bank.column("demo_child_stage") == ["0-5", None, None, None]


def test_what_is_made_of_a_class_s_tag_is_class_s_too() -> None:
    """Else the family stage of those who consented would choose customers as if it were nothing special."""
    shipped = catalogue()
    made = shipped["demo_life_stage"].model_copy(
        update={"name": "demo_parent", "expression": "demo_child_stage is not null", "type": "boolean", "values": {}}
    )
    [fault] = check_tags(shipped | {"demo_parent": made})
    assert "demo_child_stage" in fault.message
    assert fault.where.field == "demo_parent.sensitivity"
    sensitive = made.model_copy(update={"sensitivity": "S", "consent": "child_data"})
    assert check_tags(shipped | {"demo_parent": sensitive}) == []


def test_a_class_s_tag_names_a_consent_that_there_is() -> None:
    with pytest.raises(ValueError, match="separate consent"):
        given_tag(sensitivity="S")
    with pytest.raises(ValueError, match="separate consent"):
        given_tag(consent="child_data")


def test_who_came_and_went_between_two_months_is_absent_on_one_of_them(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path)
    bank.customer(opened_on=date(2026, 5, 10))
    bank.customer(closed_on=date(2026, 5, 10), status="closed")
    for who, day in ((0, MAY), (1, APRIL)):
        bank.hold(who, day, "demand", WAN)
    bank.save()
    found = tier_transitions(
        tier_history(Engine(bank.store), JUNE), catalogue()["asset_tier"], earlier=APRIL, later=MAY
    )
    assert found.n[-1][1] == 1
    assert found.n[1][-1] == 1
    assert sum(map(sum, found.n)) == 2
