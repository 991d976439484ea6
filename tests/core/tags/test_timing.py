"""When money comes: planted paydays, cycles and bonuses are found again, and what is not planted is not."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from kequn.core.spec.tag import TagSpec
from kequn.core.tags import catalogue
from kequn.core.tags.timing import CYCLES, Receipts, timed
from kequn.core.tags.workdays import EPOCH, NEW_YEARS, paid_on, workdays
from tests.core.small_bank import SmallBank

AS_OF = date(2026, 6, 30)
PEOPLE = 400
Rows = list[tuple[date, int]]


def receipts(of: list[Rows]) -> Receipts:
    """Rows of each customer up to the business date, in order."""
    rows = [sorted(r for r in mine if r[0] <= AS_OF) for mine in of]
    flat = [r for mine in rows for r in mine]
    starts = np.concatenate([[0], np.cumsum([len(mine) for mine in rows])])
    return Receipts(starts, np.array([(d - EPOCH).days for d, _ in flat]), np.array([a for _, a in flat], np.int64))


def months_back(n: int) -> list[tuple[int, int]]:
    """The (year, month) of the last n months."""
    now = AS_OF.year * 12 + AS_OF.month - 1
    return [divmod(m, 12) for m in range(now - n + 1, now + 1)]


def nominal(year: int, month: int, day: int) -> date:
    """A day of a month, its last where it has no such day; month from 0."""
    first = date(year, month + 1, 1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return date(year, month + 1, min(day, last.day))


def wages(chance: np.random.Generator, day: int) -> Rows:
    """Six months of wages, early where due on a day off, a day off the mark now and then, a month left out now and then."""
    found: Rows = []
    for year, month in months_back(6):
        if chance.random() < 0.05:
            continue
        on = paid_on(nominal(year, month, day))
        if chance.random() < 0.15:
            on += timedelta(days=int(chance.choice([-1, 1])))
        found.append((on, int(chance.lognormal(13, 0.3))))
    return found


def test_nine_of_ten_paydays_are_found_to_the_day_and_nearly_all_within_one() -> None:
    chance = np.random.default_rng(1)
    true = chance.integers(1, 32, PEOPLE)
    found = timed(["payday", "payday_confidence", "payday_next"], receipts([wages(chance, d) for d in true]), AS_OF)
    apart = np.abs(found["payday"] - true)
    apart = np.minimum(apart, 31 - apart)
    assert np.mean(apart <= 1) >= 0.97
    assert np.mean(apart == 0) >= 0.85
    assert np.nanmean(found["payday_confidence"]) > 0.7
    assert (found["payday_next"] > (AS_OF - EPOCH).days).all()
    assert (found["payday_next"] <= (AS_OF - EPOCH).days + 40).all()


def test_a_payday_that_moves_with_days_off_is_the_day_that_was_agreed() -> None:
    for day in (10, 15, 31):
        exact = [(paid_on(nominal(y, m, day)), 800_000) for y, m in months_back(6)]
        found = timed(["payday", "payday_confidence", "payday_next"], receipts([exact]), AS_OF)
        assert found["payday"][0] == day
        assert found["payday_confidence"][0] == pytest.approx(6 / 7)
        assert EPOCH + timedelta(days=int(found["payday_next"][0])) == paid_on(nominal(2026, 6, day))


def test_wages_that_stopped_lose_their_confidence() -> None:
    going = [(nominal(y, m, 10), 1) for y, m in months_back(6)]
    found = timed(["payday", "payday_confidence"], receipts([going, going[:3], going[:1], []]), AS_OF)
    assert found["payday"][:3].tolist() == [10, 10, 10]
    assert np.isnan(found["payday"][3])
    assert found["payday_confidence"][:3].tolist() == pytest.approx([6 / 7, 3 / 7, 1 / 7])


def inflow(chance: np.random.Generator, kind: str) -> Rows:
    """A year of money from outside of one kind, with a little of everything else."""
    days = [AS_OF - timedelta(days=n) for n in range(365)]
    size = chance.lognormal(12, 0.5)

    def amount(scale: float = 1.0) -> int:
        return int(size * scale * chance.lognormal(0, 0.3))

    anchor = int(chance.integers(1, 29))
    found: Rows = []
    for day in days:
        month_end = (day + timedelta(days=5)).month != day.month
        match kind:
            case "daily" if chance.random() < 0.8:
                found.append((day, amount()))
            case "weekly" if day.weekday() == anchor % 7 and chance.random() < 0.92:
                found.append((day, amount()))
            case "monthly" if day.day == anchor and chance.random() < 0.95:
                found.append((day + timedelta(days=int(chance.integers(-1, 2))), amount()))
            case "quarter_end" if day.month % 3 == 0 and month_end and chance.random() < 0.6:
                found.append((day, amount(4)))
            case "year_end" if date(2025, 12, 10) <= day <= date(2026, 2, 16) and chance.random() < 0.15:
                found.append((day, amount(8)))
    for _ in range(int(chance.integers(1, 4))):
        found.append((days[int(chance.integers(0, 365))], amount(0.5)))
    return found


def test_planted_cycles_are_found_and_others_are_not_named() -> None:
    chance = np.random.default_rng(2)
    kinds = [*CYCLES, "none"] * 60
    found = timed(
        ["inflow_cycle", "inflow_confidence", "inflow_next"], receipts([inflow(chance, k) for k in kinds]), AS_OF
    )
    named = [CYCLES[int(c) - 1] if not np.isnan(c) else "none" for c in found["inflow_cycle"]]
    for kind in CYCLES:
        planted = np.array([k == kind for k in kinds])
        called = np.array([n == kind for n in named])
        assert (planted & called).sum() / planted.sum() >= 0.95, kind
        assert (planted & called).sum() / called.sum() >= 0.95, kind
    said = ~np.isnan(found["inflow_cycle"])
    assert (found["inflow_confidence"][said] <= 1).all()
    assert (found["inflow_next"][said] > (AS_OF - EPOCH).days).all()


def test_a_monthly_inflow_has_its_day() -> None:
    rows = [(nominal(y, m, 25) - timedelta(days=m % 3), 100) for y, m in months_back(12)]
    found = timed(["inflow_cycle", "inflow_day", "inflow_next"], receipts([rows]), AS_OF)
    assert CYCLES[int(found["inflow_cycle"][0]) - 1] == "monthly"
    assert abs(found["inflow_day"][0] - 24) <= 1


def test_a_bonus_before_the_spring_festival_is_the_same_in_january_and_february() -> None:
    moving = [(date(2024, 2, 1), 500), (date(2025, 1, 20), 600), (date(2026, 2, 9), 700), (date(2026, 5, 1), 50)]
    scattered = [(date(2023, 9, 1), 500), (date(2024, 12, 20), 600), (date(2026, 4, 9), 700)]
    found = timed(["bonus_month", "bonus_confidence"], receipts([moving, scattered, moving[:1]]), AS_OF)
    assert found["bonus_month"][:2].tolist() == [2, 4]
    assert np.isnan(found["bonus_month"][2])
    assert found["bonus_confidence"][:2].tolist() == pytest.approx([3 / 4, 1 / 4])


def test_customers_do_not_disturb_one_another() -> None:
    chance = np.random.default_rng(3)
    every = [inflow(chance, k) for k in [*CYCLES, "none"]] + [[]]
    whats = ["payday", "inflow_cycle", "inflow_next", "bonus_month"]
    together = timed(whats, receipts(every), AS_OF)
    for i, mine in enumerate(every):
        alone = timed(whats, receipts([mine]), AS_OF)
        for what in whats:
            np.testing.assert_equal(alone[what][0], together[what][i])


def test_each_new_year_is_a_new_moon_between_21_january_and_21_february() -> None:
    """Mean new moon: 2000-01-06.76 and every 29.530588861 days (Meeus, Astronomical Algorithms, chapter 49)."""
    for text in NEW_YEARS.split():
        day = date.fromisoformat(text)
        assert (1, 20) <= (day.month, day.day) <= (2, 21)
        lunations = ((day - date(2000, 1, 1)).days - 5.26) / 29.530588861
        assert abs(lunations - round(lunations)) * 29.53 < 1.1


def test_the_calendar_knows_weekends_holidays_and_month_ends() -> None:
    days = workdays()

    def at(day: date) -> int:
        return (day - EPOCH).days

    off = [date(2026, 6, 27), date(2026, 10, 3), date(2026, 2, 18), date(2027, 1, 1), date(2026, 5, 1)]
    assert not any(days.works[at(d)] for d in off)
    assert all(days.works[at(d)] for d in (date(2026, 6, 26), date(2026, 2, 13), date(2026, 10, 8)))
    assert paid_on(date(2026, 10, 7)) == date(2026, 9, 30)
    assert days.after[at(date(2026, 6, 26))] == 2
    assert days.before[at(date(2026, 6, 29))] == 2
    assert days.last[at(date(2024, 2, 29))]
    assert not days.last[at(date(2024, 2, 28))]


def test_timing_tags_are_computed_with_the_others(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=2)
    for year, month in months_back(6):
        on = paid_on(nominal(year, month, 31))
        bank.add("transaction", 0, booked_on=on, direction="in", amount=900_000, category="payroll")
    specs = {n: s for n, s in catalogue().items() if n.startswith(("txn_payday", "txn_inflow_", "txn_bonus"))}
    assert len([s for s in specs.values() if "confidence" in s.expression]) == 3
    specs |= {
        "txn_soon": TagSpec(
            name="txn_soon", title="试", family="txn", type="integer", over="tags", expression="txn_payday_next - as_of",
            owner="data_asset",
        )
    }  # fmt: skip
    bank.refresh(specs, AS_OF)
    assert bank.column("txn_payday") == [31, None]
    assert bank.column("txn_payday_next") == [date(2026, 7, 31), None]
    assert bank.column("txn_soon") == [31, None]
    assert bank.column("txn_payday_conf")[0] == pytest.approx(6 / 7)
