"""A real randomised e-mail campaign: the review gives the published effects with their standard errors."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kequn.core.data.load import load_source
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.reading import read_specs
from kequn.core.spec.source import SourceSpec
from kequn.ops import runtime
from kequn.ops.reviews import queries, services
from kequn.ops.reviews.contracts import ExperimentReview
from tests.conftest import ROOT
from tests.ops.bank import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.realdata]

VISIT = MetricSpec(
    name="visit", title="到访", measure="rate", table="event", where=({"column": "kind", "value": "visit"},)
)
SPEND = MetricSpec(
    name="spend",
    title="消费",
    measure="sum",
    table="event",
    column="amount",
    where=({"column": "kind", "value": "purchase"},),
)


def loaded(folder: Path) -> None:
    sources = [
        spec for _, spec in read_specs(ROOT / "examples" / "hillstrom" / "sources") if isinstance(spec, SourceSpec)
    ]
    order = ("customer", "assignment", "event")
    for spec in sorted(sources, key=lambda s: order.index(s.table)):
        load_source(
            runtime.runtime().store,
            spec,
            folder=folder,
            key=b"p" * 32,
            now=datetime(2026, 7, 1, tzinfo=UTC),
            load_id=spec.name,
        )


def test_the_published_effects_and_standard_errors_are_found(
    real_data: Path, bank_runtime: runtime.Runtime, cast: Cast
) -> None:
    loaded(real_data / "hillstrom")
    review = services.review_experiment(
        cast["sunli"], "hillstrom", [VISIT, SPEND], control="none", days=14, shares={"mens": 1, "womens": 1, "none": 1}
    )
    result = queries.result_of(review)
    assert isinstance(result, ExperimentReview)
    assert sum(result.arms.values()) == 64_000
    assert not result.split_is_broken
    found = {(r.metric, r.arm): r.lift for r in result.results}
    published = {
        ("visit", "mens"): (0.0766, 0.0034, 5e-5), ("visit", "womens"): (0.0452, 0.0032, 5e-5),
        ("spend", "mens"): (77.0, 14.5, 0.06), ("spend", "womens"): (42.4, 13.0, 0.06),
    }  # fmt: skip
    for which, (point, se, within) in published.items():
        lift = found[which]
        assert lift is not None
        assert lift.point == pytest.approx(point, abs=within)
        assert lift.se == pytest.approx(se, abs=within)
        assert lift.is_significant
    codes = {(r.metric, r.arm): r.conclusion.code for r in result.results}
    assert set(codes.values()) == {"effective"}
