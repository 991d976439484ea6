"""Plans: drawn by rules, looked at, applied as a job; nobody above her limit, the same twice, and nobody lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.core.spec.base import Text
from kequn.core.spec.ownership import AssignmentSpec
from kequn.core.spec.reading import dump_spec, parse_spec
from kequn.ops import runtime
from kequn.ops.customers.models import Person
from kequn.ops.jobs.services import run_waiting
from kequn.ops.orgs.models import User
from kequn.ops.ownership import known, queries, services
from kequn.ops.ownership.models import Notice, OwnerChange, WecomMove
from kequn.ops.ownership.placing import Seeker, Taker, place
from tests.ops.conftest import NOW
from tests.ops.ownership.conftest import Cast, ids, load, person

RULES = AssignmentSpec(name="r", title=Text(zh="规则"), order=("earlier", "skill", "language", "nearest", "balance"))


@st.composite
def banks(draw: st.DrawFn) -> tuple[list[Seeker], list[tuple[str, str, int, int]], AssignmentSpec]:
    branches = ["A", "B", "C"]
    takers = [
        (f"R{n}", draw(st.sampled_from(branches)), draw(st.integers(0, 6)), draw(st.integers(0, 6)))
        for n in range(draw(st.integers(0, 5)))
    ]
    seekers = [
        Seeker(
            f"c{n:03}", draw(st.sampled_from(branches)), draw(st.integers(0, 5)),
            frozenset(draw(st.sets(st.sampled_from(["s", "t"])))), frozenset(), (draw(st.sampled_from(["R0", "R1", "R9"])),),
        )
        for n in range(draw(st.integers(0, 25)))
    ]  # fmt: skip
    order = draw(st.permutations(["earlier", "skill", "language", "nearest", "balance"]))
    return seekers, takers, RULES.model_copy(update={"order": tuple(order[: draw(st.integers(0, 5))])})


@given(banks(), st.randoms(use_true_random=False))
def test_everybody_is_placed_once_within_limits_and_whatever_the_order_of_the_input(case, chance) -> None:
    seekers, staff, rules = case
    nearest = {"A": ["B", "C"], "B": ["A", "C"], "C": ["B", "A"]}

    def takers() -> list[Taker]:
        return [Taker(s, b, o, limit, frozenset("s")) for s, b, o, limit in staff]

    found = place(seekers, takers(), rules, nearest=nearest)
    assert sorted(p.customer_id for p in found) == sorted(s.customer_id for s in seekers)
    mixed_seekers, mixed_takers = list(seekers), takers()
    chance.shuffle(mixed_seekers)
    chance.shuffle(mixed_takers)
    assert place(mixed_seekers, mixed_takers, rules, nearest=nearest) == found
    branch_of = {s: b for s, b, _o, _l in staff}
    home = {s.customer_id: s.branch_code for s in seekers}
    for staff_no, _branch, owned, limit in staff:
        got = sum(p.staff_no == staff_no for p in found)
        assert got == 0 or owned + got <= limit
    for p in found:
        if p.staff_no and "nearest" not in rules.order:
            assert branch_of[p.staff_no] == home[p.customer_id]
    free = {s: max(0, limit - owned) - sum(p.staff_no == s for p in found) for s, _b, owned, limit in staff}
    for p in found:
        if not p.staff_no:  # nobody is left over while there is room for her
            reachable = (
                branch_of
                if "nearest" in rules.order
                else {s: b for s, b in branch_of.items() if b == home[p.customer_id]}
            )
            assert all(free[s] == 0 for s in reachable)


def test_each_rule_narrows_and_the_emptiest_book_decides() -> None:
    def takers() -> list[Taker]:
        return [
            Taker("R1", "A", 50, 100, frozenset({"小微"})),
            Taker("R2", "A", 10, 100),
            Taker("R3", "A", 20, 100, frozenset({"小微"}), frozenset({"粤语"})),
        ]

    def who(seeker: Seeker) -> tuple[str, str]:
        found = place([seeker], takers(), RULES)[0]
        return found.staff_no, found.why

    assert who(Seeker("c", "A")) == ("R2", "balance")
    assert who(Seeker("c", "A", skills=frozenset({"小微"}))) == ("R3", "balance")
    assert who(Seeker("c", "A", skills=frozenset({"小微"}), languages=frozenset({"粤语"}))) == ("R3", "language")
    assert who(Seeker("c", "A", skills=frozenset({"小微"}), earlier=("R9", "R1", "R3"))) == ("R1", "earlier")
    assert who(Seeker("c", "A", skills=frozenset({"遗产"}))) == ("R2", "balance")
    assert who(Seeker("c", "B")) == ("", "no_room")


def test_the_valuable_choose_first() -> None:
    found = place([Seeker("a", "A", 1), Seeker("b", "A", 9)], [Taker("R1", "A", 0, 1)], RULES)
    assert [(p.customer_id, p.staff_no) for p in found] == [("b", "R1"), ("a", "")]


def test_rules_are_a_document_that_reads_back() -> None:
    text = """
