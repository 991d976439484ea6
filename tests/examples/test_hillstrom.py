"""A real randomised e-mail campaign through the whole product: the review gives the published effects with their errors."""

from __future__ import annotations

import csv
import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from kequn.ops.audiences.queries import preview_segment, segment_named
from kequn.ops.audiences.services import compute_profile
from kequn.ops.reviews.contracts import ExperimentReview
from kequn.ops.reviews.queries import latest_review, result_of
from kequn.ops.reviews.services import review_experiment
from kequn.ops.runtime import engine
from kequn.ops.sources.models import Load
from kequn.ops.sources.services import run_all
from kequn.ops.tags.services import refresh_tags
from tests.conftest import ROOT
from tests.examples.conftest import actor, define_data, define_work, figures

pytestmark = [pytest.mark.realdata, pytest.mark.slow, pytest.mark.django_db]
DAY = date(2008, 3, 20)
METRICS = ("visit_2w", "conversion_2w", "spend_2w")
SCALE = {"points": 100, "cny": 0.01}  # of stored figures to those of the README
ANCHORS = {
    ("visit_2w", "mens"): (7.659, 0.339), ("visit_2w", "womens"): (4.523, 0.323),
    ("conversion_2w", "mens"): (0.681, 0.092), ("conversion_2w", "womens"): (0.311, 0.082),
    ("spend_2w", "mens"): (0.76983, 0.14525), ("spend_2w", "womens"): (0.42441, 0.13033),
}  # fmt: skip
"""The published effects and standard errors, as far as they were published."""


@pytest.fixture(scope="module")
def loads(real_data: Path, opened: None) -> dict[str, Load]:
    define_data("hillstrom")
    done = {load.source: load for load in run_all(actor("sunli"), folder=real_data / "hillstrom")}
    refresh_tags(actor("sunli"), as_of=DAY)
    define_work("hillstrom")
    return done


@pytest.fixture(scope="module")
def review(loads: dict[str, Load]) -> ExperimentReview:
    thirds = dict.fromkeys(("mens", "womens", "none"), 1.0)
    row = review_experiment(actor("sunli"), "hillstrom", METRICS, control="none", days=14, shares=thirds)
    found = result_of(row)
    assert isinstance(found, ExperimentReview)
    return found


@pytest.fixture(scope="module")
def stated() -> dict[str, str]:
    return figures(ROOT / "examples" / "hillstrom" / "README.md")


@pytest.fixture(scope="module")
def rows(real_data: Path) -> list[dict[str, str]]:
    with gzip.open(real_data / "hillstrom" / "hillstrom.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def size(segment: str) -> int:
    return preview_segment(actor("zhaomin"), segment_named(actor("zhaomin"), segment).pk, as_of=DAY).size


def test_every_row_is_loaded_and_every_figure_of_the_readme_is_measured(
    loads: dict[str, Load], review: ExperimentReview, stated: dict[str, str]
) -> None:
    assert all(load.n_rejected == 0 and load.n_read == 64_000 for load in loads.values())
    assert all(load.n_read == load.n_loaded + load.n_skipped for load in loads.values())
    ((spending,),) = engine().rows("SELECT sum(amount) FROM event WHERE kind = 'purchase'")
    measured: dict[str, int | Decimal] = {
        "customers": loads["customers"].n_loaded,
        **{f"arm {arm}": n for arm, n in review.arms.items()},
        "visits": loads["visits"].n_loaded,
        "purchases": loads["purchases"].n_loaded,
        "spending": Decimal(spending).scaleb(-2),
        "big_spenders": size("big_spenders"),
        "fresh_web_buyers": size("fresh_web_buyers"),
    }
    for name, figure in measured.items():
        assert stated[name] == f"{figure:,}", name


def test_the_published_effects_and_standard_errors_are_found(review: ExperimentReview, stated: dict[str, str]) -> None:
    assert len(review.results) == len(ANCHORS)
    for result in review.results:
        assert result.lift is not None
        point, error = (x * SCALE[result.unit] for x in (result.lift.point, result.lift.se))
        published = ANCHORS[result.metric, result.arm]
        assert point == pytest.approx(published[0], abs=6e-4)
        assert error == pytest.approx(published[1], abs=6e-4)
        assert stated[f"{result.metric}, {result.arm}"] == f"{point:.3f}"
        assert result.conclusion.code == "effective"
    assert not review.split_is_broken
    assert review.split_p_value is not None
    assert review.split_p_value > 0.01


def test_the_sentences_say_the_effect_in_both_languages(review: ExperimentReview) -> None:
    said = {(r.metric, r.arm): r.conclusion.text for r in review.results}
    assert "7.66" in said["visit_2w", "mens"].zh
    assert "7.66" in said["visit_2w", "mens"].to("en")
    assert "0.42" in said["spend_2w", "womens"].zh


def test_the_same_review_twice_is_one(loads: dict[str, Load], review: ExperimentReview) -> None:
    first = latest_review(actor("sunli"), "hillstrom")
    thirds = dict.fromkeys(("mens", "womens", "none"), 1.0)
    again = review_experiment(actor("sunli"), "hillstrom", METRICS, control="none", days=14, shares=thirds)
    assert first is not None
    assert again.pk == first.pk


def test_segments_hold_whom_the_file_names_and_know_nothing_of_what_came_after(
    loads: dict[str, Load], rows: list[dict[str, str]]
) -> None:
    web = [r for r in rows if r["channel"] in ("Web", "Multichannel") and int(r["recency"]) <= 3]
    assert size("big_spenders") == sum(Decimal(r["history"]) >= 500 for r in rows)
    assert size("fresh_web_buyers") == len(web)
    profile = compute_profile(actor("zhaomin"), segment_named(actor("zhaomin"), "fresh_web_buyers").pk, as_of=DAY)
    assert (profile.size, profile.customers) == (len(web), 64_000)
    rich = next(t for t in profile.tags if t.tag == "mkt_year_spend").cells[-1]
    share, bank = (sum(Decimal(r["history"]) >= 1000 for r in some) / len(some) for some in (web, rows))
    assert rich.tgi == pytest.approx(100 * share / bank)
    assert rich.reliable
