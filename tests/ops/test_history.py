"""The time machine at work: kept after a refresh, asked within one's scope, told with reasons."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from kequn.core.errors import Conflict, NoData, NotAllowed, TagNotSelectable
from kequn.core.segments import history as kept
from kequn.core.segments.migration import Migration
from kequn.core.spec.segment import SegmentSpec
from kequn.core.tags import catalogue, refresh
from kequn.ops import runtime
from kequn.ops.audiences import history, queries, services
from kequn.ops.governance.models import AuditEntry
from kequn.ops.jobs.models import Job
from kequn.ops.jobs.services import run_waiting
from kequn.ops.tags.services import refresh_tags
from tests.ops.bank import AS_OF, RICH, TAGS, Cast, approve, taken_out

pytestmark = pytest.mark.django_db
NEVER = date(2026, 4, 30)
EARLY = date(2026, 5, 31)


@pytest.fixture
def past(definitions: None, bank: runtime.Runtime) -> runtime.Runtime:
    """Keep two dates: on the earlier one nobody has a balance, since none was loaded for it."""
    refresh(bank.store, catalogue(), as_of=EARLY, now=datetime(2026, 6, 2, tzinfo=UTC), only=TAGS)
    run_waiting()
    return bank


def test_an_approved_segment_is_kept_for_every_computed_date(past: runtime.Runtime, cast: Cast) -> None:
    found = history.history_for(cast["zhaomin"], "rich")
    assert [s.as_of for s in found.snapshots] == [EARLY, AS_OF]
    assert found.not_kept == ()
    june = next(s for s in found.snapshots if s.as_of == AS_OF)
    assert june.size == 590
    assert not found.is_scoped


def test_a_refresh_queues_the_members_of_its_date_once(past: runtime.Runtime, cast: Cast) -> None:
    before = Job.objects.filter(kind="segment.snapshot").count()
    refresh_tags(cast["sunli"], as_of=AS_OF, only=TAGS)
    queued = Job.objects.filter(kind="segment.snapshot", state="queued")
    assert (queued.count(), Job.objects.filter(kind="segment.snapshot").count()) == (1, before + 1)
    run_waiting()
    assert Job.objects.get(pk=Job.objects.filter(kind="segment.snapshot").latest("id").pk).state == "done"


def test_a_branch_sees_its_own_customers_of_the_past_alone(past: runtime.Runtime, cast: Cast) -> None:
    found = history.history_for(cast["liqiang"], "rich")
    assert found.is_scoped
    assert next(s for s in found.snapshots if s.as_of == AS_OF).size == 295
    page = history.members_on_page(cast["liqiang"], "rich", AS_OF, size=10, tags=("demo_gender",))
    assert page.total == 295
    assert all(member.person is None or member.person.branch_code == "0001" for member in page.members)
    assert (history.members_on(cast["liqiang"], "rich", AS_OF) % 2 == 0).all()
    with pytest.raises(NotAllowed):
        history.history_for(cast["wangfang"], "rich")


def test_the_reasons_and_the_movement_agree(past: runtime.Runtime, cast: Cast) -> None:
    found = history.changes_for(cast["zhaomin"], "rich", EARLY, AS_OF)
    assert found.size_after - found.size_before == found.joined - found.left
    assert found.why is not None
    assert (found.joined, found.left, found.why.joined.total, found.why.left.total) == (590, 0, 590, 0)
    assert [(c.path, c.alone) for c in found.why.joined.causes] == [("where", 590)]
    assert "时点 AUM" in found.words["where"].zh
    with pytest.raises(Conflict):
        history.changes_for(cast["zhaomin"], "rich", AS_OF, EARLY)
    with pytest.raises(NoData):
        history.changes_for(cast["zhaomin"], "rich", NEVER, AS_OF)


def test_a_new_version_of_the_rule_begins_a_new_chain(past: runtime.Runtime, cast: Cast) -> None:
    poorer = SegmentSpec(name="rich", title="资产较高", where={"tag": "asset_aum_eod", "op": ">=", "value": 12_000})
    version = services.save_segment(cast["zhaomin"], poorer)
    services.submit_segment(cast["zhaomin"], version.pk)
    approve(cast, "rich")
    services.take_snapshots(cast["sunli"], as_of=AS_OF)
    assert AuditEntry.objects.filter(act="segment.members_kept").exists()
    found = history.history_for(cast["zhaomin"], "rich")
    assert [(c.as_of, c.what) for c in found.definition_changes] == [(AS_OF, (("segment", "rich"),))]


def test_a_segment_that_cannot_be_computed_does_not_keep_the_others_from_being_kept(
    past: runtime.Runtime, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kequn.ops.audiences import snapshots

    taken = snapshots.take_snapshot

    def broken(spec: SegmentSpec, as_of: date) -> kept.Snapshot:
        if spec.name == "rich":
            raise NoData("gone")
        return taken(spec, as_of)

    monkeypatch.setattr(snapshots, "take_snapshot", broken)
    found = services.take_snapshots(cast["sunli"], as_of=AS_OF)
    assert (found.kept, dict(found.failed)) == (1, {"rich": "gone"})


def test_migration_is_counted_within_the_scope(
    past: runtime.Runtime, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = history.migration_of_segments(cast["zhaomin"], ["women", "rich"], EARLY, AS_OF)
    assert told.left_out  # some cells are of fewer than ten customers
    assert not any(0 < n < 10 for row in told.matrix for n in row)
    monkeypatch.setattr(Migration, "told", lambda self: self)
    whole = history.migration_of_segments(cast["zhaomin"], ["women", "rich"], EARLY, AS_OF)
    mine = history.migration_of_segments(cast["liqiang"], ["women", "rich"], EARLY, AS_OF)
    assert (sum(map(sum, whole.matrix)), sum(map(sum, mine.matrix))) == (600, 300)
    by_tag = history.migration_of_tag(cast["zhaomin"], "demo_gender", EARLY, AS_OF)
    assert {g.key for g in by_tag.groups} == {"", "-", "F", "M"}
    assert by_tag.stayed == 600
    assert [len(m.groups) for m in history.migrations_by_month(cast["zhaomin"], "demo_gender")] == [4]
    assert "demo_gender" in history.migration_tags(cast["zhaomin"])


def test_only_those_who_compute_tags_keep_members(past: runtime.Runtime, cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        services.take_snapshots(cast["zhaomin"], as_of=AS_OF)
    with pytest.raises(NoData):
        services.take_snapshots(cast["sunli"], as_of=NEVER)


def test_what_is_kept_equals_what_is_computed(past: runtime.Runtime, cast: Cast) -> None:
    from kequn.ops.audiences.queries import members_of

    there: Path = past.store.root / "segment" / "rich"
    assert there.is_dir()
    computed = members_of(cast["zhaomin"], RICH, as_of=AS_OF)
    assert np.array_equal(history.members_on(cast["zhaomin"], "rich", AS_OF), computed)


def test_members_kept_later_are_noticed_at_once(past: runtime.Runtime, cast: Cast) -> None:
    """The version of the store stays the same: what a rule about earlier members says must not."""
    was = {"name": "once_rich", "title": "曾经富裕", "where": {"segment": "rich", "as_of": EARLY.isoformat()}}
    actor, spec = cast["zhaomin"], SegmentSpec.model_validate(was)
    version = services.save_segment(actor, spec)
    before = queries.members_of(actor, spec, as_of=AS_OF)
    assert services.profile_segment(actor, version.pk).size == len(before) == 0
    members = np.arange(7, dtype=np.uint32)
    kept.take(
        past.store, "rich", EARLY, members, definition={"segment": {"rich": "other"}}, data="d", now=runtime.now()
    )
    assert queries.members_of(actor, spec, as_of=AS_OF).tolist() == members.tolist()
    assert queries.preview_segment(actor, spec).size == 7
    assert services.profile_segment(actor, version.pk).size == 7


def test_who_was_chosen_by_sensitive_information_earlier_does_not_leave_in_a_file(
    past: runtime.Runtime, cast: Cast
) -> None:
    """As an uploaded list they could be chosen again, although they may have withdrawn their consent since."""
    actor, days = cast["zhaomin"], {"tag": {"demo_child_stage": "f"}}
    with pytest.raises(TagNotSelectable, match="class S"):  # nor does what they were, beside whoever they are
        taken_out(cast, "zhaomin", "members", segment="rich", on=EARLY.isoformat(), tags="demo_child_stage")
    kept.take(past.store, "rich", EARLY, np.arange(3, dtype=np.uint32), definition=days, data="d", now=runtime.now())
    with pytest.raises(TagNotSelectable, match="class S"):
        history.members_to_take(actor, "rich", EARLY)
    with pytest.raises(TagNotSelectable):
        taken_out(cast, "zhaomin", "members", segment="rich", on=EARLY.isoformat())
    assert len(history.members_on(actor, "rich", EARLY)) == 3
    assert taken_out(cast, "zhaomin", "members", segment="rich", on=AS_OF.isoformat()).subject == "客群成员 · rich"
