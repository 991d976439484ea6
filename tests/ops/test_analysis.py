"""Notes and KPIs within a scope: nobody counts customers of others, parts add up, and what was computed is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.core.errors import NotAllowed, NotMeasurable, UnknownDefinition
from kequn.core.insight import Figure
from kequn.core.segments import groups
from kequn.ops import runtime
from kequn.ops.analysis import cubes, queries, services
from kequn.ops.analysis.contracts import BLOCKS, BankTable
from kequn.ops.audiences.groups import group_for
from kequn.ops.audiences.queries import (
    latest_date,
    members_of,
    scope_key,
    segment_named,
    segment_specs,
    tags_within,
)
from kequn.ops.jobs.models import Job
from kequn.ops.jobs.services import run_next, run_waiting
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.tags.services import refresh_tags
from tests.ops.bank import Cast, N

pytestmark = pytest.mark.django_db


def table(actor: Any, **parts: Any) -> BankTable:
    found = services.bank_page(actor, **parts).table
    assert found is not None
    return found


def values(found: BankTable, kpi: str) -> dict[str, float | None]:
    return {row.key: row.figures[kpi].value for row in found.rows}


def test_branches_add_up_to_the_bank(bank: runtime.Runtime, cast: Cast) -> None:
    whole = table(cast["sunli"])
    assert whole.whole.figures["cust_total"].value == N
    assert values(whole, "cust_total") == {"C1": N}
    below = table(cast["sunli"], branch="C1")
    assert values(below, "cust_total") == {"0001": N / 2, "0002": N / 2}
    assert sum(v or 0 for v in values(below, "aum_eod").values()) == whole.whole.figures["aum_eod"].value
    assert [code for code, _ in below.path] == ["HO", "C1"]
    assert not whole.is_scoped


def test_a_branch_head_counts_her_own_branch_and_cannot_ask_for_another(bank: runtime.Runtime, cast: Cast) -> None:
    own = table(cast["liqiang"])
    assert own.whole.figures["cust_total"].value == N / 2
    assert values(own, "cust_total") == {"0001": N / 2}
    assert own.is_scoped
    for month in own.trend:
        assert month.figures["cust_total"].value == N / 2
    for other in ("0002", "C1", "HO", "nothing"):
        with pytest.raises(NotAllowed):
            table(cast["liqiang"], branch=other)


def test_an_rm_counts_her_own_book_alone(bank: runtime.Runtime, cast: Cast) -> None:
    hers, his = table(cast["wangfang"], by="tier"), table(cast["chenjing"], by="tier")
    assert hers.whole.figures["cust_total"].value == his.whole.figures["cust_total"].value == N / 2
    money = [t.whole.figures["aum_eod"].value for t in (hers, his)]
    assert sum(m or 0 for m in money) == table(cast["sunli"]).whole.figures["aum_eod"].value
    assert money[0] != money[1]
    assert values(table(cast["wangfang"]), "cust_total") == {"0001": N / 2}


def test_an_rm_reads_no_note_and_no_group(definitions: None, cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        queries.segment_note(cast["wangfang"], "rich")
    with pytest.raises(NotAllowed):
        services.bank_page(cast["wangfang"], group="rich")


def test_a_group_is_its_members_within_the_scope(definitions: None, cast: Cast) -> None:
    for name in ("sunli", "liqiang"):
        actor = cast[name]
        members = members_of(actor, segment_named(actor, "rich").spec, as_of=latest_date())
        assert table(actor, group="rich").whole.figures["cust_total"].value == len(members)
    assert table(cast["sunli"], group="women").group == "women"


def test_a_group_is_counted_anew_when_its_tags_were_computed_anew(definitions: None, cast: Cast) -> None:
    actor, day = cast["sunli"], latest_date().isoformat()
    before = table(actor, group="rich").whole.figures["cust_total"].value
    assert before
    store, spec = runtime.runtime().store, segment_named(actor, "rich").spec
    with store.writing(now=runtime.now()) as draft:  # the tables stay as they are
        for name in tags_within(spec, segment_specs()):
            state = draft.manifest.dates[day].tags[name]
            values = pq.read_table(store.path(state.file))
            path, relative = draft.new_file("tags", name)
            pq.write_table(pa.table([pa.nulls(len(values), values.schema.field("value").type)], values.schema), path)
            draft.manifest.dates[day].tags[name] = state.model_copy(update={"file": relative})
    assert not table(actor, group="rich").whole.figures["cust_total"].value


def test_a_shipped_group_is_put_beside_the_customers_an_actor_reaches(bank: runtime.Runtime, cast: Cast) -> None:
    name = next(iter(groups()))
    assert group_for(cast["sunli"], name).customers == N
    assert group_for(cast["liqiang"], name).customers == N / 2


def test_branches_deep_in_the_tree_are_scopes_of_their_own(cast: Cast) -> None:
    fields = {f: getattr(cast["liqiang"], f) for f in cast["liqiang"].__slots__}
    deep = "/HO/" + "/".join(f"BRANCH{i:04}" for i in range(8))
    keys = [scope_key(Actor(**fields | {"branch_path": f"{deep}/{leaf}/"})) for leaf in ("0001", "0002")]
    assert keys[0] != keys[1]
    assert all(0 < len(key) <= 64 for key in keys)


def test_a_note_is_about_the_members_the_actor_reaches(definitions: None, cast: Cast) -> None:
    for name, scoped in (("sunli", False), ("liqiang", True)):
        actor = cast[name]
        note = queries.segment_note(actor, "rich")
        members = members_of(actor, segment_named(actor, "rich").spec, as_of=note.as_of)
        assert note.is_scoped is scoped
        assert [b.name for b in note.blocks] == list(BLOCKS)
        assert all(b.sentence and b.sentence.zh and b.sentence.to("en") for b in note.blocks)
        who, products = note.blocks[0].data, note.blocks[2].data["holdings"]
        assert (who["size"], who["bank"]) == (len(members), N if name == "sunli" else N / 2)
        assert (products.size, products.bank) == (who["size"], who["bank"])


def test_a_block_is_computed_once_for_a_state_of_the_data(definitions: None, cast: Cast) -> None:
    version = segment_named(cast["sunli"], "rich").pk
    first = queries.note_block(cast["sunli"], version, "worth")
    assert queries.note_block(cast["sunli"], version, "worth") is first
    assert queries.note_block(cast["liqiang"], version, "worth") is not first
    with pytest.raises(NotMeasurable):
        queries.note_block(cast["sunli"], version, "gossip")


def test_a_cube_is_kept_on_disk_until_the_data_change(bank: runtime.Runtime, cast: Cast) -> None:
    made = services.compute_cube(cast["sunli"])
    cubes._kept.clear()
    found = cubes.find(runtime.engine(), "")
    assert found is not None
    assert found is not made
    assert (found.periods, found.branches, found.spans, found.columns) == (
        made.periods,
        made.branches,
        made.spans,
        made.columns,
    )
    assert all((found.measures[n] == made.measures[n]).all() for n in made.measures)
    with bank.store.writing(now=runtime.now()) as draft:
        draft.manifest.tables["event"].files = []
    assert cubes.find(runtime.engine(), "") is None
    services.compute_cube(cast["sunli"])
    assert len(list(bank.store.path("insight").glob("*.cube"))) == 1


def test_a_file_that_was_cut_short_is_computed_anew(bank: runtime.Runtime, cast: Cast) -> None:
    services.compute_cube(cast["sunli"])
    (path,) = bank.store.path("insight").glob("*.cube")
    path.write_bytes(path.read_bytes()[:100])
    cubes._kept.clear()
    assert table(cast["sunli"]).whole.figures["cust_total"].value == N


def test_a_large_bank_is_computed_by_a_job(bank: runtime.Runtime, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LARGE_BANK", 1)
    answer = services.bank_page(cast["sunli"])
    assert answer.table is None
    assert services.bank_page(cast["zhaomin"]).job_id == answer.job_id
    job = run_next()
    assert job is not None
    assert job.state == "done"
    assert table(cast["liqiang"]).whole.figures["cust_total"].value == N / 2


def test_after_a_refresh_the_worker_computes_what_a_first_reader_would_wait_for(
    definitions: None, bank: runtime.Runtime, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_tags(system_actor(), as_of=latest_date(), only=["demo_age"])
    run_waiting()
    assert queries.bank_cube(cast["sunli"]) is not None
    kept = [f"{cubes.data_key(runtime.engine())}", "ledger"]
    assert all(any(f.name.startswith(k) for f in bank.store.path("insight").iterdir()) for k in kept)
    for made in ("kequn.core.insight.ledger._made", "kequn.ops.analysis.notes.bank_money_of"):
        monkeypatch.setattr(made, lambda *_, **__: pytest.fail("computed while somebody waits"))
    note = queries.segment_note(cast["zhaomin"], "rich", blocks=("products", "rhythm", "worth"))
    assert all(b.data for b in note.blocks)


def test_a_refresh_of_a_past_date_warms_nothing(bank: runtime.Runtime) -> None:
    before = Job.objects.count()
    services.queue_warming(latest_date() - timedelta(days=30))
    assert Job.objects.count() == before


def test_what_was_answered_is_computed_once_for_both_blocks(
    definitions: None, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries.segment_note(cast["zhaomin"], "rich", blocks=("channels",))
    monkeypatch.setattr("kequn.ops.analysis.notes.answers_of", lambda *_, **__: pytest.fail("computed again"))
    (block,) = queries.segment_note(cast["zhaomin"], "rich", blocks=("answers",)).blocks
    assert block.data["answers"].size


def test_small_parts_are_withheld_and_say_so(bank: runtime.Runtime, cast: Cast) -> None:
    found = table(cast["sunli"], by="tier")
    shown = [row.figures["cust_total"].value for row in found.rows]
    assert sum(v or 0 for v in shown) == N
    hidden = Figure("cust_total", None, None, None, None, "small")
    assert "不足 5 户" in queries.why(queries.kpis_for(cast["sunli"])[0], hidden).zh


def test_what_is_not_there_is_refused(bank: runtime.Runtime, cast: Cast) -> None:
    for wrong, error in (
        ({"by": "moon"}, NotMeasurable), ({"month": "1999-01"}, NotMeasurable), ({"tier": "T9"}, UnknownDefinition),
        ({"kpis": ["luck"]}, UnknownDefinition),
    ):  # fmt: skip
        with pytest.raises(error):
            table(cast["sunli"], **wrong)  # type: ignore[arg-type]


def test_the_table_as_json_carries_definitions_and_dates(bank: runtime.Runtime, cast: Cast) -> None:
    plain = queries.plain_table(table(cast["sunli"], kpis=["aum_eod", "clv"]))
    assert [d["name"] for d in plain["definitions"]] == ["aum_eod", "clv"]
    assert (plain["month"], str(plain["data_date"])) == ("2026-06", "2026-06-30")
    assert plain["rows"][-1]["figures"][1].missing == "lacks"
