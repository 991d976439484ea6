"""Loads as rows: what is kept of one that failed, and of one that could not say so itself."""

from __future__ import annotations

import pytest

from kequn.core.errors import InvalidSpec, KequnError
from kequn.core.spec.source import SourceSpec
from kequn.ops.orgs.actor import Actor
from kequn.ops.sources import queries, services
from kequn.ops.sources.models import Load
from tests.ops.conftest import NOW

Cast = dict[str, Actor]
SOURCE = SourceSpec.model_validate(
    {
        "name": "products",
        "title": "产品",
        "table": "product",
        "input": {"format": "csv", "path": "products.csv"},
        "columns": {"product_code": "code", "name": "name", "family": "family"},
    }
)


def test_a_failed_load_is_kept_with_its_reason(cast: Cast) -> None:
    services.save_source(cast["sunli"], SOURCE)
    with pytest.raises(KequnError, match=r"products\.csv"):
        services.run_load(cast["sunli"], "products")
    assert queries.statuses_for(cast["sunli"])[0].light == "failed"


def test_a_load_whose_process_was_killed_is_not_running_for_ever(cast: Cast) -> None:
    services.save_source(cast["sunli"], SOURCE)
    Load.objects.create(
        load_id="a" * 32, source="products", fingerprint="f", table="product", started_by="sunli", started_at=NOW
    )
    with pytest.raises(KequnError):
        services.run_load(cast["sunli"], "products")
    killed = Load.objects.get(load_id="a" * 32)
    assert (killed.state, killed.error["code"]) == (Load.State.FAILED, "interrupted")


def test_a_source_that_cannot_be_loaded_is_not_saved(cast: Cast) -> None:
    wrong = SOURCE.model_copy(update={"table": "prodcut"})
    with pytest.raises(InvalidSpec):
        services.save_source(cast["sunli"], wrong)
