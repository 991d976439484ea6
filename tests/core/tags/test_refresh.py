"""A refresh publishes whole or not at all, does nothing twice, and says what it could not compute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.core.engine.store import Store
from kequn.core.errors import Cancelled, NoData, StoreBusy, UnknownTag
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import catalogue, reason_in_words, refresh, unavailable
from tests.core.small_bank import NOW, SmallBank

AS_OF = date(2026, 6, 30)
LATER = datetime(2026, 7, 2, 2, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]


def tag(name: str, expression: str, **more: Any) -> dict[str, TagSpec]:
    """One tag over transactions by name."""
    fields = {"title": "试", "family": "txn", "type": "integer", "over": "transaction", "owner": "data_asset"} | more
    return {name: TagSpec(name=name, expression=expression, **fields)}


@pytest.fixture
def bank(tmp_path: Path) -> SmallBank:
    """Two customers, one with a payment of 7 yuan at a grocer's."""
    bank = SmallBank(tmp_path, customers=2)
    bank.add("transaction", 0, booked_on=AS_OF, direction="out", amount=700, category="consumption", mcc="5411")
    return bank


SPECS = (
    tag("txn_n", "count(*)", null="zero")
    | tag("txn_twice", "txn_n * 2", over="tags")
    | tag("txn_mcc", "max(mcc)", type="text", values={"5411": "超市"})
    | tag("txn_has_mcc", "txn_mcc is not null", over="tags", type="boolean")
)


def test_every_tag_has_a_row_for_every_ordinal_in_its_type(bank: SmallBank) -> None:
    bank.add("transaction", 1, booked_on=AS_OF, direction="out", amount=1, category="other", mcc="1")
    report = bank.refresh(catalogue(), AS_OF)
    manifest = bank.store.manifest()
    state = manifest.dates[AS_OF.isoformat()]
    assert set(report.computed) == set(state.tags) == {n for n, s in catalogue().items() if s.over != "given"}
    types = {"boolean": pa.bool_(), "integer": pa.int64(), "number": pa.float64(), "money": pa.int64(),
             "date": pa.date32(), "text": pa.string(), "list": pa.list_(pa.string())}  # fmt: skip
    for name in state.tags:
        spec, table = catalogue()[name], pq.read_table(bank.store.path(state.tags[name].file))
        assert table.column_names == ["value"]
        assert table.num_rows == manifest.ordinals
        assert table.column("value").type == types[spec.type], name
    assert pq.read_table(bank.store.path(state.population)).column("value").to_pylist() == [True, True]


