"""Reviews: what is measured on known data, what is not measurable, and loaded experiments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.core.engine.store import TableState
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, NotMeasurable
from kequn.core.spec.metric import MetricSpec
from kequn.ops import runtime
from kequn.ops.audiences import services as audiences
from kequn.ops.campaigns import services as campaigns
from kequn.ops.campaigns.freezing import audience_table
from kequn.ops.campaigns.models import Campaign
from kequn.ops.campaigns.queries import frozen_audience
from kequn.ops.delivery import services as delivery
from kequn.ops.jobs import services as jobs
from kequn.ops.reviews import queries, services
from kequn.ops.reviews.contracts import CampaignReview, ExperimentReview
from kequn.ops.reviews.models import Review
from tests.core.small_bank import ARROW
from tests.ops.bank import AS_OF, CAMPAIGN, Cast, approved_campaign
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered
from tests.ops.test_campaigns import but

pytestmark = pytest.mark.django_db
END = date(2026, 7, 31)


def append(table: str, rows: list[dict[str, Any]], *, as_of: date = END) -> None:
    """Add rows to a table of the runtime's store, as a load would."""
    from kequn.core.data.tables import TABLES

    columns = TABLES[table].stored_columns()
    schema = pa.schema([(name, ARROW[kind]) for name, kind in columns.items()])
    plain = [{name: row.get(name) for name in columns} for row in rows]
    with runtime.runtime().store.writing(now=NOW) as draft:
        path, relative = draft.new_file("tables", table, "more")
        pq.write_table(pa.Table.from_pylist(plain, schema=schema), path)
        state = draft.manifest.tables.setdefault(table, TableState(loaded_at=NOW))
        state.files.append(relative)
        state.as_of = as_of


def converted(campaign: Campaign, *, treated: int, control: int) -> None:
    """Let the first so many of each arm do what the campaign is to move, and somebody outside later."""
    rows = audience_table(campaign.audience.key).to_pylist()
    chosen: list[int] = []
    for arm, n in (("treated", treated), ("control", control)):
        chosen += [r["ordinal"] for r in rows if r["arm"] == arm][:n]
    events = [
        {"ordinal": o, "event_no": 10_000 + o, "happened_on": date(2026, 7, 10), "kind": "fund_page"} for o in chosen
    ]
    append("event", [*events, {"ordinal": 0, "event_no": 99_999, "happened_on": END, "kind": "login"}])


@pytest.fixture
@remembered
def campaign(definitions: None, cast: Cast) -> Campaign:
    campaign = approved_campaign(cast)
    campaigns.freeze_campaign(cast["zhaomin"], campaign.pk)
    campaigns.launch_campaign(cast["zhaomin"], campaign.pk)
    campaign.refresh_from_db()
    return campaign


def reviewed(cast: Cast, campaign: Campaign) -> CampaignReview:
    found = queries.result_of(services.run_review(cast["sunli"], campaign.pk, as_of=END))
    assert isinstance(found, CampaignReview)
    return found


def test_a_review_finds_the_lift_that_is_in_the_data(campaign: Campaign, cast: Cast) -> None:
    converted(campaign, treated=108, control=9)
    delivery.dispatch_once()
    result = reviewed(cast, campaign)
    lift = result.goal.lift
    assert lift is not None
    assert (lift.treated.n, lift.control.n) == (432, 108)
    assert lift.plain.point == pytest.approx(108 / 432 - 9 / 108)
    assert lift.point == pytest.approx(lift.plain.point, abs=0.01)
    assert 0 < lift.low < lift.point < lift.high
    assert result.goal.conclusion.code == "effective"
    assert "浏览基金" in result.sentence_zh
    assert not result.split_is_broken


def test_a_review_counts_what_it_cost_and_what_it_was_worth(campaign: Campaign, cast: Cast) -> None:
    converted(campaign, treated=108, control=9)
    delivery.dispatch_once()
    result = reviewed(cast, campaign)
    tasks = campaign.audience.by_channel["rm_task"]
    assert result.n_contacted == result.cost.touches == tasks
    assert result.cost.touches_cny == 30 * tasks
    assert result.cost.benefits_cny == Decimal(5 * 108)
    worth = result.goal.worth
    assert worth is not None
    assert worth.incremental_customers is not None
    assert float(worth.incremental_customers.point) == pytest.approx(432 * result.goal.lift.point, abs=0.01)  # type: ignore[union-attr]
    assert worth.roi is not None


def test_parts_add_up_and_are_only_described(campaign: Campaign, cast: Cast) -> None:
    converted(campaign, treated=108, control=9)
    result = reviewed(cast, campaign)
    for parts in (result.by_channel, result.by_branch):
        assert sum(p.n_treated for p in parts) == 432
        assert sum(p.n_control for p in parts) == 108
    assert {p.name for p in result.by_branch} == {"0001", "0002"}


def test_a_guardrail_without_data_says_so(campaign: Campaign, cast: Cast) -> None:
    converted(campaign, treated=50, control=12)
    guard = reviewed(cast, campaign).guardrails[0]
    assert guard.lift is None
    assert guard.conclusion.code == "not_measurable"
    assert guard.conclusion.facts["reason"] in ("no_data", "window_open")


def test_no_effect_is_not_called_one(campaign: Campaign, cast: Cast) -> None:
    converted(campaign, treated=40, control=10)
    assert reviewed(cast, campaign).goal.conclusion.code == "cannot_tell"


def test_an_open_window_is_not_measurable(campaign: Campaign, cast: Cast) -> None:
    result = queries.result_of(services.run_review(cast["zhaomin"], campaign.pk))
    assert isinstance(result, CampaignReview)
    assert result.goal.lift is None
    assert result.goal.conclusion.facts["reason"] == "window_open"
    assert result.goal.worth is None


