"""The data desk: due times, checks with history, rejects by day, and who is told of a late source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from kequn.core.errors import InvalidSpec, KequnError
from kequn.core.spec.source import SourceSpec
from kequn.ops import runtime
from kequn.ops.audiences.queries import tables_within
from kequn.ops.orgs.models import User
from kequn.ops.sources import queries, services
from kequn.ops.sources.models import Load
from kequn.ops.tags.queries import tables_of, tags_on
from tests.ops.bank import RICH, Cast
from tests.ops.conftest import NOW

pytestmark = pytest.mark.django_db
PRODUCTS: dict[str, Any] = {
    "name": "products", "title": "产品", "table": "product", "input": {"format": "csv", "path": "products.csv"},
    "columns": {"product_code": "code", "name": "name", "family": "family"},
    "checks": [
        {"check": "rows_change", "most": 0.5},
        {"check": "codes", "column": "family", "values": ["time", "fund"], "severity": "fail"},
    ],
}  # fmt: skip
HOLDINGS = {**PRODUCTS, "name": "holdings", "title": "持有", "table": "holding", "checks": [], "columns": {
    "customer_no": "no", "as_of": "day", "product_code": "code", "family": "family", "balance": "amt",
}}  # fmt: skip
Desk = Callable[[str], Client]


@pytest.fixture
def deliver(bank_runtime: runtime.Runtime) -> Callable[[str], None]:
    bank_runtime.data_folder.mkdir(exist_ok=True)

    def write(rows: str) -> None:
        (bank_runtime.data_folder / "products.csv").write_text(f"code,name,family\n{rows}", encoding="utf-8")

    return write


@pytest.fixture
def source(cast: Cast, deliver: Callable[[str], None]) -> SourceSpec:
    spec = SourceSpec.model_validate(PRODUCTS)
    services.save_source(cast["sunli"], spec)
    deliver("P1,定期,time\nP2,基金,fund\n")
    services.run_load(cast["sunli"], "products")
    return spec


@pytest.fixture
def desk(cast: Cast) -> Desk:
    def sit(username: str) -> Client:
        client = Client()
        client.force_login(User.objects.get(username=username), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sit


def good_load(name: str, table: str, *, started_at: datetime = NOW, **fields: Any) -> Load:
    return Load.objects.create(
        load_id=f"{name}{started_at:%d%H}".ljust(32, "0")[:32], source=name, fingerprint="f", table=table, started_by="sunli",
        started_at=started_at, **({"state": "loaded"} | fields),
    )  # fmt: skip


def light(cast: Cast, name: str = "products") -> str:
    return next(s.light for s in queries.statuses_for(cast["sunli"]) if s.spec.name == name)


def test_checks_are_kept_with_each_load_and_shown_over_time(
    source: SourceSpec, cast: Cast, deliver: Callable[[str], None]
) -> None:
    deliver("P1,定期,time\nP2,基金,fund\nP3,基金,fund\nP4,基金,fund\n")
    services.run_load(cast["sunli"], "products")
    found = {
        c.check: [passed for _load, passed, *_ in c.results]
        for c in queries.checks_over_time(cast["sunli"], "products")
    }
    assert found == {"rows_change": [None, False], "codes": [True, True]}
    assert light(cast) == "warned"


def test_a_failed_check_keeps_the_previous_data_and_its_results(
    source: SourceSpec, cast: Cast, bank_runtime: runtime.Runtime, deliver: Callable[[str], None]
) -> None:
    before = bank_runtime.store.manifest()
    deliver("P1,定期,time\nP2,基金,insurance\n")
    with pytest.raises(KequnError) as failed:
        services.run_load(cast["sunli"], "products")
    assert failed.value.code == "checks_failed"
    assert bank_runtime.store.manifest() == before
    load = Load.objects.latest("id")
    assert (load.state, load.error["code"], load.n_read) == ("failed", "checks_failed", 2)
    assert {c["check"]: c["passed"] for c in load.checks} == {"rows_change": True, "codes": False}
    assert light(cast) == "failed"
    deliver("P1,定期,time\nP2,基金,fund\nP5,基金,fund\n")
    services.run_load(cast["sunli"], "products")
    assert light(cast) == "ok"


def test_a_check_about_a_column_that_is_not_mapped_is_not_saved(cast: Cast) -> None:
    wrong = SourceSpec.model_validate({**PRODUCTS, "checks": [{"check": "not_null", "column": "risk_level"}]})
    with pytest.raises(InvalidSpec, match="risk_level"):
        services.save_source(cast["sunli"], wrong)


@pytest.mark.parametrize(
    ("due_at", "hours", "expected"),
    [("06:00", 19, "ok"), ("06:00", 21, "late"), (None, 21, "ok"), (None, 37, "ok"), (None, 39, "late")],
)
def test_a_source_is_late_from_its_hour_on(
    cast: Cast, bank_runtime: runtime.Runtime, due_at: str | None, hours: int, expected: str
) -> None:
    """Loaded at 10:00 in Shanghai; the next is due on the day after."""
    services.save_source(cast["sunli"], SourceSpec.model_validate({**PRODUCTS, "due_at": due_at}))
    good_load("products", "product")
    bank_runtime.clock = lambda: NOW + timedelta(hours=hours)
    assert light(cast) == expected


def test_rejects_are_counted_by_day_and_reason(source: SourceSpec, cast: Cast) -> None:
    good_load("products", "product", started_at=NOW - timedelta(days=1), reasons={"UNKNOWN_CODE": 3})
    good_load("products", "product", started_at=NOW - timedelta(hours=27), reasons={"UNKNOWN_CODE": 1, "NOT_A_DATE": 2})
    good_load("products", "product", started_at=NOW - timedelta(days=60), reasons={"NOT_A_DATE": 9})
    found = dict(queries.rejects_by_day(cast["sunli"], "products"))
    assert found[date(2026, 6, 30)] == {"UNKNOWN_CODE": 4, "NOT_A_DATE": 2}
    assert date(2026, 5, 2) not in found


def test_lineage_goes_from_a_segment_to_the_tables_of_its_tags(bank: runtime.Runtime) -> None:
    assert tables_of(["asset_aum_eod"]) == {"customer", "holding"}
    assert tables_within(RICH, {"rich": RICH}) == {"customer", "holding"}
    assert "asset_aum_eod" in {spec.name for spec in tags_on("holding")}
    assert "demo_gender" not in {spec.name for spec in tags_on("holding")}


def test_a_late_source_is_told_where_figures_stand_on_it_and_nowhere_else(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    services.save_source(cast["sunli"], SourceSpec.model_validate(HOLDINGS))
    good_load("holdings", "holding", started_at=datetime(2026, 6, 20, tzinfo=UTC))
    words = "本页的数字所依据的数据源有问题"
    told = {path: words in desk("zhaomin").get(path).content.decode() for path in (
        "/", "/tags/", "/segments/", "/campaigns/", "/reviews/", "/tags/asset_aum_eod/", "/segments/rich/rule",
        "/tags/demo_gender/", "/segments/women/rule", "/catalog/", "/approvals/",
    )}  # fmt: skip
    assert {path for path, is_told in told.items() if not is_told} == {
        "/tags/demo_gender/", "/segments/women/rule", "/catalog/", "/approvals/",
    }  # fmt: skip
    assert words in desk("liqiang").get("/segments/rich/rule").content.decode()


def test_the_desk_shows_checks_and_rejects(source: SourceSpec, cast: Cast, desk: Desk) -> None:
    load = Load.objects.latest("id")
    Load.objects.filter(pk=load.pk).update(reasons={"UNKNOWN_CODE": 2})
    page = desk("sunli").get("/sources/products/").content.decode()
    for words in ("质量检查", "代码表", "近 30 天的拒绝，按日和原因"):
        assert words in page
    assert "代码表" in desk("sunli").get(f"/sources/loads/{load.load_id}/").content.decode()
    assert "应到时间" in desk("sunli").get("/sources/").content.decode()


def test_rest_tells_due_times_and_checks(source: SourceSpec, desk: Desk) -> None:
    client = desk("sunli")
    (row,) = client.get("/api/v1/sources").json()
    assert (row["light"], row["failed_checks"], bool(row["due"])) == ("ok", 0, True)
    assert {c["check"] for c in client.get("/api/v1/sources/products/checks").json()} == {"rows_change", "codes"}
    assert client.get("/api/v1/sources/products/rejects").json() == [{"day": "2026-07-01", "reasons": {}}]