def test_tags_of_tags_follow_those_they_are_made_of(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    assert bank.column("txn_twice") == [2, 0]
    assert bank.column("txn_has_mcc") == [True, False]


def test_the_same_rows_and_specs_again_change_nothing(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    before = (bank.store.root / "manifest.json").read_bytes()
    report = refresh(bank.store, SPECS, as_of=AS_OF, now=LATER)
    assert report.computed == ()
    assert report.unchanged == tuple(sorted(SPECS))
    assert report.customers == 2
    assert (bank.store.root / "manifest.json").read_bytes() == before


def test_force_computes_again(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    report = refresh(bank.store, SPECS, as_of=AS_OF, now=LATER, force=True)
    assert report.computed == tuple(sorted(SPECS))
    assert bank.store.manifest().dates[AS_OF.isoformat()].tags["txn_n"].computed_at == LATER


def test_a_changed_spec_recomputes_itself_and_what_is_made_of_it(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    changed = SPECS | tag("txn_n", "10 * count(*)", null="zero")
    report = refresh(bank.store, changed, as_of=AS_OF, now=LATER)
    assert report.computed == ("txn_n", "txn_twice")
    assert bank.column("txn_twice") == [20, 0]


def test_a_new_title_recomputes_nothing(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    report = refresh(bank.store, SPECS | tag("txn_n", "count(*)", null="zero", title="笔数"), as_of=AS_OF, now=LATER)
    assert report.computed == ()


def test_new_rows_recompute_the_tags_that_read_them(bank: SmallBank) -> None:
    specs = SPECS | tag("chan_n", "count(*)", family="chan", over="event")
    bank.refresh(specs, AS_OF)
    with bank.store.writing(now=LATER) as draft:
        path, relative = draft.new_file("tables", "event", "rows")
        pq.write_table(pq.read_table(draft.store.path(draft.manifest.tables["event"].files[0])), path)
        draft.manifest.tables["event"].files = [relative]
    assert refresh(bank.store, specs, as_of=AS_OF, now=LATER).computed == ("chan_n",)


def test_only_some_tags_leave_the_others_as_they_are(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF, only=["txn_twice"])
    assert set(bank.store.manifest().dates[AS_OF.isoformat()].tags) == {"txn_twice"}
    refresh(bank.store, SPECS, as_of=AS_OF, now=LATER, only=["txn_n"])
    assert set(bank.store.manifest().dates[AS_OF.isoformat()].tags) == {"txn_n", "txn_twice"}


def test_a_tag_that_left_the_catalogue_leaves_the_date(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    fewer = {n: SPECS[n] for n in ("txn_n", "txn_mcc")}
    report = refresh(bank.store, fewer, as_of=AS_OF, now=LATER)
    assert report.computed == ()
    assert set(bank.store.manifest().dates[AS_OF.isoformat()].tags) == set(fewer)


def test_an_unknown_name_is_refused(bank: SmallBank) -> None:
    bank.save()
    with pytest.raises(UnknownTag, match="txn_m"):
        refresh(bank.store, SPECS, as_of=AS_OF, now=NOW, only=["txn_m"])


def test_a_value_that_is_not_declared_takes_its_tag_out_of_the_date(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    bank.add("transaction", 1, booked_on=AS_OF, direction="out", amount=1, category="other", mcc="6666")
    report = bank.refresh(SPECS, AS_OF)
    assert set(report.failed) == {"txn_mcc", "txn_has_mcc"}
    assert report.failed["txn_mcc"].facts["unexpected"] == ["6666"]
    assert report.failed["txn_has_mcc"].facts["made_of"] == "txn_mcc"
    assert set(bank.store.manifest().dates[AS_OF.isoformat()].tags) == {"txn_n", "txn_twice"}
    with pytest.raises(UnknownTag):
        bank.engine().tags_query(AS_OF, ["txn_mcc"])


def test_a_tag_fails_on_one_date_and_stays_on_another(bank: SmallBank) -> None:
    bank.refresh(SPECS, AS_OF)
    bank.add("transaction", 1, booked_on=date(2026, 7, 1), direction="out", amount=1, category="other", mcc="6666")
    bank.refresh(SPECS, date(2026, 7, 31))
    assert "txn_mcc" in bank.store.manifest().dates[AS_OF.isoformat()].tags
    assert "txn_mcc" not in bank.store.manifest().dates["2026-07-31"].tags


def test_a_list_with_a_code_that_is_not_declared_fails(bank: SmallBank) -> None:
    spec = tag("txn_mccs", "list(distinct mcc)", type="list", values={"1": "一"})
    report = bank.refresh(spec, AS_OF)
    assert report.failed["txn_mccs"].facts["unexpected"] == ["5411"]


@pytest.mark.parametrize("over", ["transaction", "customer", "tags"])
def test_a_value_that_cannot_be_computed_fails_its_tag_alone(bank: SmallBank, over: str) -> None:
    bank.rows["customer"][0]["city"] = "Nanjing"
    expression = {
        "transaction": "max(cast(category as integer))",
        "customer": "cast(city as integer)",
        "tags": "cast(txn_mcc || 'x' as integer)",
    }[over]
    specs = SPECS | tag("txn_bad", expression, over=over) | tag("txn_worse", "txn_bad + 1", over="tags")
    report = bank.refresh(specs, AS_OF)
    assert set(report.failed) == {"txn_bad", "txn_worse"}
    assert "Could not convert" in report.failed["txn_bad"].message
    assert set(report.computed) == set(SPECS)


def test_without_customers_there_is_nothing_to_compute(tmp_path: Path) -> None:
    with pytest.raises(NoData):
        refresh(Store(tmp_path), SPECS, as_of=AS_OF, now=NOW)


def test_what_was_not_loaded_is_named_and_not_guessed(bank: SmallBank) -> None:
    bank.absent = {"holding"}
    bank.mapped = {"transaction": ["ordinal", "booked_on", "direction", "amount", "category"]}
    specs = SPECS | tag("asset_n", "count(*)", family="asset", over="holding", null="zero")
    report = bank.refresh(specs, AS_OF)
    assert report.unavailable == {
        "asset_n": "table holding",
        "txn_mcc": "column transaction.mcc",
        "txn_has_mcc": "tag txn_mcc",
    }
    assert report.unavailable == unavailable(specs, bank.store.manifest())
    assert set(report.computed) == {"txn_n", "txn_twice"}
    for reason in report.unavailable.values():
        assert reason_in_words(reason).zh
        assert reason_in_words(reason).en


def test_a_product_column_needs_the_product_table(bank: SmallBank) -> None:
    bank.absent = {"product"}
    bank.save()
    assert unavailable(catalogue(), bank.store.manifest())["asset_equity_ratio"] == "table product"


def test_a_refresh_that_is_stopped_publishes_nothing(bank: SmallBank) -> None:
    bank.save()
    before = bank.store.manifest()
    with pytest.raises(Cancelled):
        refresh(bank.store, SPECS, as_of=AS_OF, now=NOW, cancelled=lambda: True)
    assert bank.store.manifest() == before


def test_progress_counts_up_to_its_total(bank: SmallBank) -> None:
    bank.save()
    seen: list[tuple[int, int | None, str]] = []
    refresh(bank.store, SPECS, as_of=AS_OF, now=NOW, progress=lambda *step: seen.append(step))
    assert [done for done, _, _ in seen] == list(range(len(seen)))
    assert seen[-1][0] == seen[-1][1]


def test_two_writers_do_not_meet(bank: SmallBank) -> None:
    bank.save()
    with bank.store.writing(now=NOW), pytest.raises(StoreBusy):
        refresh(Store(bank.store.root), SPECS, as_of=AS_OF, now=NOW)


DIE_WHILE_WRITING = """
import os, signal, sys
from datetime import UTC, date, datetime
from pathlib import Path
from kequn.core.engine.store import Store
from kequn.core.tags import catalogue, refresh
def die(done, total, what):
    if done == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
now = datetime(2026, 7, 3, tzinfo=UTC)
refresh(Store(Path({root!r})), catalogue(), as_of=date(2026, 6, 30), now=now, force=True, progress=die)
"""


@pytest.mark.parametrize("step", [1, 5])
def test_a_kill_in_the_middle_leaves_what_was_published(bank: SmallBank, step: int) -> None:
    bank.refresh(catalogue(), AS_OF)
    before = bank.store.manifest()
    program = DIE_WHILE_WRITING.format(root=str(bank.store.root), step=step)
    killed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": "src"}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert bank.store.manifest() == before
    assert bank.value("txn_freq_90d", 0) == 0
    refresh(bank.store, catalogue(), as_of=AS_OF, now=LATER, force=True)
    assert bank.store.manifest().version == before.version + 1


def test_a_kill_at_any_moment_leaves_files_that_can_be_read(bank: SmallBank) -> None:
    bank.refresh(catalogue(), AS_OF)
    program = DIE_WHILE_WRITING.format(root=str(bank.store.root), step=10_000)
    running = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": "src"})
    _until(lambda: any(bank.store.root.glob("tags/txn/*")) and _more_files(bank.store))
    running.kill()
    running.wait()
    state = bank.store.manifest().dates[AS_OF.isoformat()]
    assert all(pq.read_metadata(bank.store.path(t.file)).num_rows == 2 for t in state.tags.values())


def _more_files(store: Store) -> bool:
    named = len(store.manifest().dates[AS_OF.isoformat()].tags)
    return len(list(store.root.glob("tags/*/*.parquet"))) > named


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)
