"""What was approved is what is frozen, and a frozen audience can be made again from what it pinned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.core.errors import Conflict, NotApproved
from kequn.core.segments import history
from kequn.core.spec.segment import SegmentSpec
from kequn.core.tags import catalogue as shipped
from kequn.core.tags import refresh
from kequn.ops import runtime
from kequn.ops.audiences import services as audiences
from kequn.ops.audiences.drafts import look_at_draft
from kequn.ops.audiences.queries import members_of, overlap_of, segment_named
from kequn.ops.campaigns import services as campaigns
from kequn.ops.campaigns.models import Audience, Campaign
from kequn.ops.campaigns.reproducing import reproduce_audience
from kequn.ops.governance.models import Approval
from kequn.ops.tags.services import save_tag
from tests.ops.bank import AS_OF, CAMPAIGN, TAGS, Cast, approve, approved_campaign
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db
LATER = datetime(2026, 7, 2, tzinfo=UTC)


@pytest.fixture
@remembered
def frozen(definitions: None, cast: Cast) -> Campaign:
    campaign = approved_campaign(cast)
    campaigns.freeze_campaign(cast["zhaomin"], campaign.pk, as_of=AS_OF)
    return campaign


def another_aum(cast: Cast) -> None:
    """Give the tag that the segment reads another meaning."""
    spec = shipped()["asset_aum_eod"]
    save_tag(cast["sunli"], spec.model_copy(update={"expression": f"({spec.expression}) + 0"}))


def spoil(bank: runtime.Runtime, *, cap: int) -> None:
    """Publish other values of the tag for the same date: balances above ``cap`` fen are lost."""
    with bank.store.writing(now=LATER) as draft:
        state = draft.manifest.dates[AS_OF.isoformat()].tags["asset_aum_eod"]
        values = pq.read_table(bank.store.path(state.file))["value"].to_pylist()
        path, relative = draft.new_file("tags", "asset", "asset_aum_eod")
        pq.write_table(pa.table({"value": pa.array([v if v and v < cap else None for v in values], pa.int64())}), path)
        state.file = relative


def test_an_audience_is_made_again_exactly(frozen: Campaign, cast: Cast) -> None:
    found = reproduce_audience(cast["zhaomin"], CAMPAIGN.name)
    assert found.is_equal
    assert (found.members, found.again, found.findings) == (590, 590, ())


def test_members_of_an_earlier_day_are_those_that_were_kept_wherever_they_count(definitions: None, cast: Cast) -> None:
    actor = cast["zhaomin"]
    rich = segment_named(actor, "rich").spec
    some = members_of(actor, rich, as_of=AS_OF)[:500]  # as if the rule had been another one then
    history.take(
        runtime.runtime().store, "rich", AS_OF, some, definition={"segment": {"rich": "then"}}, data="then", now=LATER
    )
    were = SegmentSpec.model_validate(
        {"name": "were_rich", "title": "曾经富裕", "where": {"segment": "rich", "as_of": AS_OF.isoformat()}}
    )
    version = audiences.save_segment(actor, were)
    audiences.submit_segment(actor, version.pk)
    approve(cast, "were_rich")
    assert len(members_of(actor, were, as_of=AS_OF)) == 500
    assert overlap_of(actor, [version.pk], as_of=AS_OF).both == ((500,),)
    assert look_at_draft(actor, were.model_copy(update={"name": "draft"})).profile.size == 500
    spec = CAMPAIGN.model_copy(update={"name": "fund_again", "segment": "were_rich"})
    campaigns.freeze_campaign(actor, approved_campaign(cast, spec).pk, as_of=AS_OF)
    found = reproduce_audience(actor, "fund_again")
    assert (found.members, found.again, found.is_equal) == (500, 500, True)


def test_the_columns_of_the_day_are_kept_when_the_date_is_computed_again(
    frozen: Campaign, cast: Cast, bank: runtime.Runtime
) -> None:
    for _ in range(3):  # a writer sweeps what the two versions before do not name
        spoil(bank, cap=2_000_000)
    found = reproduce_audience(cast["zhaomin"], CAMPAIGN.name)
    assert found.is_equal
    assert found.findings == ()


def test_data_that_are_gone_are_told_with_the_difference(frozen: Campaign, cast: Cast, bank: runtime.Runtime) -> None:
    audience = Audience.objects.get()
    spoil(bank, cap=2_000_000)
    bank.store.path(audience.pins["files"]["tags"]["asset_aum_eod"]).unlink()
    found = reproduce_audience(cast["zhaomin"], CAMPAIGN.name)
    assert not found.is_equal
    assert found.gone > 0
    assert [f.code for f in found.findings] == ["tag_replaced"]


def test_a_draw_that_would_differ_is_found(frozen: Campaign, cast: Cast) -> None:
    other = CAMPAIGN.model_copy(update={"holdout": CAMPAIGN.holdout.model_copy(update={"salt": "other"})})  # type: ignore[union-attr]
    Campaign.objects.filter(pk=frozen.pk).update(spec=other)
    found = reproduce_audience(cast["zhaomin"], CAMPAIGN.name)
    assert found.arms_differ > 0
    assert not found.is_equal


def test_a_branchs_audience_is_made_again_within_its_customers(definitions: None, cast: Cast) -> None:
    own = replace(cast["zhaomin"], branch_path=cast["liqiang"].branch_path, branch_code="0001")
    campaign = campaigns.save_campaign(own, CAMPAIGN)
    campaigns.submit_campaign(own, campaign.pk)
    approve(cast, CAMPAIGN.name)
    campaigns.freeze_campaign(own, campaign.pk, as_of=AS_OF)
    found = reproduce_audience(cast["zhaomin"], CAMPAIGN.name)
    assert (found.members, found.again, found.is_equal) == (295, 295, True)


def test_what_was_not_frozen_cannot_be_made_again(definitions: None, cast: Cast) -> None:
    approved_campaign(cast)
    with pytest.raises(Conflict, match="not frozen"):
        reproduce_audience(cast["zhaomin"], CAMPAIGN.name)


def test_a_tag_that_was_changed_after_the_approval_stops_the_freeze(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    another_aum(cast)
    with pytest.raises(NotApproved, match="tag 'asset_aum_eod' was changed"):
        campaigns.freeze_campaign(cast["zhaomin"], campaign.pk, as_of=AS_OF)


def test_values_of_another_version_than_was_approved_stop_the_freeze(
    definitions: None, cast: Cast, bank: runtime.Runtime
) -> None:
    another_aum(cast)
    campaign = approved_campaign(cast)
    design: dict[str, Any] = Approval.objects.get(kind="campaign", state="approved").summary["design"]
    assert "tag_changed" in {finding["code"] for finding in design["findings"]}
    with pytest.raises(NotApproved, match="another version"):
        campaigns.freeze_campaign(cast["zhaomin"], campaign.pk, as_of=AS_OF)
    from kequn.ops.tags.queries import catalogue

    refresh(bank.store, catalogue(), as_of=AS_OF, now=LATER, only=TAGS)
    assert campaigns.freeze_campaign(cast["zhaomin"], campaign.pk, as_of=AS_OF).members == 590


def test_a_segment_whose_tag_changed_while_it_waited_is_not_approved(definitions: None, cast: Cast) -> None:
    from kequn.core.spec.segment import SegmentSpec
    from kequn.ops.audiences import services as audiences

    spec = SegmentSpec(name="richer", title="更高", where={"tag": "asset_aum_eod", "op": ">=", "value": 12_000})
    version = audiences.save_segment(cast["zhaomin"], spec)
    audiences.submit_segment(cast["zhaomin"], version.pk)
    another_aum(cast)
    with pytest.raises(Conflict, match="asset_aum_eod"):
        approve(cast, "richer")
