"""An RM's list: who meets a filter, in which order, in whose sight; her own views of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.core.gate import ALLOW, HOLD, Candidates, decide
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences import contactability
from kequn.ops.audiences import services as audiences
from kequn.ops.audiences.queries import OPEN_TALK, facts_about, ordinals, tag_values
from kequn.ops.books import queries, services
from kequn.ops.books.contracts import BookFilter, BookRow, TagTest
from kequn.ops.books.filters import filter_query, read_filter
from kequn.ops.books.gating import decide_for_book
from kequn.ops.books.models import SavedView
from kequn.ops.books.reading import PRODUCTS, book_for
from kequn.ops.catalog.queries import policy
from kequn.ops.governance.models import AuditEntry
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now
from kequn.ops.workbench import services as workbench
from tests.ops.bank import Cast, approve
from tests.ops.booked_bank import *  # noqa: F403 - fixtures
from tests.ops.booked_bank import AS_OF, MINE, TAGS, customer_id
from tests.ops.conftest import NOW

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


def ids(actor: Actor, wanted: BookFilter = BookFilter()) -> list[str]:  # noqa: B008 - frozen
    return [r.person.customer_id for r in queries.book_page(actor, wanted, size=200).rows]


def numbers(found: list[str]) -> set[int]:
    return {int(i, 16) - 1 for i in found}


def test_an_rm_sees_her_book_a_branch_head_her_branch_and_others_nothing(books: Cast) -> None:
    assert numbers(ids(books["wangfang"])) == set(range(MINE))
    assert numbers(ids(books["chenjing"])) == set(range(MINE, 80))
    assert numbers(ids(books["liqiang"])) == set(range(MINE)) | set(range(80, 90))
    assert numbers(ids(books["liqiang"], BookFilter(staff="R001"))) == set(range(MINE))
    assert ids(books["liqiang"], BookFilter(staff="R002")) == []
    assert ids(books["wangfang"], BookFilter(staff="R002")) == []
    with pytest.raises(NotAllowed):
        queries.book_page(books["zhaomin"], BookFilter())


def whole_list(actor: Actor, wanted: BookFilter) -> tuple[BookRow, ...]:
    """Her list on one page, which holds all of her forty customers."""
    return queries.book_page(actor, wanted, size=MINE).rows


def test_the_list_is_masked_says_the_date_of_its_data_and_what_it_comes_to(books: Cast) -> None:
    page = queries.book_page(books["wangfang"], BookFilter(), size=10)
    assert (page.as_of, page.book, page.total, page.listed, len(page.rows)) == (AS_OF, MINE, MINE, MINE, 10)
    assert all(r.person.name == "李**" or r.person.name == "李*" for r in page.rows)
    assert all("****" in r.person.phone or not r.person.phone for r in page.rows)
    whole = whole_list(books["wangfang"], BookFilter())
    assert page.aum == sum(r.aum for r in whole if r.aum is not None)
    assert page.aum_known == sum(r.aum is not None for r in whole)
    assert page.change == sum(r.change for r in whole if r.change is not None)
    amounts = [r.aum for r in whole if r.aum is not None]
    assert amounts == sorted(amounts, reverse=True)
    assert all(r.aum is None for r in whole[len(amounts) :])


def test_pages_follow_one_another_without_a_gap(books: Cast) -> None:
    whole = [r.person.customer_id for r in whole_list(books["wangfang"], BookFilter(sort="contact"))]
    parts = [queries.book_page(books["wangfang"], BookFilter(sort="contact"), page=n, size=7).rows for n in range(1, 7)]
    assert [r.person.customer_id for rows in parts for r in rows] == whole
    assert queries.book_page(books["wangfang"], BookFilter(), page=99, size=7).page == 6


# -- the filter against plain Python ------------------------------------------------------------------------------------

Fact = dict[str, Any]


@pytest.fixture
def facts(books: Cast) -> dict[str, Fact]:
    """Return all tags of all customers as DuckDB reads them, by customer."""
    del books
    rows = tag_values(np.arange(90, dtype=np.uint32), AS_OF, TAGS)
    return {customer_id(i): dict(zip(TAGS, row, strict=True)) for i, row in enumerate(rows)}


def plainly(fact: Fact, wanted: BookFilter) -> bool:
    """Whether one customer meets a filter, said as a person would."""

    def known(tag: str, holds: Callable[[Any], bool]) -> bool:
        return fact[tag] is not None and holds(fact[tag])

    last = fact["mkt_last_contact"]
    days = None if last is None else (TODAY - last).days
    tests = [
        not wanted.tier or fact["asset_tier"] in wanted.tier,
        not wanted.stage or fact["life_stage"] in wanted.stage,
        wanted.aum_min is None or known("asset_aum_eod", lambda v: v >= wanted.aum_min * 100),
        wanted.aum_max is None or known("asset_aum_eod", lambda v: v <= wanted.aum_max * 100),
        wanted.change_min is None or known("asset_aum_chg_30d", lambda v: v >= wanted.change_min * 100),
        wanted.change_max is None or known("asset_aum_chg_30d", lambda v: v <= wanted.change_max * 100),
        wanted.contact != "never" or last is None,
        not wanted.contact.startswith("within") or (days is not None and days < int(wanted.contact[6:])),
        not wanted.contact.startswith("silent") or days is None or days >= int(wanted.contact[6:]),
        all(known(PRODUCTS[f], lambda v: v > 0) for f in wanted.held),
        all(known(PRODUCTS[f], lambda v: not v > 0) for f in wanted.missing),
        wanted.maturing is None
        or known("asset_maturity_next", lambda v: TODAY <= v <= TODAY + timedelta(days=wanted.maturing or 0)),
        wanted.month is None or known("demo_birthday_md", lambda v: int(v[:2]) == wanted.month),
    ]
    return all(tests) and all(_plain_test(fact[t.tag], t) for t in wanted.tests)


def _plain_test(value: Any, test: TagTest) -> bool:
    if test.op in ("known", "unknown"):
        return (value is not None) == (test.op == "known")
    if value is None:
        return False
    wanted: Any = {"asset_fund": lambda t: int(Decimal(t) * 100), "demo_age": int, "demo_gender": str}[test.tag](
        test.value
    )
    return {"=": value == wanted, "!=": value != wanted, ">=": test.op == ">=" and value >= wanted,
            "<=": test.op == "<=" and value <= wanted}[test.op]  # fmt: skip


money = st.none() | st.integers(-50_000, 500_000).map(Decimal)
families = st.lists(st.sampled_from(["fund", "time", "wmp", "credit_card", "mortgage"]), max_size=2, unique=True).map(
    tuple
)
tag_tests = st.one_of(
    st.builds(
        TagTest,
        st.just("asset_fund"),
        st.sampled_from([">=", "<=", "=", "!="]),
        st.sampled_from(["0", "5000", "95000.50"]),
    ),
    st.builds(TagTest, st.just("demo_age"), st.sampled_from([">=", "<=", "="]), st.integers(20, 80).map(str)),
    st.builds(TagTest, st.just("demo_gender"), st.sampled_from(["=", "!="]), st.sampled_from(["M", "F"])),
    st.builds(TagTest, st.sampled_from(["asset_maturity_next", "txn_recency"]), st.sampled_from(["known", "unknown"])),
)
filters = st.builds(
    BookFilter,
    tier=st.lists(st.sampled_from(["T0", "T1", "T2", "T3", "T4"]), max_size=2, unique=True).map(tuple),
    stage=st.lists(st.sampled_from(["mature", "dormant", "lost", "growth", "deceased"]), max_size=2, unique=True).map(tuple),
    aum_min=money, aum_max=money, change_min=money, change_max=money,
    contact=st.sampled_from(["", "", "never", "within7", "within90", "silent30", "silent180"]),
    held=families, missing=families, maturing=st.none() | st.integers(0, 120), month=st.none() | st.integers(1, 12),
    tests=st.lists(tag_tests, max_size=2, unique=True).map(tuple),
)  # fmt: skip


def test_a_filter_finds_whom_plain_python_finds(books: Cast, facts: dict[str, Fact]) -> None:
    mine = [customer_id(i) for i in range(MINE)]

    @settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(filters)
    def holds(wanted: BookFilter) -> None:
        assert set(ids(books["wangfang"], wanted)) == {i for i in mine if plainly(facts[i], wanted)}

    holds()


def test_an_address_keeps_a_filter_as_it_is(books: Cast) -> None:
    del books

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        filters,
        st.sampled_from(["-aum", "aum", "-change", "due"]),
        st.lists(st.sampled_from(["aum", "tier", "circles"]), unique=True),
    )
    def keeps(wanted: BookFilter, sort: str, show: list[str]) -> None:
        asked = replace(
            wanted, sort=sort, show=tuple(show), circle=3, segment="rich", staff="R001", due="week", reach="call"
        )
        assert read_filter(parse_qs(filter_query(asked))) == asked

    keeps()


@pytest.mark.parametrize(
    "field", ["aum_min", "contact", "due", "held", "maturing", "month", "sort", "tier", "test", "reach", "circle"]
)
def test_a_value_that_is_none_is_named(books: Cast, field: str) -> None:
    del books
    with pytest.raises(InvalidSpec) as error:
        read_filter({field: ["<script>"]})
    assert error.value.where is not None
    assert error.value.where.field == field


@pytest.mark.parametrize("tag", ["mkt_consent_call", "risk_fraud", "demo_child_stage", "nothing"])
def test_nobody_is_found_by_a_tag_that_may_not_be_shown(books: Cast, tag: str) -> None:
    del books
    with pytest.raises(InvalidSpec, match="no tag"):
        read_filter({"test": [f"{tag}:known:"]})


def test_every_column_sorts_with_the_unknown_last(books: Cast) -> None:
    for column in ("tier", "stage", "aum", "change", "contact", "due", "matures", "products", "risk_expires", "silent"):
        for sort in (column, f"-{column}"):
            rows = whole_list(books["wangfang"], BookFilter(sort=sort))
            values = [getattr(r, column) for r in rows]
            known = [v for v in values if v is not None]
            assert values[: len(known)] == sorted(known, reverse=sort.startswith("-"))
            assert len(rows) == MINE


# -- what kequn itself knows --------------------------------------------------------------------------------------------


def row_of(actor: Actor, ordinal: int) -> BookRow:
    return next(r for r in whole_list(actor, BookFilter()) if r.person.customer_id == customer_id(ordinal))


def test_a_contact_recorded_here_counts_and_its_task_is_due(books: Cast) -> None:
    rm = books["wangfang"]
    assert row_of(rm, 1).contact is None
    task = workbench.start_contact(rm, customer_id(1), key="k", why="回访", due_at=NOW + timedelta(hours=2))
    assert row_of(rm, 1).due == task.due_at
    assert numbers(ids(rm, BookFilter(due="today"))) == {1}
    assert 1 not in numbers(ids(rm, BookFilter(due="none")))
    workbench.record_outcome(rm, task.pk, key="o", contact="connected", intent="not_interested")
    assert row_of(rm, 1).contact == TODAY
    assert row_of(rm, 1).due is None
    assert 1 in numbers(ids(rm, BookFilter(contact="within7")))
    assert 1 not in numbers(ids(rm, BookFilter(contact="never")))


def test_who_can_be_reached_is_what_the_gate_says(books: Cast) -> None:
    found = numbers(ids(books["wangfang"], BookFilter(reach="call")))
    assert found
    assert not found & {i for i in range(MINE) if i % 5 == 0}  # never consented
    assert 7 not in found  # has died
    assert 21 not in found  # has no phone


@pytest.mark.parametrize("channel", ["call", "wecom", "sms"])
def test_whom_a_channel_reaches_is_the_same_whether_the_gate_is_asked_of_one_book_or_of_all_it_knows(
    books: Cast, channel: str
) -> None:
    rm, house, moment = books["wangfang"], policy(), now()
    book = book_for(rm)
    who = book.ordinals.astype(np.uint32)
    facts = facts_about(who, policy=house, now=moment)  # ids from the dictionary, every channel
    facts = replace(facts, in_progress=np.zeros(len(facts), dtype=np.bool_))
    found = decide(Candidates.each(who, [channel], OPEN_TALK), facts, house, now=moment, purpose="marketing")
    want = {i for i, verdict in zip(book.ids, found.verdict, strict=True) if verdict in (ALLOW, HOLD)}
    assert set(ids(rm, BookFilter(reach=channel))) == want


def test_a_book_is_put_to_the_gate_with_the_ids_it_has(books: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dictionary has a row for every customer of the bank: it is not read for the few of a book."""
    wanted = ids(books["wangfang"], BookFilter(reach="call"))

    def read(*_of: object) -> list[str]:
        raise AssertionError("the whole dictionary was read")

    monkeypatch.setattr(contactability, "customer_ids_of", read)
    assert ids(books["wangfang"], BookFilter(reach="call")) == wanted
    shuffled = list(reversed(book_for(books["wangfang"]).ids))
    who = ordinals(shuffled).astype(np.uint32)
    codes = decide_for_book(who, "call", ids=shuffled).verdict
    assert {i for i, v in zip(shuffled, codes, strict=True) if v in (ALLOW, HOLD)} == set(wanted)


