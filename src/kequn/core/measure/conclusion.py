"""Conclusion: one plain sentence of what may be said, and those that say what may not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from kequn.core.errors import NotMeasurable
from kequn.core.measure.lift import Lift
from kequn.core.spec.base import Text
from kequn.core.spec.metric import MetricSpec

Code = Literal["effective", "harmful", "cannot_tell", "not_measurable", "holds", "got_worse", "guard_open"]
Unit = Literal["points", "cny", "number"]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the review may say (结论): a code for machines, a sentence for people, and the limits of both."""

    code: Code
    text: Text
    caveats: tuple[Text, ...]
    facts: dict[str, Any]


def conclusion(
    found: Lift | NotMeasurable, metric: MetricSpec, *, in_money: bool = True, n_contacted: int | None = None
) -> Conclusion:
    """Return what may be concluded from the effect on the goal.

    ``in_money`` says whether a ``sum`` or ``change`` is in fen; ``n_contacted`` how many of the assigned were reached.
    """
    if isinstance(found, NotMeasurable):
        return _not_measurable(found, metric)
    unit = unit_of(metric, in_money=in_money)
    facts = _facts(found, metric, unit, n_contacted)
    if found.is_broken:
        return Conclusion("not_measurable", _BROKEN, (), facts | {"reason": "split"})
    better = found.low > 0 if metric.higher_is_better else found.high < 0
    worse = found.high < 0 if metric.higher_is_better else found.low > 0
    code: Code = "effective" if better else "harmful" if worse else "cannot_tell"
    return Conclusion(code, _said(code, found, metric, unit), _caveats(found, metric, n_contacted), facts)


def guardrail(
    found: Lift | NotMeasurable, metric: MetricSpec, *, tolerance: float = 0.0, in_money: bool = True
) -> Conclusion:
    """Return whether a metric that must not get worse did (护栏指标).

    It ``holds`` when the interval excludes a loss greater than ``tolerance`` (in the metric's unit), ``got_worse`` when
    it excludes anything better, and is open between: not having seen a harm is not having excluded one.
    """
    if isinstance(found, NotMeasurable):
        return _not_measurable(found, metric)
    unit = unit_of(metric, in_money=in_money)
    loss = (-found.high, -found.low) if metric.higher_is_better else (found.low, found.high)
    facts = _facts(found, metric, unit, None) | {"tolerance": tolerance}
    if loss[0] > tolerance:
        code: Code = "got_worse"
    elif loss[1] <= tolerance:
        code = "holds"
    else:
        code = "guard_open"
    return Conclusion(code, _said(code, found, metric, unit), (), facts)


def unit_of(metric: MetricSpec, *, in_money: bool) -> Unit:
    """Return in which unit a lift of the metric is told."""
    if metric.measure == "rate":
        return "points"
    return "cny" if in_money else "number"


def told(value: float, unit: Unit, language: str, *, signed: bool = True) -> str:
    """Return a figure with its unit.

    >>> told(0.0452, "points", "zh"), told(-12345.6, "cny", "en")
    ('+4.52 个百分点', '−123.46 CNY')
    """
    scaled = {"points": value * 100, "cny": value / 100, "number": value}[unit]
    digits = 2 if abs(scaled) >= 0.1 or not scaled else 3
    sign = "−" if scaled < 0 else "+" if signed and scaled > 0 else ""
    figure = f"{sign}{abs(scaled):,.{digits}f}"
    words = {"points": (" 个百分点", " points"), "cny": (" 元", " CNY"), "number": ("", "")}
    return figure + words[unit][language.startswith("en")]


def _facts(found: Lift, metric: MetricSpec, unit: Unit, n_contacted: int | None) -> dict[str, Any]:
    return {
        "metric": metric.name, "unit": unit, "point": found.point, "low": found.low, "high": found.high,
        "se": found.se, "level": found.interval.level, "p_value": found.p_value,
        "n_treated": found.treated.n, "n_control": found.control.n, "n_contacted": n_contacted,
        "treated": found.treated.mean, "control": found.control.mean,
        "relative": found.relative and found.relative.point,
    }  # fmt: skip


_SENTENCES: dict[Code, tuple[str, str]] = {
    "effective": (
        "活动有效：「{title}」比空白对照组{direction} {point}，95% 的把握在 {low} 到 {high} 之间。",
        "The campaign worked: {title} is {point} against the control group, with 95% confidence between {low} "
        "and {high}.",
    ),
    "harmful": (
        "活动起了反作用：「{title}」比空白对照组{direction} {point}，95% 的把握在 {low} 到 {high} 之间。",
        "The campaign did harm: {title} is {point} against the control group, with 95% confidence between {low} "
        "and {high}.",
    ),
    "cannot_tell": (
        "还不能下结论：「{title}」与空白对照组相差 {point}，真实影响可能在 {low} 到 {high} 之间，其中包括没有影响。",
        "It cannot be told yet: {title} differs by {point} from the control group; the true effect may lie anywhere "
        "between {low} and {high}, no effect included.",
    ),
    "holds": (
        "护栏守住：「{title}」与空白对照组相差 {point}，区间 {low} 到 {high}，没有超出容忍的变差。",
        "The guardrail holds: {title} differs by {point} ({low} to {high}), not worse than tolerated.",
    ),
    "got_worse": (
        "护栏被突破：「{title}」变差，相差 {point}，区间 {low} 到 {high}。",
        "The guardrail broke: {title} got worse, by {point} ({low} to {high}).",
    ),
    "guard_open": (
        "护栏未见变差，但也不能排除：「{title}」相差 {point}，区间 {low} 到 {high}。",
        "No harm seen, none excluded: {title} differs by {point} ({low} to {high}).",
    ),
}  # fmt: skip

