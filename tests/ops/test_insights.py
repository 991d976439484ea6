"""Discoveries: found, refused, published for everybody, saved as drafts, noted; and who may do what."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, NotMeasurable, UnknownTag
from kequn.core.spec.base import Text
from kequn.core.spec.discovery import ClusterSearch, LookAlikeSearch
from kequn.core.spec.segment import SegmentSpec
from kequn.ops import runtime
from kequn.ops.audiences import services as audiences
from kequn.ops.audiences.queries import list_for, members_of, versions_of
from kequn.ops.governance.models import AuditEntry
from kequn.ops.insights import queries, services
from kequn.ops.insights.models import Discovery
from kequn.ops.jobs.services import run_waiting
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.queries import catalogue
from tests.ops.grouped_bank import AS_OF, GROUPS, TAGS, grouped_bank, grouped_store  # noqa: F401 - fixtures

SEARCH = ClusterSearch(tags=TAGS, fewest=2, most=4, rows=2000)
QUICK = SEARCH.model_copy(update={"fewest": 3, "most": 3})
ALIKE = LookAlikeSearch(tags=TAGS, segment="savers")
SAVERS = SegmentSpec.model_validate(
    {"name": "savers", "title": "定存客户", "where": {"tag": "asset_time", "op": ">=", "value": 20_000}}
)


def found(actor: Actor, search: ClusterSearch = SEARCH) -> Discovery:
    row = services.create_discovery(actor, search, name="value", title="价值分群", as_of=AS_OF)
    return services.run_discovery(actor, row.pk)


@pytest.fixture(scope="module")
def searched() -> dict[str, Discovery]:
    """Keeps one search's answer, so that each test need not search again."""
    return {}


@pytest.fixture
def discovery(grouped_bank: runtime.Runtime, cast: dict[str, Actor], searched: dict[str, Discovery]) -> Discovery:  # noqa: F811
    if "row" not in searched:
        searched["row"] = found(cast["sunli"])
        return searched["row"]
    row = searched["row"]
    return Discovery.objects.create(
        **{f.attname: getattr(row, f.attname) for f in row._meta.fields if f.attname != "id"}
    )


def test_a_queued_search_finds_the_groups_and_says_what_they_are(discovery):
    result = discovery.result
    assert discovery.state == "found"
    assert result["k"] == GROUPS
    assert sum(c["size"] for c in result["clusters"]) == result["customers"]
    assert all(p["k"] in (2, 3, 4) for p in result["curve"])
    assert result["stability"] >= 0.85
    assert result["silhouette"] > result["reference"] + 0.02
    assert all(c["title"]["zh"] and c["title"]["en"] for c in result["clusters"])
    assert result["is_faithful"]


def test_a_search_runs_as_a_job(grouped_bank, cast):  # noqa: F811
    row = services.request_discovery(cast["zhaomin"], QUICK, name="value", title="价值", as_of=AS_OF)
    assert row.state == "queued"
    run_waiting()
    row.refresh_from_db()
    assert row.state == "found"
    assert AuditEntry.objects.filter(act="discovery.finished").exists()


def test_published_clusters_are_a_tag_that_segments_test(discovery, cast):
    services.request_publication(cast["sunli"], discovery.pk)
    run_waiting()
    discovery.refresh_from_db()
    assert discovery.is_current
    assert discovery.basis == "rules"
    spec = catalogue()["model_cluster_value"]
    assert set(spec.values) == {c["code"] for c in discovery.clusters}
    assert str(discovery.pk) in str(spec.given_by)
    largest = SegmentSpec.model_validate(
        {"name": "largest", "title": "最大群", "where": {"tag": "model_cluster_value", "value": "c1"}}
    )
    size = len(members_of(cast["sunli"], largest, as_of=AS_OF))
    assert abs(size - discovery.clusters[0]["size"]) < 0.15 * discovery.clusters[0]["size"]
    sure = SegmentSpec.model_validate(
        {"name": "sure", "title": "把握大", "where": {"tag": "model_cluster_value_conf", "op": ">=", "value": 0.5}}
    )
    assert len(members_of(cast["sunli"], sure, as_of=AS_OF)) > 0


