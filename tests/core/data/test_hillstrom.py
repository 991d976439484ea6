"""The Hillstrom campaign, as it is: arms and outcomes equal those that were published."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from kequn.core.data.load import LoadReport
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store
from tests.core.data.test_berka import load_example

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def hillstrom(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, LoadReport], Engine]]:
    store = Store(tmp_path_factory.mktemp("hillstrom"))
    reports = load_example("hillstrom", real_data, store)
    engine = Engine(store)
    yield reports, engine
    engine.close()


Loaded = tuple[dict[str, LoadReport], Engine]


def test_every_customer_is_in_one_arm(hillstrom: Loaded):
    _, engine = hillstrom
    assert engine.rows("SELECT count(*) FROM customer") == [(64000,)]
    arms = engine.rows("SELECT arm, count(*), count(DISTINCT ordinal) FROM assignment GROUP BY 1 ORDER BY 1")
    assert arms == [("mens", 21307, 21307), ("none", 21306, 21306), ("womens", 21387, 21387)]


def test_visits_and_purchases_by_arm(hillstrom: Loaded):
    _, engine = hillstrom
    query = (
        "SELECT arm, count(*) FILTER (WHERE kind = 'visit'), count(*) FILTER (WHERE kind = 'purchase'),"
        " sum(amount) FILTER (WHERE kind = 'purchase') FROM assignment JOIN event USING (ordinal) GROUP BY 1 ORDER BY 1"
    )
    found = {arm: (visits, bought, Decimal(fen).scaleb(-2)) for arm, visits, bought, fen in engine.rows(query)}
    assert found == {
        "mens": (3894, 267, Decimal("30311.69")),
        "none": (2262, 122, Decimal("13908.33")),
        "womens": (3238, 189, Decimal("23038.11")),
    }
    sizes = {"mens": 21307, "none": 21306, "womens": 21387}
    rates = {arm: round(100 * v / sizes[arm], 4) for arm, (v, _, _) in found.items()}
    assert rates == {"mens": 18.2757, "none": 10.6167, "womens": 15.14}


def test_rows_that_do_not_count_are_skipped_not_lost(hillstrom: Loaded):
    reports, _ = hillstrom
    counted = {n: (r.read, r.loaded, r.rejected, r.skipped) for n, r in reports.items()}
    assert counted["visits"] == (64000, 9394, 0, 54606)
    assert counted["purchases"] == (64000, 578, 0, 63422)
    assert reports["purchases"].totals == {"amount": (Decimal("67258.13"), Decimal("67258.13"))}