kind: assignment
name: house
title: {zh: 分配规则, en: Rules}
order: [earlier, skill, nearest, balance]
needs:
  - {segment: merchants, skill: 小微}
fill_percent: 90
"""
    (spec,) = parse_spec(text)
    assert isinstance(spec, AssignmentSpec)
    assert parse_spec(dump_spec(spec)) == [spec]
    for wrong in ("order: [earlier, earlier]", "needs: [{segment: m}]", "fill_percent: 0", "order: [luck]"):
        with pytest.raises(Exception, match=r".+"):
            parse_spec(f"kind: assignment\nname: x\ntitle: x\n{wrong}\n")


# -- plans --------------------------------------------------------------------------------------------------------------

db = pytest.mark.django_db


def applied(cast: Cast, plan) -> None:
    services.apply_assignment(cast["liqiang"], plan.pk)
    run_waiting()
    plan.refresh_from_db()
    assert plan.state == "applied"


@db
def test_a_plan_changes_nothing_until_it_is_applied(staff: Cast, policy) -> None:
    policy(book_limit=3)
    load(*(person(n) for n in range(1, 8)), person(20, owner="R001"), person(30, branch="0002"))
    plan = services.draw_assignment(staff["liqiang"])
    assert Person.objects.filter(rm_no="").count() == 8
    assert (plan.summary["customers"], plan.summary["placed"]) == (7, 7)
    assert {t["staff_no"]: t["gets"] for t in plan.summary["takers"]} == {"R001": 1, "R003": 3, "R004": 3} or sum(
        t["gets"] for t in plan.summary["takers"]
    ) == 7
    applied(staff, plan)
    sizes = {s: Person.objects.filter(rm_no=s).count() for s in ("R001", "R003", "R004")}
    assert max(sizes.values()) <= 3
    assert sum(sizes.values()) == 8
    assert OwnerChange.objects.filter(reason="assigned", assignment=plan).count() == 7
    assert not Notice.objects.exists()  # nobody had them before: there is nobody to take leave of
    again = services.apply_assignment(staff["liqiang"], plan.pk)
    run_waiting()
    assert again.kind == "ownership.assign"
    assert OwnerChange.objects.count() == 7


@db
def test_two_plans_for_the_same_customers_leave_each_with_one_owner(staff: Cast) -> None:
    load(*(person(n) for n in range(1, 10)))
    one = services.draw_assignment(staff["liqiang"])
    two = services.draw_assignment(staff["liqiang"])
    services.apply_assignment(staff["liqiang"], one.pk)
    with pytest.raises(Conflict, match="another plan"):
        services.apply_assignment(staff["liqiang"], two.pk)
    run_waiting()
    applied(staff, two)
    assert set(two.lines.values_list("outcome", flat=True)) == {"taken"}
    assert OwnerChange.objects.count() == 9


@db
def test_who_was_claimed_after_the_plan_stays_with_who_claimed_her(staff: Cast) -> None:
    load(person(1), person(2))
    plan = services.draw_assignment(staff["liqiang"])
    services.claim_customer(staff["qianlin"], ids(1)[0])
    applied(staff, plan)
    assert Person.objects.get(pk=ids(1)[0]).rm_no == "R004"


@db
def test_a_book_that_filled_up_after_the_plan_is_not_overfilled(staff: Cast, policy) -> None:
    policy(book_limit=2)
    load(*(person(n) for n in range(1, 7)))
    plan = services.draw_assignment(staff["liqiang"])
    load(*(person(n, owner="R001") for n in (51, 52)), load_id="l2")
    applied(staff, plan)
    assert Person.objects.filter(rm_no="R001").count() == 2
    assert plan.lines.filter(outcome="full").count() == 2
    assert Person.objects.filter(rm_no="").count() == 2


@db
def test_who_is_on_leave_gets_nobody(staff: Cast) -> None:
    load(*(person(n) for n in range(1, 5)))
    today = NOW.date()
    services.record_absence(staff["liqiang"], "R003", kind="leave", first_day=today, last_day=today + timedelta(days=3))
    plan = services.draw_assignment(staff["liqiang"])
    assert {t["staff_no"] for t in plan.summary["takers"]} == {"R001", "R004"}


@db
def test_a_plan_is_of_its_branch_alone(staff: Cast) -> None:
    load(person(1))
    plan = services.draw_assignment(staff["liqiang"])
    with pytest.raises(NotAllowed):
        queries.assignment_for(staff["wumei"], plan.pk)
    with pytest.raises(NotAllowed):
        services.apply_assignment(staff["wumei"], plan.pk)
    with pytest.raises(NotAllowed):
        services.draw_assignment(staff["liqiang"], branch_code="0002")
    with pytest.raises(NotAllowed):
        services.draw_assignment(staff["wangfang"])
    with pytest.raises(Conflict, match="no customer"):
        services.draw_assignment(staff["wumei"])


@db
def test_yesterdays_plan_is_not_applied(staff: Cast, bank_runtime: runtime.Runtime) -> None:
    load(person(1))
    plan = services.draw_assignment(staff["liqiang"])
    bank_runtime.clock = lambda: NOW + timedelta(days=1, minutes=1)
    with pytest.raises(Conflict, match="older than a day"):
        services.apply_assignment(staff["liqiang"], plan.pk)
    assert services.drop_assignment(staff["liqiang"], plan.pk).state == "dropped"
    with pytest.raises(Conflict, match="put aside"):
        services.apply_assignment(staff["liqiang"], plan.pk)


# -- hand-over ----------------------------------------------------------------------------------------------------------


@db
def test_all_customers_of_one_who_left_go_to_others_with_history_notice_and_wecom(
    staff: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(known._wecom, "customers", set)
    load(*(person(n, owner="R001") for n in range(1, 251)))
    User.objects.filter(staff_no="R001").update(is_active=False)
    plan = services.draw_hand_over(staff["liqiang"], "R001", cause="left", to_staff=["R003"], note="离职移交")
    applied(staff, plan)
    assert Person.objects.filter(rm_no="R003").count() == 250
    assert queries.leavers_for(staff["liqiang"]) == []
    assert Notice.objects.filter(state="owed", staff_no="R003").count() == 250
    assert WecomMove.objects.count() == 250
    calls = list(WecomMove.objects.values_list("call", flat=True))
    assert max(calls.count(c) for c in set(calls)) <= 100
    change = OwnerChange.objects.filter(assignment=plan).first()
    assert change is not None
    assert (change.reason, change.from_staff, change.note) == ("handed_over", "R001", "离职移交")


@db
def test_a_hand_over_shares_among_colleagues_within_their_limits_and_loses_nobody(staff: Cast, policy) -> None:
    policy(book_limit=4)
    load(*(person(n, owner="R001") for n in range(1, 11)))
    plan = services.draw_hand_over(staff["liqiang"], "R001", cause="transfer")
    assert (plan.summary["customers"], plan.summary["placed"]) == (10, 8)
    applied(staff, plan)
    sizes = {s: Person.objects.filter(rm_no=s).count() for s in ("R001", "R003", "R004")}
    assert sizes == {"R001": 2, "R003": 4, "R004": 4}


@db
def test_nobody_hands_over_the_neighbours_customers(staff: Cast) -> None:
    load(person(1, branch="0002", owner="R002"), person(2, branch="0002", owner="GONE"))
    with pytest.raises(NotAllowed):
        services.draw_hand_over(staff["liqiang"], "R002", cause="transfer")
    with pytest.raises(Conflict, match="no customers"):
        services.draw_hand_over(staff["liqiang"], "GONE", cause="left")
    with pytest.raises(InvalidSpec):
        services.draw_hand_over(staff["wumei"], "R002", cause="whim")
