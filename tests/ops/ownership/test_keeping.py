"""What is kept: the bank's load against changes here, WeCom's limits, who is long unworked, the word owed, the pool."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.core.spec.ownership import PoolSpec
from kequn.ops import runtime
from kequn.ops.customers.models import Person
from kequn.ops.orgs.actor import system_actor
from kequn.ops.ownership import known, pools, queries, services
from kequn.ops.ownership.contracts import Doing
from kequn.ops.ownership.models import LoadConflict, Neglect, Notice, OwnerChange, PoolFigure, PoolMember, WecomMove
from kequn.server.housekeeping import Housekeeping
from tests.ops.conftest import NOW
from tests.ops.ownership.conftest import Cast, ids, load, person

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


def owner(n: int = 1) -> str:
    return Person.objects.get(pk=ids(n)[0]).rm_no


def give(cast: Cast, to: str, *numbers: int) -> None:
    services.reassign_customers(cast["liqiang"], ids(*(numbers or (1,))), to, reason="调整")


# -- the bank's load ----------------------------------------------------------------------------------------------------


def test_a_change_here_outlives_a_load_that_says_what_it_said_before(staff: Cast) -> None:
    load(person(1, owner="R001"))
    give(staff, "R003")
    load(person(1, owner="R001") | {"phone": "13811112222"}, load_id="l2")
    assert owner() == "R003"
    assert [p.pk for p in queries.differing_for(staff["liqiang"])] == ids(1)


def test_the_bank_catches_up_and_then_its_next_change_holds(staff: Cast) -> None:
    load(person(1, owner="R001"))
    give(staff, "R003")
    load(person(1, owner="R003"), load_id="l2")
    assert owner() == "R003"
    assert not queries.differing_for(staff["liqiang"]).exists()
    load(person(1, owner="R004"), load_id="l3")
    assert owner() == "R004"
    last = OwnerChange.objects.first()
    assert last is not None
    assert (last.reason, last.from_staff, last.to_staff, last.note) == ("loaded", "R003", "R004", "l3")
    assert not LoadConflict.objects.exists()


@pytest.mark.parametrize(("rule", "kept"), [("keep", "R003"), ("bank", "R004")])
def test_a_third_owner_is_a_conflict_decided_by_the_policy_and_listed(
    staff: Cast, policy, rule: str, kept: str
) -> None:
    policy(on_conflict=rule)
    load(person(1, owner="R001"))
    give(staff, "R003")
    load(person(1, owner="R004"), load_id="l2")
    assert owner() == kept
    row = queries.conflicts_for(staff["liqiang"]).get()
    assert (row.before, row.bank, row.kequn, row.kept) == ("R001", "R004", "R003", kept)
    assert not queries.conflicts_for(staff["wumei"]).exists()
    services.settle_conflict(staff["liqiang"], row.pk, take="bank")
    assert owner() == "R004"
    with pytest.raises(NotAllowed):
        services.settle_conflict(staff["liqiang"], row.pk, take="kequn")


def test_the_bank_taking_the_owner_away_counts_as_its_word(staff: Cast) -> None:
    load(person(1, owner="R001"), person(2, owner="R001"))
    give(staff, "R003", 2)
    load(person(1), person(2), load_id="l2")
    assert (owner(1), owner(2)) == ("", "R003")
    assert LoadConflict.objects.count() == 1


# -- WeCom --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def everybody_on_wecom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(known._wecom, "customers", set)


def test_a_contact_moves_at_most_twice_in_ninety_days(
    staff: Cast, everybody_on_wecom: None, bank_runtime: runtime.Runtime
) -> None:
    load(person(1, owner="R001"))
    for n, to in enumerate(("R003", "R004", "R001")):
        bank_runtime.clock = lambda n=n: NOW + timedelta(days=2 * n)
        for row in queries.wecom_moves_for(staff["liqiang"], state="waiting"):
            services.answer_move(staff["liqiang"], row.pk, state="moved")
        give(staff, to)
    assert WecomMove.objects.count() == 2
    assert owner() == "R001"
    bank_runtime.clock = lambda: NOW + timedelta(days=60)
    assert services.repeat_moves(staff["liqiang"], ids(1))[1] == {ids(1)[0]: "limit"}
    bank_runtime.clock = lambda: NOW + timedelta(days=91)
    made, _left = services.repeat_moves(staff["liqiang"], ids(1))
    assert [(m.from_staff, m.to_staff) for m in made] == [("R004", "R001")]


def test_a_move_takes_a_day_and_may_be_refused_and_a_refusal_does_not_count(
    staff: Cast, everybody_on_wecom: None, bank_runtime: runtime.Runtime
) -> None:
    load(person(1, owner="R001"))
    give(staff, "R003")
    row = WecomMove.objects.get()
    with pytest.raises(Conflict, match="24 hours"):
        services.answer_move(staff["liqiang"], row.pk, state="moved")
    with pytest.raises(NotAllowed):
        services.answer_move(staff["wumei"], row.pk, state="refused")
    assert services.answer_move(staff["liqiang"], row.pk, state="refused").state == "refused"
    bank_runtime.clock = lambda: NOW + timedelta(days=2)
    with pytest.raises(Conflict, match="otherwise"):
        services.answer_move(staff["liqiang"], row.pk, state="moved")


def test_nothing_is_called_moved_that_nobody_moved_in_wecom(
    staff: Cast, everybody_on_wecom: None, bank_runtime: runtime.Runtime
) -> None:
    load(person(1, owner="R001"), person(2, owner="R001"))
    give(staff, "R003")
    give(staff, "R003", 2)
    bank_runtime.clock = lambda: NOW + timedelta(days=30)
    Housekeeping()()
    to_do = queries.wecom_moves_for(staff["liqiang"], state="waiting")
    assert [(m.from_staff, m.to_staff) for m in to_do] == [("R001", "R003")] * 2
    give(staff, "R004")  # still with R001 in WeCom, so it goes from her to the newest
    give(staff, "R001", 2)  # nothing is left to do
    assert [(m.from_staff, m.to_staff) for m in to_do.all()] == [("R001", "R004")]
    assert not WecomMove.objects.exclude(state="waiting").exists()


def test_who_is_not_on_wecom_is_not_moved_there(staff: Cast) -> None:
    load(person(1, owner="R001"))
    give(staff, "R003")
    assert not WecomMove.objects.exists()


# -- the word owed ------------------------------------------------------------------------------------------------------


def test_a_customer_is_told_once_of_the_newest_owner(staff: Cast, bank_runtime: runtime.Runtime) -> None:
    load(person(1, owner="R001"))
    give(staff, "R003")
    give(staff, "R004")
    assert dict(Notice.objects.values_list("staff_no", "state")) == {"R003": "waived", "R004": "owed"}
    due = Notice.objects.get(state="owed")
    assert due.due_on == TODAY + timedelta(days=10)
    with pytest.raises(NotAllowed):
        services.mark_told(staff["hejie"], [due.pk], how="call")
    with pytest.raises(InvalidSpec):
        services.mark_told(staff["qianlin"], [due.pk], how="telepathy")
    assert services.mark_told(staff["qianlin"], [due.pk], how="call") == 1
    assert services.mark_told(staff["qianlin"], [due.pk], how="call") == 0


# -- long unworked ------------------------------------------------------------------------------------------------------


def watched(clock: runtime.Runtime, days: int) -> int:
    clock.clock = lambda: NOW + timedelta(days=days)
    return services.watch_owners(system_actor())


@pytest.fixture
def strict(policy):
    take_back = {"warn_days": 60, "escalate_days": 75, "take_back_days": 90, "counts_from": TODAY}
    return policy(take_back=take_back)


def test_warned_then_escalated_then_taken_back(staff: Cast, strict, bank_runtime: runtime.Runtime) -> None:
    load(person(1, owner="R001"))
    assert watched(bank_runtime, 59) == 0
    assert not Neglect.objects.exists()
    watched(bank_runtime, 60)
    assert queries.neglect_for(staff["wangfang"]).get().stage == "warned"
    assert not queries.neglect_for(staff["hejie"]).exists()
    watched(bank_runtime, 75)
    assert queries.neglect_for(staff["liqiang"]).get().stage == "escalated"
    assert not queries.neglect_for(staff["wumei"]).exists()
    assert watched(bank_runtime, 89) == 0
    assert watched(bank_runtime, 90) == 1
    assert owner() == ""
    assert queries.cards(staff["hejie"], ids(1))[0].why == "taken_back"
    assert watched(bank_runtime, 90) == 0


def test_without_an_approved_rule_nobody_is_taken_back(staff: Cast, bank_runtime: runtime.Runtime) -> None:
    load(person(1, owner="R001"))
    for day in (100, 200, 300):
        assert watched(bank_runtime, day) == 0
    assert owner() == "R001"


def test_found_late_she_still_has_the_days_between_the_steps(
    staff: Cast, strict, bank_runtime: runtime.Runtime
) -> None:
    load(person(1, owner="R001"))
    taken = [watched(bank_runtime, day) for day in (200, 201, 202, 215, 216)]
    assert taken == [0, 0, 0, 0, 1]


def test_an_open_matter_protection_or_leave_keeps_her_where_she_is(
    staff: Cast, strict, bank_runtime: runtime.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(person(1, owner="R001"), person(2, owner="R001"))
    monkeypatch.setitem(known._matters, "test", lambda asked: set(ids(1)) & set(asked))
    for day in (60, 75, 90):
        watched(bank_runtime, day)
    assert (owner(1), owner(2)) == ("R001", "")
    assert Neglect.objects.get().kept_for == "open_matter"
    monkeypatch.setitem(known._matters, "test", lambda asked: set())
    monkeypatch.setitem(known._opportunities, "test", lambda asked, at: set(asked))
    assert watched(bank_runtime, 91) == 0
    monkeypatch.setitem(known._opportunities, "test", lambda asked, at: set())
    assert watched(bank_runtime, 92) == 1


def test_a_contact_starts_the_clock_anew_and_leave_stops_it(
    staff: Cast, strict, bank_runtime: runtime.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(person(1, owner="R001"), person(2, owner="R003"))
    watched(bank_runtime, 60)
    assert Neglect.objects.count() == 2
    again = TODAY + timedelta(days=61)
    monkeypatch.setitem(
        known._worked, "test", lambda asked, first, last: dict.fromkeys(set(asked) & set(ids(1)), (again, again))
    )
    services.record_absence(
        staff["liqiang"],
        "R003",
        kind="leave",
        first_day=TODAY + timedelta(days=60),
        last_day=TODAY + timedelta(days=79),
    )
    watched(bank_runtime, 75)
    assert not Neglect.objects.filter(customer_id=ids(1)[0]).exists()
    assert not Neglect.objects.filter(customer_id=ids(2)[0]).exists()  # 75 days less 16 of leave
    watched(bank_runtime, 80)
    assert Neglect.objects.get(customer_id=ids(2)[0]).stage == "warned"


# -- the pool -----------------------------------------------------------------------------------------------------------

POOL = PoolSpec(name="keep", title="长期经营", segment="rich", stay_days=30, repurchase_days=180)


class World:
    """A bank whose days, members and doings the test says."""

    def __init__(self) -> None:
        self.days = [TODAY]
        self.members: dict = {}
        self.doing: dict = {}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, policy) -> World:
    policy()
    found = World()
    monkeypatch.setattr(pools, "pools", lambda: [POOL])
    monkeypatch.setattr(pools, "days_known", lambda: found.days)
    monkeypatch.setattr(pools, "members_of", lambda segment, day: set(found.members[day]))
    monkeypatch.setattr(
        pools, "doings_of", lambda asked, day, families, within: {c: found.doing.get((c, day), Doing()) for c in asked}
    )
    return found


def test_who_fits_enters_and_who_no_longer_does_leaves_after_the_days_of_grace(staff: Cast, world: World) -> None:
    load(*(person(n, owner="R001") for n in (1, 2, 3)))
    later = [TODAY + timedelta(days=n) for n in (10, 40, 41)]
    world.days = [TODAY, *later]
    world.members = {TODAY: ids(1, 2, 3), later[0]: ids(1, 2), later[1]: ids(1), later[2]: ids(1)}
    for day in later:
        world.doing[ids(2)[0], day] = Doing(bought_lately=True, bought_before=True)
    assert services.refresh_pool(system_actor(), POOL) == 4
    assert services.refresh_pool(system_actor(), POOL) == 0
    stays = {m.customer_id: m for m in PoolMember.objects.all()}
    assert stays[ids(1)[0]].left_on is None
    assert stays[ids(2)[0]].left_on is None  # she bought again
    assert stays[ids(3)[0]].left_on == later[1]
    days = queries.pool_days(staff["wangfang"], "keep")
    assert [(d.members, d.entered, d.left) for d in days] == [(3, 3, 0), (3, 0, 0), (2, 0, 1), (2, 0, 0)]
    world.days.append(TODAY + timedelta(days=50))
    world.members[world.days[-1]] = ids(1, 3)
    services.refresh_pool(system_actor(), POOL)
    assert PoolMember.objects.filter(customer_id=ids(3)[0]).count() == 2


def test_rates_need_thirty_customers_and_are_each_ones_own(staff: Cast, world: World) -> None:
    load(
        *(person(n, owner="R001") for n in range(1, 41)),
        *(person(n, branch="0002", owner="R002") for n in range(51, 61)),
    )
    world.members = {TODAY: ids(*range(1, 41), *range(51, 61))}
    for n in range(1, 11):
        world.doing[ids(n)[0], TODAY] = Doing(aum_fen=100, active_month=True)
    services.refresh_pool(system_actor(), POOL)
    mine = queries.pool_days(staff["wangfang"], "keep")[-1]
    assert mine.members == 40
    assert mine.aum_fen == 1000
    assert mine.rates["mau"].value == 0.25
    assert mine.rates["mau"].low < 0.25 < mine.rates["mau"].high
    assert mine.rates["repurchase"].value is None  # nobody could buy again yet
    other = queries.pool_days(staff["chenjing"], "keep")[-1]
    assert (other.members, other.rates["mau"].value) == (10, None)
    assert [r.staff_no for r in queries.pool_staff(staff["liqiang"], "keep")] == ["R001"]
    assert [r.members for r in queries.pool_staff(staff["zhaomin"], "keep")] == [40, 10]
    assert queries.pool_members_for(staff["liqiang"], "keep").count() == 40
    assert queries.pool_members_for(staff["zhaomin"], "keep").count() == 0
    assert sum(f.n.get("members", 0) for f in PoolFigure.objects.all()) == 50
