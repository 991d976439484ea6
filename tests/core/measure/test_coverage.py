"""The claim of the coverage bench, with fewer runs: intervals hold the truth of the starter bank's causal world."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[3] / "bench" / "lift_coverage.py"
RUNS = 300
SLACK = 0.035  # three standard errors of a share of 95% in so many runs


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_coverage", BENCH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_coverage"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_intervals_cover_the_truth_and_the_bench_shows_where_they_would_not(bench):
    rows = {(r.design, r.estimator): r for r in bench.study(runs=RUNS, size=8_000, pool=40_000)}
    quiet = {name: row for (design, name), row in rows.items() if design == "no spill-over"}
    for name in bench.HELD:
        assert abs(quiet[name].covered - 0.95) < SLACK, (name, quiet[name])
        assert abs(quiet[name].bias) < 4 * quiet[name].sd / RUNS**0.5, name
    assert quiet["growth, winsorised 99%"].bias < -4 * quiet["growth, winsorised 99%"].sd / RUNS**0.5
    assert rows["spill-over, whole households", "rate, clustered"].covered > 0.95 - SLACK
    assert bench.table(list(rows.values())).count("\n") == len(rows) + 1
