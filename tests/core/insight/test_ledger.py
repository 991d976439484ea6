"""The sums by customer that notes are told from: equal to questions put to the tables, kept, made again, swept."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from kequn.core.data.tables import ASSETS, FAMILIES
from kequn.core.engine.duck import Engine
from kequn.core.errors import NoData
from kequn.core.insight import entering
from kequn.core.insight.ledger import FOLDER, NO_ROW, ByPart, Ledger, ledger, whole_months
from tests.core.small_bank import SmallBank

AS_OF = date(2026, 6, 20)
N = 150


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SmallBank:
    """Random holdings of three months, the last not over, and random bookings of two years."""
    chance = np.random.default_rng(3)
    made = SmallBank(tmp_path_factory.mktemp("ledger"))
    for i in range(N):
        made.customer(opened_on=None if i == 7 else AS_OF - timedelta(days=int(chance.integers(0, 120))))
        for end in (date(2026, 4, 30), date(2026, 5, 31), AS_OF):
            for family in chance.choice(("demand", "wmp", "fund", "mortgage"), 2):
                number, balance = str(len(made.rows["holding"])), int(chance.integers(-5, 10**10))
                average = None if chance.random() < 0.3 else balance + 1
                made.hold(i, end, family, balance, position_no=number, month_average=average)
        for k in range(int(chance.integers(0, 30))):
            made.add("transaction", i, transaction_no=1_000 * i + k, booked_on=AS_OF - timedelta(days=int(chance.integers(-10, 700))),
                     direction=chance.choice(("in", "out")), amount=int(chance.integers(0, 3)) * 10**9, category="transfer",
                     is_external=bool(chance.random() < 0.8))  # fmt: skip
    made.save()
    return made


@pytest.fixture(params=[entering.AT_ONCE, 64])
def made(request: pytest.FixtureRequest, bank: SmallBank, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The ledger, made of all customers at once and of some at a time."""
    monkeypatch.setattr(entering, "AT_ONCE", request.param)
    monkeypatch.setattr("kequn.core.insight.ledger.LAYOUT", request.param)  # each in a folder of its own
    return ledger(bank.engine(), AS_OF)


def cells(parts: ByPart) -> set[tuple[int, int, int]]:
    return {(part, int(o), int(a)) for part in range(len(parts)) for o, a in zip(*parts.of(part), strict=True)}


def asked(engine: Engine, key: str, value: str, where: str) -> set[tuple[int, ...]]:
    """The same by one question to the transactions."""
    query = f'SELECT {key}, ordinal, {value} FROM "transaction" WHERE is_external AND {where} GROUP BY 1, 2'
    return {tuple(map(int, row)) for row in engine.rows(query)}


def test_every_sum_is_what_the_tables_say(bank: SmallBank, made: Ledger) -> None:
    engine = bank.engine()
    assert [p.label for p in made.periods] == ["2026-04", "2026-05", "2026-06"]
    assert [p.label for p in made.flows] == ["2026-04", "2026-05"]  # June is not over
    flows, year = "booked_on BETWEEN '2026-04-01' AND '2026-05-31'", "booked_on BETWEEN '2025-06-21' AND '2026-06-20'"
    came = "direction = 'in' AND "
    assert cells(made.receipts) == asked(engine, "day(booked_on) - 1", "count(*)", came + flows)
    assert cells(made.inflow) == asked(engine, "month(booked_on) - 4", "sum(amount)", came + flows)
    assert cells(made.outflow) == asked(engine, "month(booked_on) - 4", "sum(amount)", "direction = 'out' AND " + flows)
    assert cells(made.came_by_day) == asked(engine, "day(booked_on) - 1", "sum(amount)", came + year)
    assert cells(made.came_by_month) == asked(engine, "month(booked_on) - 1", "sum(amount)", came + year)
    positions = engine.rows(
        "SELECT family, ordinal, sum(balance) FROM holding WHERE as_of = ? GROUP BY 1, 2 HAVING sum(balance) > 0",
        [AS_OF],
    )
    assert cells(made.held) == {(FAMILIES.index(f), o, int(b)) for f, o, b in positions}
    families = ", ".join(f"'{f}'" for f in ASSETS)
    for k, period in enumerate(made.periods):
        query = f"SELECT ordinal, sum(balance) FROM holding WHERE family IN ({families}) AND as_of = ? GROUP BY 1"
        found = dict(engine.rows(query, [period.end]))
        assert made.assets[k].tolist() == [int(found.get(i, 0)) for i in range(N)]
    query = f"SELECT ordinal, sum(coalesce(month_average, balance)) FROM holding WHERE family IN ({families}) AND as_of = ? GROUP BY 1"
    levels = dict(engine.rows(query, [AS_OF]))
    assert made.level.tolist() == [int(levels.get(i, 0)) for i in range(N)]
    days = dict(engine.rows("SELECT ordinal, opened_on - DATE '1970-01-01' FROM customer WHERE opened_on IS NOT NULL"))
    assert {i: int(d) for i, d in enumerate(made.opened) if i != 7} == days
    assert AS_OF.toordinal() < made.opened[7] < NO_ROW


def test_sums_and_holders_are_of_the_chosen_alone(made: Ledger) -> None:
    chosen = made.chosen(np.array([1, 5, 9, 10_000]))
    assert chosen.sum() == 3
    mine = [c for c in cells(made.inflow) if c[1] in (1, 5, 9)]
    assert made.inflow.totals(chosen) == [sum(a for p, _, a in mine if p == part) for part in range(2)]
    assert made.inflow.holders(chosen) == len({o for _, o, _ in mine})


def test_a_ledger_is_made_once_and_again_when_a_file_of_it_is_gone(
    bank: SmallBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = bank.engine()
    monkeypatch.setattr("kequn.core.insight.ledger.LAYOUT", -1)
    first = ledger(engine, AS_OF)
    folder = max(engine.store.path(FOLDER).iterdir(), key=lambda f: f.stat().st_mtime_ns)
    stood = (folder / "level.npy").stat().st_ino
    ledger(engine, AS_OF)
    assert (folder / "level.npy").stat().st_ino == stood
    (folder / "level.npy").unlink()
    again = ledger(engine, AS_OF)
    assert again.level.tolist() == first.level.tolist()


def test_other_dates_and_older_states_of_the_data_go(bank: SmallBank) -> None:
    engine = bank.engine()
    for days in range(4):
        ledger(engine, AS_OF - timedelta(days=days))
    assert len(list(engine.store.path(FOLDER).iterdir())) == 2


def test_without_tables_there_are_no_months_and_no_flows(tmp_path: Path) -> None:
    empty = SmallBank(tmp_path, customers=2)
    empty.absent = {"transaction", "holding"}
    empty.save()
    found = ledger(empty.engine(), AS_OF)
    assert (len(found.assets), len(found.came_by_day.ordinal), found.level.tolist()) == (0, 0, [0, 0])
    with pytest.raises(NoData):
        whole_months(found)
