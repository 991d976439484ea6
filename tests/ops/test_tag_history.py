"""A tag over time and its users, days in a stage after each refresh, and the shipped groups, through the services."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kequn.core.errors import Conflict, NoData, NotAllowed, UnknownSegment, UnknownTag
from kequn.core.segments import groups, shipped_segments
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import Transitions
from kequn.ops import runtime
from kequn.ops.audiences.groups import Loaded, group_for, group_rows_for, load_groups
from kequn.ops.audiences.queries import segment_specs
from kequn.ops.audiences.services import save_segment
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.tags.history import drift_for, months_for, tier_months_for, transitions_for
from kequn.ops.tags.queries import catalogue, tag_rows_for, users_for
from kequn.ops.tags.services import refresh_tags, remove_tag, save_tag
from tests.core.small_bank import SmallBank

Cast = dict[str, Actor]
MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)
WAN = 10_000 * 100
COFFEE = TagSpec.model_validate({
    "name": "txn_coffee", "title": {"zh": "咖啡", "en": "Coffee"}, "family": "txn", "type": "integer", "over": "transaction",
    "expression": "count(*)", "null": "zero", "owner": "marketing_dept",
})  # fmt: skip


@pytest.fixture
def small(tmp_path: Path, db: None) -> SmallBank:
    """Four customers of two branches: one rises a tier in June, the others stay."""
    bank = SmallBank(tmp_path)
    for i in range(4):
        bank.customer(branch_code="0001" if i % 2 == 0 else "0002", area_type="county" if i < 3 else "urban",
                      rm_no="R001", opened_on=date(2026, 5, 25) if i == 3 else date(2020, 1, 1))  # fmt: skip
        for day, fen in ((MAY, WAN), (JUNE, 6 * WAN if i == 0 else WAN)):
            bank.hold(i, day, "demand", fen)
    bank.save()
    runtime.install(runtime.Runtime(
        store=bank.store, data_folder=tmp_path, tag_folders=(), field_key=b"f" * 32, index_key=b"i" * 32,
        audit_key=b"a" * 32, pseudonym_key=b"p" * 32, clock=runtime.runtime().clock,
    ))  # fmt: skip
    return bank


def test_tiers_move_between_months_within_an_actors_scope(
    small: SmallBank, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = transitions_for(system_actor(), "asset_tier")
    assert (few.began, few.moved(up=True), few.left_out) == (0, 0, 2)  # so few would be persons
    monkeypatch.setattr(Transitions, "told", lambda self: self)
    found = transitions_for(system_actor(), "asset_tier")
    assert (found.earlier, found.later, found.moved(up=True)) == (MAY, JUNE, 1)
    of_branch = {
        code: replace(cast["zhaomin"], branch_code=code, branch_path=f"/HO/C1/{code}/") for code in ("0001", "0002")
    }
    mine = {code: transitions_for(actor, "asset_tier") for code, actor in of_branch.items()}
    assert {code: (m.began, m.moved(up=True)) for code, m in mine.items()} == {"0001": (2, 1), "0002": (2, 0)}


def test_the_ladder_is_told_month_by_month(small: SmallBank) -> None:
    months = tier_months_for(system_actor())
    assert [(m.month, m.by_tier[1], m.by_tier[2], m.risen) for m in months] == [(MAY, 4, 0, 0), (JUNE, 3, 1, 1)]


def test_drift_and_transitions_need_two_dates(small: SmallBank) -> None:
    refresh_tags(system_actor(), as_of=JUNE, only=["demo_area_type"])
    with pytest.raises(NoData, match="fewer than two dates"):
        drift_for(system_actor(), "demo_area_type")
    refresh_tags(system_actor(), as_of=MAY, only=["demo_area_type"])
    assert drift_for(system_actor(), "demo_area_type").index == pytest.approx(0)
    assert months_for(system_actor(), "demo_area_type") == [MAY, JUNE]


def test_each_refresh_says_how_long_the_stage_has_lasted(small: SmallBank) -> None:
    stages = ["life_stage", "life_days_in_stage"]
    row = next(r for r in tag_rows_for(system_actor()) if r.spec.name == "life_days_in_stage")
    assert row.missing is not None
    assert "kequn" in row.missing.en
    refresh_tags(system_actor(), as_of=MAY, only=stages[:1])
    refresh_tags(system_actor(), as_of=JUNE, only=stages[:1])
    # asleep since the first date there is; the last was new in May and is past the first month in June
    assert small.column("life_days_in_stage", JUNE) == [30, 30, 30, 0]
    row = next(r for r in tag_rows_for(system_actor()) if r.spec.name == "life_days_in_stage")
    assert row.missing is None
    assert row.coverage == 1


def test_a_tag_in_use_is_not_removed_and_its_users_are_named(small: SmallBank, cast: Cast) -> None:
    save_tag(system_actor(), COFFEE)
    save_tag(system_actor(), COFFEE.model_copy(update={
        "name": "txn_much_coffee", "title": COFFEE.title.model_copy(update={"zh": "多咖啡"}), "type": "boolean",
        "over": "tags", "expression": "txn_coffee > 9", "null": "unknown",
    }))  # fmt: skip
    where = {"tag": "txn_coffee", "op": ">", "value": 3}
    save_segment(system_actor(), SegmentSpec.model_validate({"name": "drinkers", "title": "咖啡客", "where": where}))
    users = [(u.kind, u.name) for u in users_for(system_actor(), "txn_coffee")]
    assert users == [("segment", "drinkers"), ("tag", "txn_much_coffee")]
    with pytest.raises(Conflict, match="segment drinkers, tag txn_much_coffee"):
        remove_tag(system_actor(), "txn_coffee")
    assert "txn_coffee" in catalogue()
    remove_tag(system_actor(), "txn_much_coffee")
    assert "txn_much_coffee" not in catalogue()


def test_only_the_banks_own_tags_can_be_removed(small: SmallBank, cast: Cast) -> None:
    with pytest.raises(UnknownTag, match="was added through kequn"):
        remove_tag(system_actor(), "asset_tier")
    save_tag(system_actor(), catalogue()["txn_mcc_top"].model_copy(update={"days": 90}))
    remove_tag(system_actor(), "txn_mcc_top")
    assert catalogue()["txn_mcc_top"].days == 180
    with pytest.raises(NotAllowed):
        remove_tag(next(a for a in cast.values() if not a.may("tag.edit")), "txn_mcc_top")


def test_a_group_is_counted_before_it_is_loaded_and_says_what_it_lacks(small: SmallBank) -> None:
    refresh_tags(system_actor(), as_of=JUNE, only=["demo_area_type", "asset_tier"])
    rows = {r.group.spec.name: r for r in group_rows_for(system_actor())}
    assert (rows["seg_county"].part.size, rows["seg_county"].loaded) == (3, 0)
    assert rows["seg_payroll"].part.size is None
    assert rows["seg_payroll"].part.missing == ("acct_payroll",)
    page = group_for(system_actor(), "seg_county")
    assert [(p.spec.name, p.size) for p in page.parts] == [
        ("seg_county", 3), ("seg_county_seat", 3), ("seg_county_town", 0),
    ]  # fmt: skip
    assert {g.spec.name: n for g, _size, n in page.shared}["seg_private"] == 0


def test_loading_groups_twice_changes_nothing_and_leaves_the_banks_own_alone(small: SmallBank) -> None:
    mine = SegmentSpec.model_validate({"name": "seg_car", "title": "我行车主", "where": {"all": []}})
    save_segment(system_actor(), mine)
    assert len(load_groups(system_actor()).saved) == len(shipped_segments()) - 1
    assert load_groups(system_actor()) == Loaded((), (), ("seg_car",))
    assert segment_specs()["seg_car"].title.zh == "我行车主"


def test_a_group_of_an_earlier_kequn_is_renewed_only_where_nobody_edited_it(small: SmallBank) -> None:
    """Two were loaded by a kequn that had other rules for them; the bank edited one of them since."""
    for name in ("seg_car", "seg_genz"):
        earlier = SegmentSpec.model_validate({"name": name, "title": "旧版", "where": {"all": []}})
        save_segment(system_actor(), earlier, from_pack=True)
    edited = SegmentSpec.model_validate({"name": "seg_genz", "title": "我行的", "where": {"not": {"all": []}}})
    save_segment(system_actor(), edited)
    found = load_groups(system_actor(), ["seg_car", "seg_genz"])
    assert (found.older, found.edited) == (("seg_car",), ("seg_genz",))
    assert segment_specs()["seg_car"].title.zh == "旧版"
    renewed = load_groups(system_actor(), ["seg_car", "seg_genz"], renew=True)
    assert [v.name for v in renewed.saved] == ["seg_car"]
    assert segment_specs()["seg_car"] == shipped_segments()["seg_car"]
    assert segment_specs()["seg_genz"].title.zh == "我行的"
    assert load_groups(system_actor(), ["seg_car", "seg_genz"], renew=True) == Loaded((), (), ("seg_genz",))


def test_a_group_with_missing_tags_loads_all_the_same_and_can_be_left_out(small: SmallBank) -> None:
    refresh_tags(system_actor(), as_of=JUNE, only=["demo_area_type"])
    assert [v.name for v in load_groups(system_actor(), ["seg_county", "seg_payroll"], whole=False).saved] == [
        "seg_county", "seg_county_seat", "seg_county_town",
    ]  # fmt: skip
    assert len(load_groups(system_actor(), ["seg_payroll"]).saved) == len(groups()["seg_payroll"].segments)
    with pytest.raises(UnknownSegment):
        load_groups(system_actor(), ["seg_owner", "seg_nobody"])
    assert "seg_owner" not in segment_specs()