_BROKEN = Text(
    zh="不可衡量：两组人数之比与计划不符，分组或数据出了问题，差异不能当作活动效果。",
    en="Not measurable: the arms are not of the planned sizes, so the split or the data are broken and the difference "
    "is no effect of the campaign.",
)

_REASONS: dict[str, tuple[str, str]] = {
    "reach_all": ("活动选择了全员触达，没有对照组", "everybody was contacted by choice, so there is no control group"),
    "no_control": ("没有空白对照组", "there is no control group"),
    "control_too_small": ("对照组人数太少", "the control group is too small"),
    "treated_too_small": ("实验组人数太少", "the treated group is too small"),
    "window_open": ("观察期还没有结束，或数据还没有到齐", "the window is not over, or its data have not arrived"),
    "no_data": ("观察期内没有该指标的数据", "there are no data of the metric in the window"),
    "no_baseline": ("没有可用的历史基线", "there is no past figure to plan with"),
}


def _not_measurable(error: NotMeasurable, metric: MetricSpec) -> Conclusion:
    reason = str(error.facts.get("reason", ""))
    zh, en = _REASONS.get(reason, (error.message.rstrip("."), error.message.rstrip(".")))
    text = Text(
        zh=f"「{metric.title.zh}」不可衡量：{zh}。这不等于没有效果，也不等于有效果。",
        en=f"{metric.title.to('en')} is not measurable: {en}. This means neither that it worked nor that it did not.",
    )
    return Conclusion("not_measurable", text, (), {**error.facts, "metric": metric.name, "reason": reason})


def _said(code: Code, found: Lift, metric: MetricSpec, unit: Unit) -> Text:
    zh, en = _SENTENCES[code]
    return Text(zh=_filled(zh, "zh", found, metric, unit), en=_filled(en, "en", found, metric, unit))


def _filled(pattern: str, language: str, found: Lift, metric: MetricSpec, unit: Unit) -> str:
    directed = "{direction}" in pattern  # Chinese says higher or lower by so much; the sign would say it twice
    point = told(abs(found.point) if directed else found.point, unit, language, signed=not directed)
    return pattern.replace("95%", f"{found.interval.level:.0%}").format(
        title=metric.title.to(language),
        direction="高" if found.point > 0 else "低",
        point=point,
        low=told(found.low, unit, language),
        high=told(found.high, unit, language),
    )


def _caveats(found: Lift, metric: MetricSpec, n_contacted: int | None) -> tuple[Text, ...]:
    said = [_BY_ASSIGNMENT, _SPILL_OVER, _ONLY_HERE]
    if n_contacted is not None:
        missed = found.treated.n - n_contacted
        zh = (
            f"实验组 {found.treated.n:,} 人中有 {missed:,} 人没有真正触达，仍计入实验组；"
            "所以这是“安排触达”的效果，不是“触达到”的效果。"
        )
        en = (
            f"Of {found.treated.n:,} assigned to contact {missed:,} were not reached and are counted all the same: "
            "this is the effect of planning to contact, not of contacting."
        )
        said[0] = Text(zh=zh, en=en)
    if found.winsorised is not None:
        said.append(_winsor(found))
    if found.treated.missing or found.control.missing:
        said.append(_missing(found))
    if metric.measure != "rate" and metric.margin_rate > Decimal(0):
        said.append(_YEAR)
    return tuple(said)


_BY_ASSIGNMENT = Text(
    zh="按分组比较：后来被拦截或没有触达到的客户仍计入实验组，不能据此推断“触达到的人”的效果。",
    en="Compared as assigned: customers blocked later, or not reached, stay in their arm; nothing follows for those "
    "reached.",
)
_SPILL_OVER = Text(
    zh="家庭、同事之间可能互相影响；若对照组也受到影响，这里的数字会偏小。",
    en="Households and colleagues may influence one another; if the control group was touched that way, the figure is "
    "too low.",
)
_ONLY_HERE = Text(
    zh="只适用于这批客户、这个时期和这套做法，不能直接推到其他客群。",
    en="It holds for these customers, this period and this way of doing it, not for other segments.",
)
_YEAR = Text(
    zh="毛利按增量资金留存一年计算。",
    en="Gross profit assumes that the incremental money stays for a year.",
)


def _winsor(found: Lift) -> Text:
    n = found.winsorised.n_drawn_in if found.winsorised else 0
    return Text(
        zh=f"{n:,} 位客户的极端数值被收到上下限以内，估计偏保守；未处理的差异另列。",
        en=f"The extreme figures of {n:,} customers were drawn in to the limits, which makes the estimate cautious; "
        "the untreated difference is shown beside it.",
    )


def _missing(found: Lift) -> Text:
    treated, control = found.treated.missing, found.control.missing
    return Text(
        zh=f"实验组 {treated:,} 人、对照组 {control:,} 人没有结果数据，未计入。",
        en=f"{treated:,} of the treated and {control:,} of the control group have no outcome and are left out.",
    )
