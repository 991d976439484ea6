"""The next best steps with one customer: ranked, and each passed through the gate (下一步建议)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from kequn.core.gate import ALLOW, HOLD, Candidates, Content, Decisions, Facts, Proposal, cures_of, decide
from kequn.core.gate.facts import COLUMN
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import ContactPolicySpec
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec
from kequn.ops.audiences.queries import OPEN_TALK, facts_about
from kequn.ops.catalog import queries as catalog
from kequn.ops.catalog.contracts import Product
from kequn.ops.workbench.contracts import Advice, Missing, Standing, Step, TagValue
from kequn.ops.workbench.customer import channels_of, for_rm
from kequn.ops.workbench.money import families_held

BY_HAND = ("call", "wecom")
"""How an RM reaches a customer with an offer."""
SOON = timedelta(days=30)
OFFERS_SHOWN = 6
PROPENSITY = {
    "wmp": "model_prop_wmp", "fund": "model_prop_fund", "insurance": "model_prop_ins", "credit_card": "model_prop_cc",
    "consumer_loan": "model_prop_loan", "time": "model_prop_deposit", "cd": "model_prop_deposit",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What the steps are drawn from."""

    ordinal: int
    tags: Mapping[str, TagValue]
    standing: Standing
    missing: Sequence[Missing]
    has_complaint: bool
    document_on: date | None
    today: date
    now: datetime


def advice_of(known: Known) -> Advice:
    """Return contactability by channel and the steps, the most pressing first; nothing without an approved contact policy."""
    rows = catalog.in_use("offer", "talk_track", "contact_policy")
    policies = [r for r in rows if r.kind == "contact_policy"]
    if not policies:
        return Advice((), ())
    policy: ContactPolicySpec = max(policies, key=lambda r: (r.decided_at is not None, r.decided_at, r.pk)).spec
    facts = facts_about(np.array([known.ordinal], dtype=np.uint32), policy=policy, now=known.now)
    channels = channels_of(known.ordinal, facts, policy, now=known.now)
    facts = for_rm(facts)
    if known.standing.has_left:
        return Advice(channels, ())
    served = decide(
        Candidates.each([known.ordinal], BY_HAND, OPEN_TALK), facts, policy, now=known.now, purpose="service"
    )
    offers = {r.name: r.spec for r in rows if r.kind == "offer"}
    talks = {r.spec.product: r.spec for r in rows if r.kind == "talk_track" and r.spec.product}
    steps = [*_duties(known, served), *_offers(known, facts, policy, offers, talks)]
    return Advice(channels, tuple(steps))


# -- what is due to her -------------------------------------------------------------------------------------------------


def _duties(known: Known, served: Decisions) -> list[Step]:
    """What is done for a customer whether or not she buys: a service, not marketing."""
    found = [_complaint(), *_retest(known.standing)] if known.has_complaint else _retest(known.standing)
    found += _maturity(known)
    if known.document_on and known.document_on <= known.today + SOON:
        found.append(
            Step(
                "document",
                _words("提醒更新证件", "Remind of the document"),
                _words(
                    f"证件 {known.document_on} 到期，过期后账户会受限。",
                    f"The document expires on {known.document_on}.",
                ),
                _words(
                    "您在我行登记的证件快到期了，方便时请更新，以免影响用卡。",
                    "The document you registered is about to expire; please renew it when convenient.",
                ),
            )
        )
    return [_gated(step, served, range(len(served))) for step in found]


def _complaint() -> Step:
    return Step(
        "complaint",
        _words("先把投诉办结", "Settle the complaint first"),
        _words("有未办结的投诉，营销全部停止。", "A complaint is open; all marketing rests."),
        _words(
            "您反映的事情我来跟进，有结果第一时间告诉您。",
            "I am following up what you raised and will tell you as soon as there is news.",
        ),
    )


def _retest(standing: Standing) -> list[Step]:
    on = standing.risk_expires_on
    grounds = {
        "missing": ("没有有效的风险测评，投资类产品都不能推荐。", "No valid risk test: no investment may be offered."),
        "expired": (
            f"风险测评已于 {on} 到期，投资类产品都不能推荐。",
            f"The risk test expired on {on}: no investment may be offered.",
        ),
        "soon": (f"风险测评将于 {on} 到期。", f"The risk test expires on {on}."),
    }
    if standing.risk_state == "valid":
        return []
    say = _words(
        "您的风险测评需要更新，约五分钟，手机银行或网点都可以办。",
        "Your risk questionnaire is due; it takes five minutes in mobile banking or at the branch.",
    )
    ground = _words(*grounds[standing.risk_state])
    return [Step("retest", _words("约客户重做风险测评", "Book a risk test"), ground, say)]


