"""What a tier holds is counted among its own customers, and said only where there are enough of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kequn.core.engine.duck import Engine
from kequn.core.insight.products import rates_by_tier
from kequn.core.tags import catalogue
from tests.core.small_bank import SmallBank

AS_OF = date(2026, 6, 30)
N, FEW = 40, 10


@pytest.fixture
def bank(tmp_path: Path) -> SmallBank:
    """40 customers with 1,000 yuan, of whom half hold a fund; 10 with a million."""
    bank = SmallBank(tmp_path)
    for i in range(N + FEW):
        bank.customer()
        bank.hold(i, AS_OF, "demand", 100_000 if i < N else 100_000_000)
        if i < N // 2:
            bank.hold(i, AS_OF, "fund", 5_000)
    bank.refresh(catalogue(), AS_OF, only=("asset_aum_eod",))
    return bank


def test_a_tier_is_compared_with_itself_and_a_small_one_says_nothing(bank: SmallBank) -> None:
    everybody = np.arange(N + FEW, dtype=np.uint32)
    rates = rates_by_tier(Engine(bank.store), everybody, as_of=AS_OF)
    assert [(r.family, r.rate, r.customers) for r in rates[1]] == [("fund", 0.5, N)]
    assert rates[1][0].typical_fen is None  # 20 holders are too few for a median
    assert rates[4] == ()
    fewer = rates_by_tier(Engine(bank.store), everybody[: N // 2], as_of=AS_OF)
    assert fewer[1] == ()
