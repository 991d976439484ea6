"""A real randomised e-mail campaign with two treated arms: the published effects and their standard errors."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from kequn.core.data.load import load_source
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store
from kequn.core.measure import lifts, outcomes
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.reading import read_specs
from kequn.core.spec.source import SourceSpec

pytestmark = pytest.mark.realdata

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "hillstrom"
AFTER = datetime(2008, 4, 10, tzinfo=UTC)


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


@pytest.fixture(scope="module")
def bank(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The data set as a bank would load it, by the example's own specs."""
    store = Store(tmp_path_factory.mktemp("hillstrom"))
    sources = [spec for _, spec in read_specs(EXAMPLE / "sources") if isinstance(spec, SourceSpec)]
    for spec in sorted(sources, key=lambda s: ("customer", "assignment", "event").index(s.table)):
        load_source(store, spec, folder=real_data / "hillstrom", key=b"k" * 32, now=AFTER, load_id=spec.name)
    return Engine(store)


@pytest.mark.parametrize(
    ("name", "unit", "mens", "womens"),
    [
        ("visit_2w", 100, (7.659, 0.339), (4.523, 0.323)),
        ("conversion_2w", 100, (0.681, 0.092), (0.311, 0.082)),
        ("spend_2w", 0.01, (0.76983, 0.14525), (0.42441, 0.13033)),  # stored in hundredths
    ],
)
def test_the_examples_metrics_give_them_from_the_loaded_tables(bank, name, unit, mens, womens):
    metrics = {spec.name: spec for _, spec in read_specs(EXAMPLE / "metrics") if isinstance(spec, MetricSpec)}
    arms = bank.columns("SELECT ordinal, arm FROM assignment ORDER BY ordinal")
    y = outcomes(bank, metrics[name], arms["ordinal"], start_on=date(2008, 3, 21), days=14)
    kind = "rate" if metrics[name].measure == "rate" else "mean"
    found = lifts(y, np.asarray(arms["arm"]).astype(str), control="none", kind=kind)
    for arm, (effect, se) in (("mens", mens), ("womens", womens)):
        digits = 5e-6 if kind == "mean" else 5e-4
        assert found[arm].point * unit == pytest.approx(effect, abs=digits)
        assert found[arm].se * unit == pytest.approx(se, abs=digits)