def test_reaching_everybody_is_reported_as_not_measurable(definitions: None, cast: Cast) -> None:
    spec = but(name="all", evaluation="reach_all", holdout=None)
    campaign = approved_campaign(cast, spec, reason="监管要求")
    campaigns.freeze_campaign(cast["zhaomin"], campaign.pk)
    campaign.refresh_from_db()
    converted(campaign, treated=100, control=0)
    result = reviewed(cast, campaign)
    assert result.goal.conclusion.facts["reason"] == "reach_all"
    assert "不可衡量" in result.sentence_zh


def test_the_same_data_give_the_same_review(campaign: Campaign, cast: Cast) -> None:
    converted(campaign, treated=50, control=12)
    first = services.run_review(cast["sunli"], campaign.pk, as_of=END)
    assert services.run_review(cast["sunli"], campaign.pk, as_of=END) == first
    assert Review.objects.count() == 1
    assert first.pins["reviewed_store"] > first.pins["store"]


def test_a_review_needs_a_frozen_audience_and_the_right(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    with pytest.raises(Conflict, match="frozen"):
        services.run_review(cast["sunli"], campaign.pk)
    with pytest.raises(NotAllowed):
        services.run_review(cast["liqiang"], campaign.pk)
    with pytest.raises(NotAllowed):
        queries.reviews_for(cast["wangfang"])


def test_a_review_is_a_job_and_can_be_taken_out(campaign: Campaign, cast: Cast) -> None:
    converted(campaign, treated=108, control=9)
    services.request_review(cast["zhaomin"], campaign.pk, as_of=END)
    jobs.run_waiting()
    review = queries.latest_review(cast["zhaomin"], campaign.name)
    assert review is not None
    row = audiences.request_export(cast["zhaomin"], "review", {"review": review.pk}, purpose="汇报")
    jobs.run_waiting()
    path = audiences.take_export(cast["zhaomin"], row.pk)
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(str(path))
    assert book.sheet_names == ["结果", "按渠道（仅描述）", "按网点（仅描述）"]
    rows = book.get_sheet_by_index(0).to_python()
    assert "M001 赵敏" in rows[0][0]
    assert "汇报" in rows[0][0]
    assert rows[2][0] == "浏览基金"


VISIT = MetricSpec(
    name="visit", title="访问", measure="rate", table="event", where=({"column": "kind", "value": "visit"},)
)
SPEND = MetricSpec(name="spend", title="消费", measure="sum", table="transaction", column="amount")


def experiment() -> None:
    day = date(2026, 7, 1)
    names = np.array(["none", "mens", "womens"])
    append(
        "assignment",
        [{"ordinal": i, "experiment": "mail", "arm": names[i % 3], "assigned_on": day} for i in range(600)],
    )
    visits = [i for i in range(600) if (i % 3 == 1 and i < 300) or (i % 3 == 2 and i < 150) or (i % 3 == 0 and i < 90)]
    append("event", [{"ordinal": i, "event_no": 50_000 + i, "happened_on": day, "kind": "visit"} for i in visits])
    append(
        "transaction",
        [
            {
                "ordinal": i,
                "transaction_no": i,
                "booked_on": day,
                "direction": "out",
                "amount": 1000,
                "category": "consumption",
            }
            for i in visits
        ],
    )


def test_loaded_arms_are_compared_with_their_control(bank: runtime.Runtime, cast: Cast) -> None:
    experiment()
    review = services.review_experiment(
        cast["sunli"], "mail", [VISIT, SPEND], control="none", days=14, start_on=date(2026, 7, 1),
        shares={"none": 1, "mens": 1, "womens": 1},
    )  # fmt: skip
    result = queries.result_of(review)
    assert isinstance(result, ExperimentReview)
    assert result.arms == {"mens": 200, "none": 200, "womens": 200}
    found = {(r.metric, r.arm): r.lift for r in result.results}
    mens, womens = found["visit", "mens"], found["visit", "womens"]
    assert mens is not None
    assert womens is not None
    assert mens.point == pytest.approx(0.5 - 0.15)
    assert womens.point == pytest.approx(0.25 - 0.15)
    spend = found["spend", "mens"]
    assert spend is not None
    assert spend.point == pytest.approx(350)
    assert not result.split_is_broken


def test_an_experiment_that_is_not_there_is_not_measurable(bank: runtime.Runtime, cast: Cast) -> None:
    with pytest.raises(NotMeasurable):
        services.review_experiment(cast["sunli"], "mail", [VISIT], control="none", days=14)
    experiment()
    with pytest.raises(InvalidSpec, match="no arm"):
        services.review_experiment(cast["sunli"], "mail", [VISIT], control="nobody", days=14)


def test_a_broken_split_is_named(bank: runtime.Runtime, cast: Cast) -> None:
    experiment()
    review = services.review_experiment(
        cast["sunli"], "mail", [VISIT], control="none", days=14, start_on=date(2026, 7, 1),
        shares={"none": 2, "mens": 1, "womens": 1},
    )  # fmt: skip
    result = queries.result_of(review)
    assert isinstance(result, ExperimentReview)
    assert result.split_is_broken


def test_the_window_begins_when_the_campaign_does_however_early_the_audience_was_frozen(
    definitions: None, cast: Cast
) -> None:
    later = CAMPAIGN.model_copy(update={"start_on": date(2026, 7, 6)})
    campaign = approved_campaign(cast, later)
    campaigns.freeze_campaign(cast["zhaomin"], campaign.pk, as_of=AS_OF)
    assert frozen_audience(cast["zhaomin"], campaign.pk).window_from == date(2026, 7, 6)
