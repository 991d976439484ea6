"""What the board says on the command line: a figure that is not shown is told why, in both languages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from kequn.cli import demo_desk
from kequn.ops.board.models import BranchFact
from kequn.ops.board.periods import period_around
from kequn.ops.board.queries import board_for, paces
from kequn.ops.board.services import compute_day
from kequn.ops.orgs.actor import system_actor
from tests.cli.conftest import Kequn
from tests.ops.bank import Cast
from tests.ops.test_board import MORNING, YESTERDAY, contact, task

pytestmark = pytest.mark.django_db


def worked(n: int) -> None:
    """王芳 records ``n`` contacts of yesterday, every second one reached."""
    of = task(0)
    for i in range(n):
        contact(of, at=MORNING + timedelta(minutes=i), result="connected" if i % 2 else "no_answer")


def test_a_rate_of_too_few_contacts_is_shown_as_counts_and_says_why(people: None, cast: Cast, kequn: Kequn) -> None:
    worked(5)
    compute_day(system_actor(), YESTERDAY)
    said = kequn("desk", "figures", "--by", "staff", "--as", "liqiang")
    assert said.code == 0
    assert "2/5 样本太小 small sample" in said.out
    assert "不足 20 次联系的样本太小" in said.out
    assert "fewer than 20 contacts are too small a sample" in said.out


def test_a_rate_of_enough_contacts_is_shown_with_its_limits(people: None, cast: Cast, kequn: Kequn) -> None:
    worked(20)
    compute_day(system_actor(), YESTERDAY)
    said = kequn("desk", "figures", "--by", "staff", "--as", "liqiang").out
    assert "50% (30%–70%)" in said
    assert "样本太小" not in said


def test_a_figure_that_the_data_do_not_tell_names_what_is_missing(people: None, cast: Cast, kequn: Kequn) -> None:
    compute_day(system_actor(), YESTERDAY)
    said = kequn("desk", "figures", "--as", "liqiang").out
    assert "AUM“–”：数据未提供：缺持有数据，不写 0" in said
    assert "AUM “–”: the data do not tell: holdings missing, which is not 0" in said


def test_days_that_were_not_computed_are_told(people: None, cast: Cast, kequn: Kequn) -> None:
    compute_day(system_actor(), YESTERDAY)
    said = kequn("desk", "figures", "--span", "month", "--as-of", "2026-06-30", "--as", "liqiang").out
    assert "有 29 天没有计算，合计偏小" in said
    assert "29 days were not computed" in said


def test_a_signal_of_too_few_records_says_so_and_is_no_judgement(people: None, cast: Cast, kequn: Kequn) -> None:
    worked(5)
    asked = ("desk", "signals", "--first", "2026-06-01", "--last", "2026-06-30", "--as", "liqiang")
    rows = kequn(*asked, "--json").json
    told = {row["why not 为何不判断"] for row in rows if row["low"] is None}
    assert (
        "样本太小：只有 5 条，满 20 条才判断 / Sample too small: 5 records, and 20 are needed to say anything" in told
    )
    assert "" not in told
    assert "样本太小" in kequn(*asked).out


def test_a_branchs_floor_is_said_on_the_command_line(people: None, cast: Cast, kequn: Kequn) -> None:
    assert kequn("desk", "branch", "0001", "--floor-m2", "320.5", "--as", "liqiang").out.split() == [
        "0001",
        "320.5",
        "None",
    ]
    assert kequn("desk", "branch", "0001", "--escalate", "300000", "--as", "liqiang").code == 0
    fact = BranchFact.objects.get()
    assert (fact.floor_m2, fact.escalate_above_cny) == (Decimal("320.5"), Decimal(300_000))
    assert kequn("desk", "branch", "0002", "--floor-m2", "1", "--as", "liqiang").code != 0


def test_the_demos_board_opens_with_targets_and_output(people: None, cast: Cast) -> None:
    made = demo_desk.set_targets(cast["zhaomin"], cast["liqiang"])
    assert made == 2 * 3 * 4, "two months, three figures: the bank, two branches and one RM"
    compute_day(system_actor(), YESTERDAY)
    board = board_for(cast["liqiang"], period_around("month", YESTERDAY))
    assert {p.code: p.target for p in paces(board)} == {
        "contacts": 120, "sales_fen": 60_000_000, "aum_gain_fen": 50_000_000,
    }  # fmt: skip
    assert board.total.per("sales_per_m2") == 0
    assert demo_desk.set_targets(cast["zhaomin"], cast["liqiang"]) == made
