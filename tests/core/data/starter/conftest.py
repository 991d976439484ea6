"""One small bank for all tests of this folder."""

from __future__ import annotations

import pytest

from kequn.core.data.starter import Truth, generate


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Return a bank of 4,000 customers (a block that is not full)."""
    return generate(tmp_path_factory.mktemp("bank"), customers=4_000)
