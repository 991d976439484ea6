"""A real randomised e-mail campaign with two treated arms: the published effects and their standard errors."""

from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from kequn.core.measure import lifts

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def rows(real_data: Path) -> dict[str, np.ndarray]:
    table = pyarrow.csv.read_csv(real_data / "hillstrom" / "hillstrom.csv.gz")
    return {name: table[name].to_numpy() for name in table.column_names}


@pytest.mark.parametrize(
    ("outcome", "kind", "unit", "mens", "womens"),
    [
        ("visit", "rate", 100, (7.659, 0.339), (4.523, 0.323)),
        ("conversion", "rate", 100, (0.681, 0.092), (0.311, 0.082)),
        ("spend", "mean", 1, (0.76983, 0.14525), (0.42441, 0.13033)),
    ],
)
def test_the_published_effects_are_reproduced(rows, outcome, kind, unit, mens, womens):
    found = lifts(rows[outcome], rows["segment"], control="No E-Mail", kind=kind, planned_control=0.5)
    for arm, (effect, se) in (("Mens E-Mail", mens), ("Womens E-Mail", womens)):
        digits = 5e-6 if kind == "mean" else 5e-4
        assert found[arm].point * unit == pytest.approx(effect, abs=digits)
        assert found[arm].se * unit == pytest.approx(se, abs=digits)
        assert found[arm].low > 0
        assert not found[arm].is_broken


def test_adjusting_by_what_was_known_before_changes_little_and_costs_nothing(rows):
    known = np.stack([rows[c].astype(float) for c in ("recency", "history", "mens", "womens", "newbie")], axis=1)
    strata = np.unique(rows["history_segment"], return_inverse=True)[1]
    plain = lifts(rows["visit"], rows["segment"], control="No E-Mail", kind="rate")
    adjusted = lifts(rows["visit"], rows["segment"], control="No E-Mail", kind="rate", covariates=known, strata=strata)
    for arm, found in adjusted.items():
        assert found.point == pytest.approx(plain[arm].point, abs=plain[arm].se)
        assert found.se < plain[arm].se