def test_by_centres_every_customer_has_a_cluster(discovery, cast):
    version = runtime.engine().manifest.version
    services.publish_clusters(cast["sunli"], discovery.pk, basis="centres")
    assert runtime.engine().manifest.version == version + 1  # a cluster is never seen without its confidence
    state = runtime.engine().manifest.dates[AS_OF.isoformat()]
    assert state.tags["model_cluster_value"].known == state.customers
    values = pq.read_table(runtime.engine().store.path(state.tags["model_cluster_value"].file)).column("value")
    assert sorted(values.value_counts().field("counts").to_pylist(), reverse=True) == [
        c["size"] for c in discovery.clusters
    ]


def test_a_refit_carries_the_codes_over_and_reports_who_moved(discovery, cast):
    services.publish_clusters(cast["sunli"], discovery.pk, basis="centres")
    again = services.create_discovery(
        cast["sunli"], QUICK.model_copy(update={"seed": 9}), name="value", title="复跑", as_of=AS_OF
    )
    again = services.run_discovery(cast["sunli"], again.pk)
    assert again.result["continued"]["discovery"] == discovery.pk
    assert again.result["continued"]["agreement"] > 0.9
    assert {c["code"] for c in again.clusters} == {c["code"] for c in discovery.clusters}
    services.publish_clusters(cast["sunli"], again.pk)
    discovery.refresh_from_db()
    assert not discovery.is_current


def test_a_rule_is_saved_as_a_draft_that_a_second_person_approves(discovery, cast):
    with pytest.raises(InvalidSpec, match="not a name") as fault:
        services.save_rule(cast["zhaomin"], discovery.pk, "c1", name="客群")
    assert fault.value.where.field == "name"
    version = services.save_rule(cast["zhaomin"], discovery.pk, "c1")
    assert version.state == "draft"
    assert version.name == "value_c1"
    members = members_of(cast["zhaomin"], version.spec, as_of=AS_OF)
    assert len(members) == pytest.approx(discovery.clusters[0]["size"], rel=0.15)
    submitted = audiences.submit_segment(cast["zhaomin"], version.pk)
    assert submitted.state == "submitted"


def test_a_better_name_is_kept_and_goes_into_the_published_tag(discovery, cast):
    services.rename_cluster(cast["zhaomin"], discovery.pk, "c2", Text(zh="稳健定存", en="Steady savers"))
    services.publish_clusters(cast["sunli"], discovery.pk)
    assert catalogue()["model_cluster_value"].values["c2"].zh == "稳健定存"


def test_clusters_are_compared_with_the_segments_there_are(grouped_bank, cast):  # noqa: F811
    audiences.save_segment(cast["zhaomin"], SAVERS)
    row = found(cast["sunli"], QUICK)
    named = {s["name"]: s for s in row.result["segments"]}
    assert named["savers"]["jaccard"] > 0.8


def test_a_new_date_gets_its_clusters_by_itself(discovery, cast):
    services.publish_clusters(cast["sunli"], discovery.pk)
    store = runtime.runtime().store
    july = date(2026, 7, 31)
    with store.writing(now=runtime.now()) as draft:
        june = draft.manifest.dates[AS_OF.isoformat()]
        tags = {n: t for n, t in june.tags.items() if not n.startswith("model_")}
        draft.manifest.dates[july.isoformat()] = june.model_copy(update={"tags": tags})
    services.assign_new_date(july)
    run_waiting()
    assert "model_cluster_value" in runtime.engine().manifest.dates[july.isoformat()].tags


@pytest.mark.parametrize(
    ("tag", "error"), [("demo_gender", InvalidSpec), ("loan_overdue", InvalidSpec), ("no_such_tag", UnknownTag)]
)
def test_protected_and_sensitive_tags_are_refused(grouped_bank, cast, tag, error):  # noqa: F811
    with pytest.raises(error):
        services.create_discovery(
            cast["sunli"], SEARCH.model_copy(update={"tags": (*TAGS, tag)}), name="value", title="", as_of=AS_OF
        )