def test_a_segment_in_use_filters_and_one_on_hidden_tags_does_not(books: Cast) -> None:
    for spec in (
        SegmentSpec(name="rich", title="资产较高", where={"tag": "asset_aum_eod", "op": ">=", "value": 100_000}),
        SegmentSpec(name="draft", title="未批准", where={"tag": "asset_aum_eod", "op": ">=", "value": 1}),
    ):
        version = audiences.save_segment(books["zhaomin"], spec)
        if spec.name == "rich":
            audiences.submit_segment(books["zhaomin"], version.pk)
            approve(books, "rich")
    rm = books["wangfang"]
    assert numbers(ids(rm, BookFilter(segment="rich"))) == numbers(ids(rm, BookFilter(aum_min=Decimal(100_000))))
    assert not numbers(ids(books["chenjing"], BookFilter(segment="rich"))) & set(range(MINE))
    for name in ("draft", "nothing"):
        with pytest.raises(NotAllowed):
            ids(rm, BookFilter(segment=name))


def test_an_rm_without_customers_has_an_empty_page(books: Cast) -> None:
    nobody = replace(books["wangfang"], staff_no="R999")
    page = queries.book_page(nobody, BookFilter(sort="contact", contact="silent30"))
    assert (page.book, page.total, page.rows, page.aum) == (0, 0, (), Decimal(0))
    assert queries.book_page(replace(books["wangfang"], staff_no=""), BookFilter()).book == 0