def _maturity(known: Known) -> list[Step]:
    matures, amount = known.tags.get("asset_maturity_next"), known.tags.get("asset_maturity_30d")
    if not matures or not known.today <= matures.value <= known.today + SOON:
        return []
    zh, en = (f"，30 天内共 {amount.shown_zh}", f", {amount.shown_en} within 30 days") if amount else ("", "")
    day = matures.value
    return [
        Step(
            "maturity",
            _words("谈到期资金的去处", "Talk about what matures"),
            _words(f"{day} 有产品到期{zh}。", f"Something matures on {day}{en}."),
            _words(
                f"您有一笔产品将于 {day.month} 月 {day.day} 日到期，想听听您的打算。",
                f"One of your products comes due on {day:%d %B}; may I hear what you plan?",
            ),
        )
    ]


def _words(zh: str, en: str) -> Text:
    return Text(zh=zh, en=en)


# -- what may be offered ------------------------------------------------------------------------------------------------


def _offers(
    known: Known,
    facts: Facts,
    policy: ContactPolicySpec,
    offers: Mapping[str, OfferSpec],
    talks: Mapping[str, TalkTrackSpec],
) -> list[Step]:
    held, products = families_held(known.ordinal), catalog.products()
    names = sorted(offers)
    if not names:
        return []
    proposals = tuple(proposal_of(offers[name], products.get(offers[name].product)) for name in names)
    channels = np.array([COLUMN[channel] for channel in BY_HAND], dtype=np.int8)
    candidates = Candidates(
        np.full(len(names) * len(BY_HAND), known.ordinal, dtype=np.uint32),
        np.tile(channels, len(names)),
        np.repeat(np.arange(len(names), dtype=np.int16), len(BY_HAND)),
        proposals,
    )
    decisions = decide(candidates, facts, policy, now=known.now, purpose="marketing")
    rates = {m.family: m for m in known.missing}
    scored = []
    for i, name in enumerate(names):
        family = proposals[i].family
        ground, score = _ground(known, family, held, rates)
        talk = talks.get(name)
        step = Step(
            "offer",
            offers[name].title,
            ground,
            talk.value if talk and is_valid(talk, known.today) else None,
            offer=name,
        )
        gated = _gated(step, decisions, range(i * len(BY_HAND), (i + 1) * len(BY_HAND)))
        scored.append((gated.is_blocked, -score, name, gated))
    return [step for *_order, step in sorted(scored, key=lambda s: s[:3])][:OFFERS_SHOWN]


def proposal_of(offer: OfferSpec, product: Product | None) -> Proposal:
    """Return what the gate must know of an offer that an RM makes in a talk."""
    content = {channel: Content(approved=True, has_opt_out=True) for channel in BY_HAND}
    return Proposal(
        product_known=product is not None,
        family=product.family if product else "",
        risk_level=product.risk_level if product else None,
        has_benefit=offer.benefit is not None,
        valid_until=offer.valid_until,
        content=content,
    )


def is_valid(talk: TalkTrackSpec, today: date) -> bool:
    """Whether a talk track may still be used."""
    return talk.valid_until is None or talk.valid_until >= today


def _ground(known: Known, family: str, held: frozenset[str], rates: Mapping[str, Missing]) -> tuple[Text, float]:
    """Why this offer: what her tier holds, and what a model expects where one was published."""
    tag = known.tags.get(PROPENSITY.get(family, ""))
    chance = float(tag.value) if tag else 0.0
    rate = rates[family].rate if family in rates else 0.0
    parts = []
    if family in rates:
        parts.append(
            (
                f"同层级客户 {rate:.0%} 持有这一类，该客户尚未持有",
                f"{rate:.0%} of her tier hold this kind, she does not",
            )
        )
    elif family in held:
        parts.append(("客户已持有这一类", "She holds this kind already"))
    else:
        parts.append(("客户没有这一类", "She has none of this kind"))
    if tag:
        parts.append(
            (f"模型估计 30 天内购买的概率 {chance:.0%}", f"a model expects a purchase within 30 days with {chance:.0%}")
        )
    words = Text(zh="；".join(zh for zh, _ in parts) + "。", en="; ".join(en for _, en in parts) + ".")
    return words, chance + rate - (1.0 if family in held else 0.0)


def _gated(step: Step, decisions: Decisions, rows: range) -> Step:
    """Return the step with the channels that are open, else with every reason of the channel that is nearest to open."""
    of_channel = dict(zip(rows, BY_HAND, strict=True))
    open_ = tuple(channel for row, channel in of_channel.items() if decisions.verdict[row] == ALLOW)
    if open_:
        return _with(step, channels=open_)
    nearest = min(rows, key=lambda row: (decisions.verdict[row], len(decisions.codes(row))))
    codes = decisions.codes(nearest)
    until = decisions.held_until(nearest) if decisions.verdict[nearest] == HOLD else None
    return _with(step, codes=codes, cures=cures_of(codes), hold_until=until)


def _with(step: Step, **changes: Any) -> Step:
    return Step(**{name: getattr(step, name) for name in Step.__dataclass_fields__} | changes)