def test_seeds_find_others_like_them_and_the_expansion_is_a_draft(grouped_bank, cast, monkeypatch):  # noqa: F811
    actor = cast["zhaomin"]
    chosen = np.flatnonzero(grouped_bank[1] == 1)[::3]
    audiences.keep_list(
        actor,
        chosen.astype(np.uint32),
        name="seeds",
        title="种子",
        purpose="测试",
        expires_on=date(2026, 8, 1),
        origin="test",
    )
    search = LookAlikeSearch(tags=TAGS, list="seeds")
    row = services.request_discovery(actor, search, name="like", title="相似", as_of=AS_OF)
    run_waiting()
    row.refresh_from_db()
    assert row.state == "found"
    assert row.result["auc"] > 0.8
    assert all(p["lift_low"] <= p["lift"] <= p["lift_high"] for p in row.result["curve"])
    services.request_expansion(
        actor, row.pk, n=100, name="like_100", title="相似一百", purpose="营销", expires_on=date(2026, 8, 1)
    )
    run_waiting()
    version = versions_of(actor, "like_100").get()
    assert version.state == "draft"
    members = members_of(actor, version.spec, as_of=AS_OF)
    assert len(members) == 100
    assert not set(members) & set(chosen)
    assert (grouped_bank[1][members] == 1).mean() > 0.9
    assert list_for(actor, "like_100").matched == 100
    with pytest.raises(InvalidSpec, match="not a name"):
        services.save_expansion(
            actor, row.pk, n=50, name="Like 50", title="", purpose="营销", expires_on=date(2026, 8, 1)
        )
    monkeypatch.setattr(services, "save_segment", _refuses)
    with pytest.raises(NotAllowed):
        services.save_expansion(
            actor, row.pk, n=50, name="like_50", title="", purpose="营销", expires_on=date(2026, 8, 1)
        )
    with pytest.raises(NotAllowed, match="no such list"):
        list_for(actor, "like_50")


def _refuses(actor: Actor, spec: SegmentSpec) -> None:
    raise NotAllowed("The name belongs to others.", segment=spec.name)


def test_the_tags_that_define_the_seeds_are_left_out(grouped_bank, cast):  # noqa: F811
    audiences.save_segment(cast["zhaomin"], SAVERS)
    row = services.create_discovery(cast["zhaomin"], ALIKE, name="like", title="", as_of=AS_OF)
    row = services.run_discovery(cast["zhaomin"], row.pk)
    assert "asset_time" in row.result["excluded"]
    assert "asset_time" not in {t["tag"] for t in row.result["telling"]}


def test_too_few_seeds_are_refused_at_once(grouped_bank, cast):  # noqa: F811
    few = SAVERS.model_copy(update={"name": "few", "where": SAVERS.where.model_copy(update={"value": 10**9})})
    audiences.save_segment(cast["zhaomin"], few)
    with pytest.raises(NotMeasurable, match="too few"):
        services.create_discovery(
            cast["zhaomin"], ALIKE.model_copy(update={"segment": "few"}), name="like", title="", as_of=AS_OF
        )


def test_a_branch_sees_only_what_was_published_and_its_own_figures(discovery, cast):
    head = cast["liqiang"]
    with pytest.raises(NotAllowed):
        queries.discovery_for(head, discovery.pk)
    services.publish_clusters(cast["sunli"], discovery.pk, basis="centres")
    row = queries.discovery_for(head, discovery.pk)
    here, bank = queries.sizes_for(head, row), queries.sizes_for(cast["sunli"], row)
    assert 0 < sum(here.values()) < sum(bank.values())
    seen, whole = queries.answer_for(head, row), queries.answer_for(cast["sunli"], row)
    assert {c["code"]: c["size"] for c in seen["clusters"]} == here
    assert seen["customers"] == sum(here.values())
    assert not seen["segments"]
    assert not any({"n", "bank_n"} & set(d["cell"]) for c in seen["clusters"] for d in c["telling"])
    assert whole["customers"] == sum(bank.values())
    assert all("n" in d["cell"] for c in whole["clusters"] for d in c["telling"])
    with pytest.raises(NotAllowed):
        services.create_discovery(head, SEARCH, name="mine", title="", as_of=AS_OF)
    with pytest.raises(NotAllowed):
        queries.discoveries_for(cast["wangfang"])