# -- views --------------------------------------------------------------------------------------------------------------


def test_a_view_is_ones_own_replaced_by_its_name_and_one_is_the_default(books: Cast) -> None:
    rm = books["wangfang"]
    first = services.save_view(rm, "高净值", "aum_min=500000&show=aum&show=tier", is_default=True)
    second = services.save_view(rm, "久未联系", "contact=silent90", is_default=True)
    assert services.save_view(rm, "高净值", "aum_min=600000").pk == first.pk
    assert list(queries.views_for(rm).values_list("name", "query", "is_default")) == [
        ("久未联系", "contact=silent90", True),
        ("高净值", "aum_min=600000", False),
    ]
    with pytest.raises(NotAllowed):
        services.remove_view(books["chenjing"], second.pk)
    services.remove_view(rm, second.pk)
    assert SavedView.objects.count() == 1
    assert AuditEntry.objects.filter(act="view.removed").exists()


def test_a_view_keeps_no_more_than_a_filter_says(books: Cast) -> None:
    row = services.save_view(books["wangfang"], "x" * 40, "aum_min=5&csrf=secret&q=13900001111")
    assert row.query == "aum_min=5"
    assert services.save_view(books["wangfang"], "找 13912345678", "").name == "找 ***"
    for name in (" ", "x" * 41):
        with pytest.raises(InvalidSpec):
            services.save_view(books["wangfang"], name, "")
    with pytest.raises(InvalidSpec):
        services.save_view(books["wangfang"], "a", "due=never")
    for n in range(28):
        services.save_view(books["wangfang"], f"v{n}", "")
    with pytest.raises(Conflict):
        services.save_view(books["wangfang"], "one too many", "")
