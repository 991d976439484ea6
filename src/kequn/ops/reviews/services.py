"""Review campaigns and experiments, and take a review out as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import transaction

from kequn.core.errors import InvalidSpec, NotMeasurable
from kequn.core.measure import Lift, lifts
from kequn.core.spec.metric import MetricSpec
from kequn.ops.audiences.contracts import Sheet
from kequn.ops.audiences.queries import customer_ids, latest_date
from kequn.ops.campaigns.contracts import FrozenAudience
from kequn.ops.campaigns.queries import campaign_for, frozen_audience
from kequn.ops.catalog import queries as catalog
from kequn.ops.delivery.queries import handed_over
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Job, Running, enqueue
from kequn.ops.orgs.actor import Actor
from kequn.ops.reviews import measuring
from kequn.ops.reviews.contracts import CampaignReview, Cost, ExperimentReview, MetricResult
from kequn.ops.reviews.measuring import Arms, Window
from kequn.ops.reviews.models import Review
from kequn.ops.reviews.queries import as_json, result_of, review_for
from kequn.ops.runtime import engine, now
from kequn.ops.workbench.queries import deals_of

METHOD_ZH = (
    "按分组比较（意向分析）：冻结名单时随机留出对照组，之后被拦截或未触达的客户仍计入原组；按抽样层分层{cuped}。"
)
METHOD_EN = (
    "Compared as assigned (intention to treat): the control group was drawn at the freeze, and who was blocked or not "
    "reached later stays in her arm; stratified as drawn{cuped}."
)


# -- campaigns ----------------------------------------------------------------------------------------------------------


def request_review(actor: Actor, campaign_id: int, *, as_of: date | None = None) -> Job:
    """Queue a review."""
    actor.must("review.run")
    campaign = campaign_for(actor, campaign_id)
    params = {"campaign": campaign.pk, "as_of": as_of.isoformat() if as_of else None}
    return enqueue(actor, "review.run", params, key=campaign.name)


def review_job(running: Running) -> dict[str, Any]:
    """Do a queued review."""
    day = running.params.get("as_of")
    review = run_review(running.actor, running.params["campaign"], as_of=date.fromisoformat(day) if day else None)
    return {"review": review.pk}


def run_review(actor: Actor, campaign_id: int, *, as_of: date | None = None) -> Review:
    """Measure what a campaign brought, with the data up to a date (the latest by default).

    The same data give the same review. What cannot be measured is kept as such, with the reason.

    Raises:
        Conflict: the audience is not frozen.
    """
    actor.must("review.run")
    campaign = campaign_for(actor, campaign_id)
    frozen = frozen_audience(actor, campaign_id)
    day, bank = as_of or latest_date(), engine()
    key = f"{campaign.audience.key}:{day}:{bank.manifest.version}:{handed_over(campaign.name).count()}"
    if (before := Review.objects.filter(key=key).first()) is not None:
        return before
    result = _measured(campaign.name, frozen, day)
    pins = frozen.pins | {"reviewed_store": bank.manifest.version}
    return _kept(actor, "campaign", campaign.name, key, day, campaign.branch_path, as_json(result), pins)


def _measured(name: str, frozen: FrozenAudience, day: date) -> CampaignReview:
    spec, bank = frozen.spec, engine()
    through = day if day.isoformat() in bank.manifest.dates else None
    window = Window(frozen.window_from, frozen.window_days, through, base=frozen.as_of)
    contacted = _contacted(name, frozen)
    rate = spec.holdout.rate if spec.holdout and not frozen.treated.all() else None
    arms = Arms(frozen.ordinals, frozen.treated, frozen.strata, rate)
    goal = frozen.metrics[spec.goal]
    y = measuring.observed(bank, goal, frozen.ordinals, window)
    found = _why_not(frozen) or measuring.effect(bank, goal, y, arms, frozen_on=frozen.as_of)
    cost = _cost(name, frozen, goal, y)
    is_lift = isinstance(found, Lift)
    cuped = is_lift and found.n_covariates > 0
    return CampaignReview(
        campaign=name,
        title_zh=spec.title.zh,
        title_en=spec.title.to("en"),
        as_of=day,
        frozen_on=frozen.as_of,
        window_from=window.start_on,
        window_until=window.end_on,
        n_treated=int(frozen.treated.sum()),
        n_control=int((~frozen.treated).sum()),
        n_contacted=int(contacted.sum()),
        goal=measuring.result_of(
            goal, found, role="goal", cost_cny=cost.total_cny, n_contacted=int((contacted & frozen.treated).sum())
        ),
        guardrails=tuple(_guardrail(frozen.metrics[m], arms, window, frozen) for m in spec.guardrails),
        cost=cost,
        by_channel=measuring.parts_by(frozen.channels, y, frozen.treated, contacted),
        by_branch=measuring.parts_by(measuring.branches_of(bank, frozen.ordinals), y, frozen.treated, contacted),
        split_p_value=found.split.p_value if is_lift and found.split else None,
        split_is_broken=is_lift and found.is_broken,
        method_zh=METHOD_ZH.format(cuped="，并以冻结前的数据校正（CUPED）" if cuped else ""),
        method_en=METHOD_EN.format(cuped=", and adjusted by figures from before the freeze (CUPED)" if cuped else ""),
    )


def _why_not(frozen: FrozenAudience) -> NotMeasurable | None:
    if frozen.spec.evaluation == "reach_all" and frozen.spec.purpose == "marketing":
        return NotMeasurable("Everybody was contacted by choice.", hint="Hold out a control group.", reason="reach_all")
    if not len(frozen.ordinals) or frozen.treated.all():
        return NotMeasurable("There is no control group.", hint="Hold out a control group.", reason="no_control")
    return None


def _guardrail(metric: MetricSpec, arms: Arms, window: Window, frozen: FrozenAudience) -> MetricResult:
    y = measuring.observed(engine(), metric, arms.ordinals, window)
    found = _why_not(frozen) or measuring.effect(engine(), metric, y, arms, frozen_on=frozen.as_of)
    return measuring.result_of(metric, found, role="guardrail")


def _contacted(name: str, frozen: FrozenAudience) -> np.ndarray:
    """Who got at least one touch, or is presumed to have."""
    reached = set(handed_over(name).values_list("touch__customer_id", flat=True))
    if not reached:
        return np.zeros(len(frozen.ordinals), dtype=bool)
    return np.array([customer_id in reached for customer_id in customer_ids(frozen.ordinals)])


def _cost(name: str, frozen: FrozenAudience, goal: MetricSpec, y: np.ndarray | NotMeasurable) -> Cost:
    """Touches at their unit cost, and the benefit for each treated customer who converted."""
    costs = list(handed_over(name).values_list("touch__cost_cny", flat=True))
    deals, _ = deals_of(name)
    if goal.measure == "rate" and not isinstance(y, NotMeasurable):
        conversions = int(np.nansum(y[frozen.treated]))
    else:
        conversions = deals
    offer = catalog.pinned("offer", frozen.spec.offer, frozen.pins["definitions"]["offer"][frozen.spec.offer])
    unit = getattr(offer, "unit_cost_cny", Decimal(0))
    return Cost(len(costs), sum(costs, Decimal(0)), conversions, unit * conversions)


# -- experiments --------------------------------------------------------------------------------------------------------


def review_experiment(
    actor: Actor,
    experiment: str,
    metrics: Sequence[MetricSpec | str],
    *,
    control: str,
    days: int,
    start_on: date | None = None,
    shares: Mapping[str, float] | None = None,
) -> Review:
    """Compare each arm of an experiment that another system drew with its control arm, on several metrics.

    The window begins the day after the assignment unless ``start_on`` says otherwise. ``shares`` are the planned shares of
    the arms, where they are known, to check the split.

    Raises:
        NotMeasurable: the arms were not loaded.
        InvalidSpec: there is no such control arm; or customers were assigned on several days.
    """
    actor.must("review.run")
    bank = engine()
    ordinals, arms, assigned_on = measuring.assigned(bank, experiment)
    sizes = {str(arm): int((arms == arm).sum()) for arm in np.unique(arms)}
    if control not in sizes:
        raise InvalidSpec(f"There is no arm {control!r}.", hint=f"Arms are {', '.join(sizes)}.", arm=control)
    specs = [_metric(metric) for metric in metrics]
    window = Window(start_on or assigned_on + timedelta(days=1), days, None)
    fingerprints = "-".join(spec.fingerprint() for spec in specs)
    key = f"{experiment}:{control}:{window.start_on}:{days}:{bank.manifest.version}:{fingerprints}"[:120]
    if (before := Review.objects.filter(key=key).first()) is not None:
        return before
    results = [r for spec in specs for r in _compared(spec, ordinals, arms, control, window)]
    split = measuring.split_of(arms, shares) if shares else (None, False)
    result = ExperimentReview(
        experiment, window.end_on, control, window.start_on, window.end_on, sizes, tuple(results), split[0], split[1]
    )
    pins = {"metrics": {s.name: s.fingerprint() for s in specs}, "reviewed_store": bank.manifest.version}
    return _kept(actor, "experiment", experiment, key, window.end_on, actor.branch_path, as_json(result), pins)


def _metric(metric: MetricSpec | str) -> MetricSpec:
    if isinstance(metric, MetricSpec):
        return metric
    version = catalog.newest("metric", metric)
    if version is None:
        raise InvalidSpec(f"There is no metric {metric!r}.", hint="Save it first.", metric=metric)
    spec: MetricSpec = version.spec
    return spec


def _compared(
    spec: MetricSpec, ordinals: np.ndarray, arms: np.ndarray, control: str, window: Window
) -> list[MetricResult]:
    others = [str(arm) for arm in np.unique(arms) if arm != control]
    y = measuring.observed(engine(), spec, ordinals, window)
    if isinstance(y, NotMeasurable):
        return [measuring.result_of(spec, y, role="goal", arm=arm) for arm in others]
    found = lifts(y, arms, control=control, kind=measuring.kind_of(spec))
    return [measuring.result_of(spec, found[arm], role="goal", arm=arm) for arm in others]


def _kept(
    actor: Actor,
    kind: str,
    name: str,
    key: str,
    as_of: date,
    branch_path: str,
    result: dict[str, Any],
    pins: dict[str, Any],
) -> Review:
    fields = {
        "kind": kind, "name": name, "as_of": as_of, "branch_path": branch_path, "result": result, "pins": pins,
        "reviewed_by": actor.username, "reviewed_at": now(),
    }  # fmt: skip
    with transaction.atomic():
        review, is_new = Review.objects.get_or_create(key=key, defaults=fields)
        if is_new:
            record(actor, "review.run", review, name=name, as_of=as_of)
    return review


# -- files --------------------------------------------------------------------------------------------------------------

_HEADERS = {
    "zh": {
        "results": ("指标", "角色", "实验组", "提升", "下限", "上限", "单位", "实验组人数", "对照组人数", "结论"),
        "parts": ("分组", "实验组人数", "对照组人数", "已触达", "实验组均值", "对照组均值"),
        "titles": ("结果", "按渠道（仅描述）", "按网点（仅描述）"),
    },
    "en": {
        "results": ("Metric", "Role", "Arm", "Lift", "Low", "High", "Unit", "Treated", "Control", "Conclusion"),
        "parts": ("Part", "Treated", "Control", "Contacted", "Mean treated", "Mean control"),
        "titles": ("Results", "By channel (descriptive)", "By branch (descriptive)"),
    },
}


def review_sheets(actor: Actor, params: dict[str, Any]) -> Sequence[Sheet]:
    """Build the sheets of a review: results, and for a campaign its parts."""
    language = "en" if str(params.get("language", "zh")).startswith("en") else "zh"
    words = _HEADERS[language]
    result = result_of(review_for(actor, int(params["review"])))
    rows = [result.goal, *result.guardrails] if isinstance(result, CampaignReview) else list(result.results)
    sheets = [Sheet(words["titles"][0], words["results"], [_row(r, language) for r in rows])]
    if isinstance(result, CampaignReview):
        for title, parts in zip(words["titles"][1:], (result.by_channel, result.by_branch), strict=True):
            lines = [[p.name, p.n_treated, p.n_control, p.n_contacted, p.treated, p.control] for p in parts]
            sheets.append(Sheet(title, words["parts"], lines))
    return sheets


def _row(result: MetricResult, language: str) -> list[Any]:
    found = result.lift
    title = result.title_en if language == "en" else result.title_zh
    scale = {"points": 100.0, "cny": 0.01, "number": 1.0}[result.unit]
    figures = [round(v * scale, 6) for v in (found.point, found.low, found.high)] if found else [None] * 3
    sizes = [found.treated.n, found.control.n] if found else [None, None]
    said = result.conclusion.text.to(language)
    return [title, result.role, result.arm, *figures, result.unit, *sizes, said]