def test_a_marketer_of_a_branch_does_not_see_what_was_found_among_all_customers(discovery, cast):
    head, marketer = cast["liqiang"], cast["zhaomin"]
    fields = {f: getattr(marketer, f) for f in marketer.__slots__}
    local = Actor(**fields | {f: getattr(head, f) for f in ("branch_path", "branch_code")})
    assert not local.sees_all_branches
    with pytest.raises(NotAllowed):
        queries.discovery_for(local, discovery.pk)
    own = services.create_discovery(local, QUICK, name="ours", title="", as_of=AS_OF)
    assert queries.discovery_for(local, own.pk) == own


def test_seeds_chosen_by_sensitive_information_are_refused(grouped_bank, cast):  # noqa: F811
    families = SegmentSpec.model_validate({
        "name": "families", "title": "有孩子", "separate_consent": ["child_data"],
        "where": {"tag": "demo_child_stage", "op": "known"},
    })  # fmt: skip
    audiences.save_segment(cast["zhaomin"], families)
    search = ALIKE.model_copy(update={"segment": "families"})
    with pytest.raises(InvalidSpec, match="sensitive information"):
        services.create_discovery(cast["zhaomin"], search, name="like", title="", as_of=AS_OF)


def test_publishing_is_the_analysts_and_of_clusters_only(discovery, cast):
    with pytest.raises(NotAllowed):
        services.request_publication(cast["zhaomin"], discovery.pk)
    audiences.save_segment(cast["zhaomin"], SAVERS)
    alike = services.create_discovery(cast["zhaomin"], ALIKE, name="like", title="", as_of=AS_OF)
    with pytest.raises(Conflict):
        services.request_publication(cast["sunli"], alike.pk)


def test_a_note_carries_its_author_and_what_it_said_before(discovery, cast):
    subject = f"{discovery.pk}:c1"
    note = services.add_note(cast["sunli"], "cluster", subject, "多为小微企业主，回款在月末。")
    services.edit_note(cast["sunli"], note.pk, "多为小微企业主，回款在季末。")
    shown = queries.notes_for(cast["zhaomin"], "cluster", subject).get()
    assert shown.author_name == "孙立"
    assert shown.text.endswith("季末。")
    assert [v.text[-3:] for v in shown.versions.all()] == ["季末。", "月末。"]
    with pytest.raises(NotAllowed):
        services.edit_note(cast["zhaomin"], note.pk, "别人的")
    services.remove_note(cast["sunli"], note.pk)
    assert not queries.notes_for(cast["zhaomin"], "cluster", subject).exists()


def test_a_branchs_note_is_seen_by_its_branch_and_above_only(grouped_bank, cast):  # noqa: F811
    audiences.save_segment(cast["zhaomin"], SAVERS)
    services.add_note(cast["liqiang"], "segment", "savers", "本网点多为退休客户。")
    assert queries.notes_for(cast["zhaomin"], "segment", "savers").count() == 1
    with pytest.raises(InvalidSpec):
        services.add_note(cast["liqiang"], "segment", "savers", "  ")
    with pytest.raises(NotAllowed):
        services.add_note(cast["liqiang"], "discovery", "²", "平方不是编号。")
    other = Actor(
        **{**{f: getattr(cast["liqiang"], f) for f in cast["liqiang"].__slots__}, "branch_path": "/HO/C1/0002/"}
    )
    assert queries.notes_for(other, "segment", "savers").count() == 0


def test_a_bank_without_groups_is_told_so(grouped_bank, cast):  # noqa: F811
    search = ClusterSearch(tags=("asset_wmp", "asset_gold", "asset_bond"), fewest=2, most=3, rows=2000)
    row = services.create_discovery(cast["sunli"], search, name="none", title="", as_of=AS_OF)
    row = services.run_discovery(cast["sunli"], row.pk)
    assert (row.state, row.result["finding"]) == ("none", "no_structure")
    with pytest.raises(Conflict):
        services.request_publication(cast["sunli"], row.pk)
