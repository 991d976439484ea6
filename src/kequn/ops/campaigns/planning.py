"""The plan of an audience: who is a member, whom the gate lets through, on which channel, and what that shows and costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import reduce
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from kequn.core.errors import KequnError, NotMeasurable
from kequn.core.gate import (
    BY_CODE,
    CHANNELS,
    Candidates,
    Decisions,
    Facts,
    contactable,
    decide,
    proposal_from,
    unknown_facts,
)
from kequn.core.measure import Baseline, Detectable, baseline, detectable
from kequn.core.segments import sensitive_tags
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import CampaignSpec
from kequn.ops.audiences.queries import Ordinals, facts_about, members_of
from kequn.ops.campaigns.contracts import Design, Finding
from kequn.ops.campaigns.definitions import Definitions, content_by_channel
from kequn.ops.catalog import queries as catalog
from kequn.ops.catalog.contracts import Product
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

MORNING = time(10)
"""The hour for which a start in the future is planned: no quiet hours anywhere."""
MOSTLY_UNKNOWN = 0.2
FACTS = {
    "consent": Text(zh="营销同意的记录", en="a word on consent"), "reachable": Text(zh="能否送达的记录", en="whether they can be reached"),
    "risk_level": Text(zh="风险测评", en="a risk test"), "born": Text(zh="出生日期", en="a date of birth"),
    "status": Text(zh="客户状态", en="a status"), "deceased": Text(zh="是否身故的记录", en="whether they live"),
    "suppressed": Text(zh="免打扰记录", en="do-not-contact records"), "staff": Text(zh="是否本行员工的记录", en="whether they are staff"),
    "vulnerable": Text(zh="特殊群体标识", en="a mark of vulnerability"), "overdue": Text(zh="逾期记录", en="records of arrears"),
    "personalisation_off": Text(zh="个性化推荐设置", en="their setting on personal offers"),
    "open_complaint": Text(zh="投诉记录", en="records of complaints"), "touches": Text(zh="触达记录", en="records of contacts"),
}  # fmt: skip
"""What the gate has to know of a customer, in words."""
CHANNEL_WORDS = {
    "sms": Text(zh="短信", en="SMS"), "email": Text(zh="邮件", en="mail"), "call": Text(zh="电话", en="call"),
    "wecom": Text(zh="企业微信", en="WeCom"), "app_push": Text(zh="手机银行推送", en="app push"),
    "rm_task": Text(zh="客户经理任务", en="RM task"), "file_drop": Text(zh="文件下发", en="file"),
}  # fmt: skip
FEW = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """Members, in order of ordinals, and what the gate says of each on each channel of the campaign."""

    as_of: date
    segment_size: int
    members: Ordinals
    channels: tuple[str, ...]
    """In the order of preference, each once."""
    decisions: Decisions
    """Channel by channel, the members in order within each."""
    facts: Facts

    @property
    def choice(self) -> np.ndarray:
        """Position in ``channels`` of the first that lets each member through; -1: none."""
        passes = self.decisions.passes.reshape(len(self.channels), len(self.members))
        return np.where(passes.any(axis=0), passes.argmax(axis=0), -1)

    def reasons(self, member: int) -> tuple[tuple[str, str], ...]:
        """Return (channel, code) of every rule that says no to one member."""
        size = len(self.members)
        return tuple(
            (channel, code)
            for position, channel in enumerate(self.channels)
            for code in self.decisions.codes(position * size + member)
        )


def make_plan(
    actor: Actor, spec: CampaignSpec, found: Definitions, *, as_of: date, now: datetime, as_if_approved: bool
) -> Plan:
    """Return the plan on a business date; the gate decides for the hour of the planned start.

    ``found`` must have a segment, an offer and a policy.
    """
    assert found.segment is not None
    assert found.offer is not None
    assert found.policy is not None
    bank = engine()
    everybody = members_of(actor, found.segment, as_of=as_of)
    left_out = [members_of(actor, segment, as_of=as_of) for segment in found.exclude.values()]
    members = np.setdiff1d(everybody, reduce(np.union1d, left_out)) if left_out else everybody
    channels = tuple(dict.fromkeys(play.channel for play in spec.plays))
    content = content_by_channel(found, spec, as_if_approved=as_if_approved)
    candidates = Candidates.each(members, channels, proposal_from(bank, found.offer, content))
    moment = planned_moment(spec, now=now, zone=found.policy.zone)
    facts = facts_about(members, policy=found.policy, now=moment)
    decisions = decide(candidates, facts, found.policy, now=moment, purpose=spec.purpose)
    return Plan(as_of, len(everybody), members, channels, decisions, facts)


def planned_moment(spec: CampaignSpec, *, now: datetime, zone: str) -> datetime:
    """Return when the first touch is meant to go: on the morning of the first day, or now where that is past."""
    return max(now, datetime.combine(spec.start_on, MORNING, ZoneInfo(zone)))


def has_control(spec: CampaignSpec) -> bool:
    """Whether a control group is held out: for marketing that is to be evaluated; notices and services reach everybody."""
    return spec.purpose == "marketing" and spec.evaluation == "holdout" and spec.holdout is not None


def design_of(spec: CampaignSpec, found: Definitions, plan: Plan, *, today: date) -> Design:
    """Return the design: sizes, contactable rate, what the campaign can show, cost and everything found."""
    choice = plan.choice
    passed = int((choice >= 0).sum())
    n_control = round(passed * spec.holdout.rate) if has_control(spec) and spec.holdout else 0
    by_channel = {channel: int((choice == i).sum()) for i, channel in enumerate(plan.channels)}
    past = _past(found, plan, days=spec.window_days)
    findings = [*found.findings]
    shown = _detectable(spec, found, passed - n_control, n_control, past, findings)
    cost = _cost(spec, found, by_channel, treated_share=1 - n_control / passed if passed else 1.0, past=past)
    unknown = unknown_facts(plan.facts)
    _look_over(spec, found, plan, findings, passed=passed, cost=cost, unknown=unknown, today=today)
    product = catalog.products().get(found.offer.product) if found.offer else None
    if product is not None:
        findings += _quota(product, found, n_treated=passed - n_control, past=past)
    return Design(
        as_of=plan.as_of,
        segment_size=plan.segment_size,
        excluded=plan.segment_size - len(plan.members),
        members=len(plan.members),
        contactable=contactable(plan.decisions),
        by_channel=by_channel,
        n_treated=passed - n_control,
        n_control=n_control,
        detectable=shown,
        expected_cost_cny=cost,
        budget_cny=spec.budget_cny,
        unknown_facts=unknown,
        findings=tuple(findings),
        quota_cny=product.quota_cny if product else None,
    )


def _past(found: Definitions, plan: Plan, *, days: int) -> Baseline | None:
    """The goal of these very customers over the period before, where there are data for it."""
    if found.goal is None or not len(plan.members):
        return None
    try:
        return baseline(engine(), found.goal, plan.members, as_of=plan.as_of, days=days)
    except KequnError:
        return None


def _detectable(
    spec: CampaignSpec,
    found: Definitions,
    n_treated: int,
    n_control: int,
    past: Baseline | None,
    findings: list[Finding],
) -> Detectable | None:
    if not has_control(spec):
        zh, en = (
            "没有对照组，效果将报告为不可衡量",
            "There is no control group: the effect will be reported as not measurable",
        )
        findings.append(Finding("no_control", "caution", zh, en))
        return None
    is_rate = found.goal is not None and found.goal.measure == "rate"
    try:
        return detectable(
            n_treated,
            n_control,
            baseline=past.mean if past else None,
            sd=None if is_rate or past is None else past.sd,
            source=f"{past.from_on} – {past.until_on}" if past else "",
        )
    except NotMeasurable as error:
        zh = {
            "no_baseline": "没有历史数据，无法估计最小可检测提升",
            "control_too_small": "对照组人数过少，效果无法衡量",
            "treated_too_small": "实验组人数过少，效果无法衡量",
        }.get(str(error.facts.get("reason")), "效果无法衡量")
        findings.append(Finding(str(error.facts.get("reason", "not_measurable")), "caution", zh, error.message))
        return None


def _cost(
    spec: CampaignSpec, found: Definitions, by_channel: dict[str, int], *, treated_share: float, past: Baseline | None
) -> Decimal:
    """Messages and tasks at their unit cost, and the benefit for those who would convert at the past rate."""
    unit = {play.channel: play.unit_cost_cny for play in reversed(spec.plays)}
    touches = {channel: round(n * treated_share) for channel, n in by_channel.items()}
    cost = sum((unit[channel] * n for channel, n in touches.items()), Decimal(0))
    if found.offer and found.offer.unit_cost_cny and past is not None and found.goal and found.goal.measure == "rate":
        cost += found.offer.unit_cost_cny * round(sum(touches.values()) * past.mean)
    return cost.quantize(Decimal("0.01"))


def _look_over(
    spec: CampaignSpec,
    found: Definitions,
    plan: Plan,
    findings: list[Finding],
    *,
    passed: int,
    cost: Decimal,
    unknown: dict[str, float],
    today: date,
) -> None:
    def add(code: str, grade: str, zh: str, en: str) -> None:
        findings.append(Finding(code, "block" if grade == "block" else "caution", zh, en))

    if spec.end_on < today:
        add("is_over", "block", f"活动已于 {spec.end_on} 结束", f"The campaign ended on {spec.end_on}")
    if not len(plan.members):
        add("no_members", "block", "名单为空", "The audience is empty")
    elif not passed:
        add("nobody_contactable", "block", "没有可触达的客户", "Nobody can be contacted")
    if cost > spec.budget_cny:
        add("over_budget", "block", f"预计成本 {cost} 元，超过预算 {spec.budget_cny} 元",
            f"The expected cost of {cost} CNY is over the budget of {spec.budget_cny} CNY")  # fmt: skip
    if spec.evaluation == "reach_all" and spec.purpose == "marketing":
        add("reach_all", "caution", "全部触达、不留对照：效果不可衡量，须在审批中说明理由",
            "Everybody is contacted: the effect is not measurable, and the approval should say why")  # fmt: skip
    if spec.purpose != "marketing":
        add("not_marketing", "caution", "按服务通知发送：不查营销同意和频次、不留对照，请确认内容不含营销",
            "Sent as a service: consent to marketing and caps do not apply; make sure that the text sells nothing")  # fmt: skip
    if found.segment is not None and (
        named := sensitive_tags(found.segment, tags=catalogue(), segments=found.segments)
    ):
        add("sensitive_tags", "caution", f"使用了敏感标签，需单独同意：{'、'.join(named)}",
            f"Sensitive tags need a consent of their own: {', '.join(named)}")  # fmt: skip
    channels = {play.channel for play in spec.plays}
    for fact, share in unknown.items():
        what, _, channel = fact.partition(".")
        if share >= MOSTLY_UNKNOWN and (not channel or channel in channels):
            words = FACTS.get(what, Text(zh=what, en=what))
            on = CHANNEL_WORDS.get(channel)
            add("unknown_facts", "caution", f"{share:.0%} 的客户缺少{on.zh if on else ''}{words.zh}",
                f"{share:.0%} of the customers lack {words.to('en')}{f' ({on.en})' if on else ''}")  # fmt: skip


def _quota(product: Product, found: Definitions, *, n_treated: int, past: Baseline | None) -> list[Finding]:
    """Say whether enough is left of the product for those who would buy at the past rate, each the least there is."""
    if product.quota_cny is None:
        return []
    if product.quota_cny <= 0:
        zh, en = f"产品 {product.name} 已无剩余额度", f"Nothing is left of {product.name_en or product.name}"
        return [Finding("sold_out", "block", zh, en)]
    is_rate = found.goal is not None and found.goal.measure == "rate"
    if past is None or not is_rate or not product.minimum_cny:
        return []
    buyers = round(n_treated * past.mean)
    if buyers * product.minimum_cny <= product.quota_cny:
        return []
    enough = int(product.quota_cny // product.minimum_cny)
    return [
        Finding(
            "quota_short", "caution",
            f"剩余额度 {product.quota_cny:,.0f} 元只够 {enough} 人按起点金额购买，按以往水平约有 {buyers} 人会买",
            f"The {product.quota_cny:,.0f} CNY left are enough for {enough} customers at the minimum; at the past rate {buyers} buy",
        )
    ]  # fmt: skip


def summary_of(decisions: Decisions) -> dict[str, dict[str, int]]:
    """Return {channel: {reason: customers}}, most frequent first; a customer counts under every reason.

    A reason that must not be guessed is left out where it concerns few.
    """
    summary: dict[str, dict[str, int]] = {}
    for position in np.unique(decisions.candidates.channels):
        rows = np.flatnonzero(decisions.candidates.channels == position)
        _, first, n = np.unique(decisions.failing[rows], return_index=True, return_counts=True)
        found: Counter[str] = Counter()
        for row, times in zip(rows[first], n, strict=True):
            found.update({code: int(times) for code in decisions.codes(int(row))})
        told = {code: k for code, k in found.most_common() if not BY_CODE[code].opaque or k >= FEW}
        summary[CHANNELS[position]] = told
    return summary


def reasons_of(plan: Plan) -> pa.Array:
    """Return, for each member, the list of ``channel:CODE`` of every rule that says no."""
    if not len(plan.members):
        return pa.array([], pa.list_(pa.string()))
    masks = plan.decisions.failing.reshape(len(plan.channels), len(plan.members))
    _, first, inverse = np.unique(masks, axis=1, return_index=True, return_inverse=True)
    texts = [[f"{channel}:{code}" for channel, code in plan.reasons(int(member))] for member in first]
    return pa.array(texts, pa.list_(pa.string())).take(pa.array(np.ravel(inverse)))
