"""The Berka bank, as it is: counts and sums equal those that were published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from kequn.core.data.load import LoadReport, load_source
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store
from kequn.core.spec.reading import read_specs
from kequn.core.spec.source import SourceSpec
from tests.core.data.conftest import KEY, NOW

pytestmark = pytest.mark.realdata
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FIRST = ("branch", "customer")


def load_example(name: str, data: Path, store: Store) -> dict[str, LoadReport]:
    """Load all sources of an example, those first that others refer to."""
    specs = [s for _, s in read_specs(EXAMPLES / name / "sources") if isinstance(s, SourceSpec)]
    specs.sort(key=lambda s: (FIRST.index(s.table) if s.table in FIRST else len(FIRST), s.name))
    return {
        s.name: load_source(store, s, folder=data / name, key=KEY, now=NOW, load_id=f"{name}-{s.name}") for s in specs
    }


@pytest.fixture(scope="module")
def berka(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, LoadReport], Engine]]:
    store = Store(tmp_path_factory.mktemp("berka"))
    reports = load_example("berka", real_data, store)
    engine = Engine(store)
    yield reports, engine
    engine.close()


Loaded = tuple[dict[str, LoadReport], Engine]


def test_every_row_is_accounted_for_and_none_is_rejected(berka: Loaded):
    reports, _ = berka
    read = {name: (r.read, r.loaded, r.rejected, r.skipped) for name, r in reports.items()}
    assert read == {
        "bank": (77, 1, 0, 76),
        "branches": (77, 77, 0, 0),
        "customers": (5369, 5369, 0, 0),
        "accounts": (5369, 5369, 0, 0),
        "cards": (892, 892, 0, 0),
        "loans": (682, 682, 0, 0),
        "loan_positions": (682, 38, 0, 644),
        "standing_orders": (6471, 6471, 0, 0),
        "ledger": (49102, 49102, 0, 0),
    }


def test_control_totals_are_the_published_sums(berka: Loaded):
    reports, _ = berka
    assert reports["ledger"].totals == {"amount": (Decimal("315486449.80"),) * 2}
    assert reports["standing_orders"].totals == {"amount": (Decimal("21228993.60"),) * 2}
    assert reports["loans"].totals == {"credit_limit": (Decimal("103261740.00"),) * 2}


def test_accounts_and_their_holders(berka: Loaded):
    _, engine = berka
    assert engine.rows("SELECT role, count(*) FROM account WHERE kind = 'debit' GROUP BY 1 ORDER BY 1") == [
        ("joint", 869),
        ("owner", 4500),
    ]
    owners = "SELECT detail, count(*) FROM account WHERE kind = 'debit' AND role = 'owner' GROUP BY 1 ORDER BY 1"
    assert engine.rows(owners) == [("after_transaction", 93), ("monthly", 4167), ("weekly", 240)]
    assert engine.rows("SELECT count(DISTINCT account_no) FROM account WHERE kind = 'debit'") == [(4500,)]


def test_clients_by_sex_and_year_of_birth(berka: Loaded):
    _, engine = berka
    assert engine.rows("SELECT gender, count(*) FROM customer GROUP BY 1 ORDER BY 1") == [("F", 2645), ("M", 2724)]
    assert engine.rows(
        "SELECT min(year(birth_on)) >= 1900, max(year(birth_on)) < 1999, count(birth_on) FROM customer"
    ) == [(True, True, 5369)]
    assert engine.rows("SELECT min(opened_on), max(opened_on) < '1998-01-01' FROM customer") == [
        (date(1993, 1, 1), True)
    ]


def test_loans_by_state_and_cards_by_kind(berka: Loaded):
    _, engine = berka
    by_detail = "SELECT detail, count(*) FROM account WHERE kind = '{}' GROUP BY 1 ORDER BY 1"
    assert engine.rows(by_detail.format("loan")) == [("A", 203), ("B", 31), ("C", 403), ("D", 45)]
    assert engine.rows(by_detail.format("credit_card")) == [("classic", 659), ("gold", 88), ("junior", 145)]


def test_the_ledger_of_1993(berka: Loaded):
    _, engine = berka
    year = "SELECT count(*), count(DISTINCT account_no) FROM transaction WHERE booked_on < '1994-01-01'"
    assert engine.rows(year) == [(28205, 1139)]
    assert engine.rows("SELECT count(DISTINCT account_no), max(booked_on) FROM transaction") == [
        (1229, date(1994, 3, 31))
    ]
    assert engine.rows("SELECT count(*) FROM transaction WHERE booked_on = '1994-03-31'") == [(2105,)]


def test_accounts_of_the_ledger_are_those_of_the_account_table(berka: Loaded):
    _, engine = berka
    lost = (
        "SELECT count(*) FROM transaction WHERE account_no NOT IN (SELECT account_no FROM account WHERE kind = 'debit')"
    )
    assert engine.rows(lost) == [(0,)]


def test_loading_all_again_changes_nothing(real_data: Path, tmp_path: Path):
    store = Store(tmp_path)
    load_example("berka", real_data, store)
    before = store.manifest()
    again = load_example("berka", real_data, store)
    assert all(r.unchanged for r in again.values())
    assert store.manifest() == before
