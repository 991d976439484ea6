"""A round through a book: opened, decided one by one, taken back, over; what two tabs and two people do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.ops import runtime
from kequn.ops.books import queries, services, states
from kequn.ops.books.models import CircleMember, Correction, StockTake, StockTakeLine
from kequn.ops.books.services import Proposal
from kequn.ops.books.suggesting import suggestion
from kequn.ops.customers.models import Person
from kequn.ops.governance.models import AuditEntry
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import now
from kequn.ops.workbench import services as workbench
from kequn.ops.workbench.queries import bank_day
from tests.ops.bank import Cast
from tests.ops.booked_bank import *  # noqa: F403 - fixtures
from tests.ops.booked_bank import MINE, customer_id
from tests.ops.conftest import NOW

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


def opened(actor: Actor, query: str = "", *, key: str = "k", staff_no: str = "", days: int = 10) -> StockTake:
    deadline = TODAY + timedelta(days=days)
    return services.open_stock_take(actor, key=key, title="七月盘点", deadline=deadline, staff_no=staff_no, query=query)


def line_of(row: StockTake, ordinal: int) -> StockTakeLine:
    return StockTakeLine.objects.get(stock_take=row, customer_id=customer_id(ordinal))


def test_a_round_covers_whom_the_filter_finds_in_the_lists_order(books: Cast) -> None:
    row = opened(books["wangfang"], "aum_min=100000&sort=aum")
    wanted = queries.read_filter({"aum_min": ["100000"], "sort": ["aum"]})
    lines = list(queries.lines_of(books["wangfang"], row).values_list("customer_id", flat=True))
    assert lines == queries.chosen(books["wangfang"], wanted)
    assert opened(books["wangfang"], "aum_min=100000&sort=aum").pk == row.pk
    assert StockTake.objects.count() == 1


def test_a_branch_head_opens_it_over_her_rms_and_nobody_elses(books: Cast) -> None:
    row = opened(books["liqiang"], staff_no="R001")
    assert (row.staff_no, row.branch_code, row.lines.count()) == ("R001", "0001", MINE)
    for staff_no in ("R002", "R999", ""):
        with pytest.raises(NotAllowed):
            opened(books["liqiang"], staff_no=staff_no)
    with pytest.raises(NotAllowed):
        opened(books["wangfang"], staff_no="R002")
    with pytest.raises(NotAllowed):
        queries.stock_take_for(books["chenjing"], row.pk)
    with pytest.raises(NotAllowed):
        services.decide_line(books["chenjing"], line_of(row, 1).pk, key="a", result="confirmed")
    with pytest.raises(NotAllowed):
        services.decide_line(books["liqiang"], line_of(row, 1).pk, key="a", result="confirmed")


@pytest.mark.parametrize(
    ("query", "days", "kind"), [("", -1, InvalidSpec), ("", 999, InvalidSpec), ("tier=T6", 9, Conflict)]
)
def test_a_round_that_cannot_be_is_not_opened(books: Cast, query: str, days: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        opened(books["wangfang"], query, days=days)
    assert StockTake.objects.count() == 0


def test_each_decision_has_its_effect_and_the_last_one_ends_the_round(books: Cast) -> None:
    rm = books["wangfang"]
    row = opened(rm, "aum_min=300000")
    lines = list(row.lines.all())
    circle = services.create_circle(rm, "东门市场")
    confirmed, corrected, grouped, given_up, *rest = lines
    services.decide_line(rm, confirmed.pk, key="1", result="confirmed")
    services.decide_line(
        rm, corrected.pk, key="2", result="corrected", note="客户说电话换成 13900001111 了",
        corrections=[Proposal("phone_invalid"), Proposal("merchant_street", "东门大街")],
    )  # fmt: skip
    services.decide_line(rm, grouped.pk, key="3", result="grouped", circle=circle.pk)
    services.decide_line(rm, given_up.pk, key="4", result="given_up", reason="moved_away", note="去了外地")
    for n, line in enumerate(rest):
        services.decide_line(rm, line.pk, key=f"r{n}", result="confirmed")
    row.refresh_from_db()
    corrected.refresh_from_db()
    assert row.state == states.DONE
    assert corrected.note == "客户说电话换成 *** 了"
    assert set(Correction.objects.values_list("field", "value")) == {
        ("phone_invalid", ""),
        ("merchant_street", "东门大街"),
    }
    assert CircleMember.objects.get().customer_id == grouped.customer_id
    assert Person.objects.get(pk=given_up.customer_id).rm_no == ""
    progress = queries.progress_of(books["liqiang"], [row])[row.pk]
    assert progress.by_state == {"confirmed": len(lines) - 3, "corrected": 1, "grouped": 1, "given_up": 1}
    assert progress.by_reason == {"moved_away": 1}
    assert progress.decided == progress.total == len(lines)
    assert given_up.customer_id not in queries.chosen(rm, queries.read_filter({}))
    assert AuditEntry.objects.filter(act="stocktake.decided").count() == len(lines)


@pytest.mark.parametrize(
    "fields",
    [
        {"result": "waved"}, {"result": "gone"}, {"result": "given_up"}, {"result": "given_up", "reason": "tired"},
        {"result": "grouped"}, {"result": "corrected"}, {"result": "corrected", "corrections": [Proposal("shoe_size", "40")]},
        {"result": "corrected", "corrections": [Proposal("branch")]}, {"result": "confirmed", "key": " "},
    ],
)  # fmt: skip
def test_a_decision_that_says_nothing_is_refused(books: Cast, fields: dict[str, object]) -> None:
    line = opened(books["wangfang"]).lines.first()
    assert line is not None
    with pytest.raises(InvalidSpec):
        services.decide_line(books["wangfang"], line.pk, **{"key": "k", **fields})  # type: ignore[arg-type]
    line.refresh_from_db()
    assert line.state == states.TODO
    assert Correction.objects.count() == 0


def test_pressing_twice_decides_once_and_a_second_tab_is_told(books: Cast) -> None:
    rm = books["wangfang"]
    line = opened(rm).lines.first()
    assert line is not None
    one = services.decide_line(rm, line.pk, key="same", result="confirmed", note="在店里见到")
    assert (
        services.decide_line(rm, line.pk, key="same", result="confirmed", note="在店里见到").decided_at
        == one.decided_at
    )
    for other in ({"result": "given_up", "reason": "other"}, {"result": "confirmed", "note": "没有见到"}):
        with pytest.raises(Conflict, match="another decision"):
            services.decide_line(rm, line.pk, key="same", **other)
    with pytest.raises(Conflict, match="wangfang"):
        services.decide_line(rm, line.pk, key="other tab", result="given_up", reason="other")
    line.refresh_from_db()
    assert line.state == states.CONFIRMED
    assert AuditEntry.objects.filter(act="stocktake.decided").count() == 1


def test_a_customer_handed_over_meanwhile_is_gone_whatever_was_asked(books: Cast) -> None:
    rm = books["wangfang"]
    line = line_of(opened(rm), 3)
    Person.objects.filter(pk=customer_id(3)).update(rm_no="R002")
    assert queries.facts_of_line(rm, line) is None
    decided = services.decide_line(rm, line.pk, key="k", result="given_up", reason="other")
    assert (decided.state, decided.reason) == (states.GONE, "")
    assert Person.objects.get(pk=customer_id(3)).rm_no == "R002"


def test_what_is_open_on_her_page_is_what_keeps_her_from_being_given_up_and_is_named(books: Cast) -> None:
    rm = books["wangfang"]
    line = line_of(opened(rm), 3)
    who = line.customer_id
    task = workbench.start_contact(rm, who, key="k", why="回访")
    at = now() + timedelta(days=2)
    workbench.record_outcome(rm, task.pk, key="a", contact="connected", intent="considering", next_at=at)
    assert [m.kind for m in workbench.past_for(rm, who).matters] == ["promise"]
    with pytest.raises(Conflict, match=f"promised for {bank_day(at)}"):
        services.decide_line(rm, line.pk, key="k", result="given_up", reason="other")
    # the last word counts: without a next time nothing is open, whatever was agreed on before
    workbench.record_outcome(rm, task.pk, key="b", contact="connected", intent="not_interested")
    assert workbench.past_for(rm, who).matters == ()
    other = workbench.start_contact(rm, who, key="l", why="回访")
    workbench.record_outcome(rm, other.pk, key="c", contact="connected", intent="complaint")
    assert [m.kind for m in workbench.past_for(rm, who).matters] == ["complaint"]
    with pytest.raises(Conflict, match=f"complaint of {bank_day(now())}"):
        services.decide_line(rm, line.pk, key="m", result="given_up", reason="other")


def test_a_decision_can_be_taken_back_but_not_a_customer_given_up(books: Cast) -> None:
    rm = books["wangfang"]
    row = opened(rm, "aum_min=400000")
    first, second, *rest = list(row.lines.all())
    services.decide_line(rm, first.pk, key="1", result="corrected", corrections=[Proposal("deceased")])
    services.decide_line(rm, second.pk, key="2", result="given_up", reason="duplicate")
    for n, line in enumerate(rest):
        services.decide_line(rm, line.pk, key=f"r{n}", result="confirmed")
    back = services.take_back_line(rm, first.pk)
    row.refresh_from_db()
    assert (back.state, back.decided_at, row.state) == (states.TODO, None, states.OPEN)
    assert Correction.objects.get().state == states.DISMISSED
    assert queries.next_line(rm, row) == back
    with pytest.raises(Conflict):
        services.take_back_line(rm, second.pk)


def test_a_round_is_left_off_and_taken_up_where_it_was(books: Cast) -> None:
    rm = books["wangfang"]
    row = opened(rm)
    first, second, third, *_ = list(row.lines.all())
    services.decide_line(rm, first.pk, key="1", result="confirmed")
    assert queries.next_line(rm, row) == second
    assert queries.next_line(rm, row, after=second.position) == third  # skipped
    services.decide_line(rm, third.pk, key="3", result="confirmed")
    assert queries.next_line(rm, row, after=10_000) == second  # the end comes round to what was skipped


def test_after_the_deadline_the_branch_head_gives_more_time(books: Cast, bank_runtime: runtime.Runtime) -> None:
    row = opened(books["liqiang"], staff_no="R001", days=3)
    line = row.lines.first()
    assert line is not None
    bank_runtime.clock = lambda: NOW + timedelta(days=5)
    with pytest.raises(Conflict, match="ended"):
        services.decide_line(books["wangfang"], line.pk, key="k", result="confirmed")
    with pytest.raises(NotAllowed):
        services.move_deadline(books["wangfang"], row.pk, TODAY + timedelta(days=20))
    services.move_deadline(books["liqiang"], row.pk, TODAY + timedelta(days=20))
    assert services.decide_line(books["wangfang"], line.pk, key="k", result="confirmed").state == states.CONFIRMED
    assert services.close_stock_take(books["liqiang"], row.pk).state == states.CLOSED
    with pytest.raises(Conflict):
        services.close_stock_take(books["liqiang"], row.pk)
    with pytest.raises(Conflict):
        services.take_back_line(books["wangfang"], line.pk)


# -- what the data say --------------------------------------------------------------------------------------------------


def test_the_data_stand_beside_each_customer(books: Cast) -> None:
    rm = books["wangfang"]
    row = opened(rm)

    def facts(ordinal: int) -> object:
        found = queries.facts_of_line(rm, line_of(row, ordinal))
        assert found is not None
        return found

    twins = facts(11)
    assert [p.customer_id for p in twins.duplicates] == [customer_id(12)]  # type: ignore[attr-defined]
    assert "duplicate" in twins.grounds  # type: ignore[attr-defined]
    assert facts(13).duplicates == ()  # type: ignore[attr-defined]  # the other one is another RM's: not even counted
    assert facts(7).suggestion == "give_up"  # type: ignore[attr-defined]  # has died
    assert facts(21).phone == "no_phone"  # type: ignore[attr-defined]


codes = st.sampled_from(["", "connected", "dead_number", "wrong_person", "no_phone"])


@given(
    status=st.sampled_from([None, "active", "dormant", "closed", "deceased"]), silent=st.none() | st.integers(0, 900),
    aum=st.none() | st.integers(0, 10_000).map(Decimal), phone=codes, duplicates=st.integers(0, 2), has_moved=st.booleans(),
    is_merchant=st.booleans(), merchant_days=st.integers(0, 30),
)  # fmt: skip
def test_a_suggestion_follows_from_its_first_ground_and_silence_without_data_is_none(**facts: object) -> None:
    points_to, grounds = suggestion(**facts)  # type: ignore[arg-type]
    assert points_to in ("confirm", "correct", "group", "give_up")
    assert (points_to == "confirm") == (not set(grounds) - {"asleep"})
    if points_to == "give_up":
        assert facts["status"] in ("closed", "deceased") or (
            isinstance(facts["silent"], int)
            and facts["silent"] >= 180
            and facts["aum"] is not None
            and facts["aum"] < 100  # type: ignore[operator]
        )
    nothing = suggestion(
        status=None, silent=None, aum=None, phone="", duplicates=0, has_moved=False, is_merchant=False, merchant_days=0
    )
    assert nothing == ("confirm", ())


# -- circles and corrections --------------------------------------------------------------------------------------------


def test_a_circle_holds_ones_own_customers_alone(books: Cast) -> None:
    rm = books["wangfang"]
    circle = services.create_circle(rm, "东门市场", place="东门大街", note="王老板 13900001111")
    assert circle.note == "王老板 ***"
    assert services.create_circle(rm, "东门市场").pk == circle.pk
    assert services.add_to_circle(rm, circle.pk, [customer_id(1), customer_id(2), customer_id(1)]) == 2
    assert services.add_to_circle(rm, circle.pk, [customer_id(2), customer_id(3)]) == 1
    with pytest.raises(NotAllowed):
        services.add_to_circle(rm, circle.pk, [customer_id(4), customer_id(50)])
    assert CircleMember.objects.count() == 3
    with pytest.raises(NotAllowed):
        services.add_to_circle(books["chenjing"], circle.pk, [customer_id(50)])
    with pytest.raises(NotAllowed):
        services.create_circle(books["liqiang"], "不是我的")
    assert queries.circle_sizes(rm) == queries.circle_sizes(books["liqiang"]) == {circle.pk: 3}
    assert queries.circle_sizes(books["chenjing"]) == {}
    with pytest.raises(NotAllowed):
        queries.book_page(books["chenjing"], queries.read_filter({"circle": [str(circle.pk)]}))


def test_who_left_the_book_is_seen_in_no_circle_until_she_is_back(books: Cast) -> None:
    rm = books["wangfang"]
    circle = services.create_circle(rm, "东门市场")
    services.add_to_circle(rm, circle.pk, [customer_id(1), customer_id(2)])
    Person.objects.filter(pk=customer_id(1)).update(rm_no="R002")
    assert queries.members_of_circle(rm, circle) == [customer_id(2)]
    assert queries.circle_sizes(rm) == {circle.pk: 1}
    Person.objects.filter(pk=customer_id(1)).update(rm_no="R001")
    assert queries.circle_sizes(rm) == {circle.pk: 2}
    assert services.take_from_circle(rm, circle.pk, [customer_id(1), customer_id(9)]) == 1
    services.remove_circle(rm, circle.pk)
    services_again = services.create_circle(rm, "东门市场")
    assert services_again.pk != circle.pk


def test_corrections_wait_go_to_the_bank_once_and_change_nothing_here(books: Cast) -> None:
    rm = books["wangfang"]
    services.propose_correction(rm, customer_id(1), Proposal("branch", "0003"))
    services.propose_correction(rm, customer_id(1), Proposal("branch", "0004"))
    other = services.propose_correction(rm, customer_id(2), Proposal("phone_invalid"))
    assert queries.corrections_for(books["liqiang"]).count() == 2
    assert queries.corrections_for(books["chenjing"]).count() == 0
    services.dismiss_correction(books["liqiang"], other.pk)
    with pytest.raises(NotAllowed):
        services.hand_over_corrections(books["liqiang"])
    handed = services.hand_over_corrections(system_actor())
    assert [(r["customer_no"], r["field"], r["value"]) for r in handed] == [("C0000001", "branch", "0004")]
    assert services.hand_over_corrections(system_actor()) == []
    assert Person.objects.get(pk=customer_id(1)).branch_code == "0001"
    with pytest.raises(NotAllowed):
        services.propose_correction(rm, customer_id(50), Proposal("deceased"))


def test_states_lead_only_where_they_may() -> None:
    for name, table in states.TABLES.items():
        for state, following in table.items():
            assert following <= set(table), (name, state)
    assert not states.LINE[states.GIVEN_UP]
    assert not states.STOCK_TAKE[states.CLOSED]


def test_an_rm_without_a_number_takes_no_stock(books: Cast) -> None:
    with pytest.raises(NotAllowed):
        opened(replace(books["wangfang"], staff_no=""))
