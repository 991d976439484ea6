"""One plain sentence a block of a segment's note: what the figures say, and what they do not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from kequn.core.insight.answers import Answers, Rate
from kequn.core.insight.money import CashFlow, Worth
from kequn.core.insight.people import MINIMUM
from kequn.core.insight.products import Holdings
from kequn.core.insight.profile import Difference, Profile, top_differences
from kequn.core.insight.rhythm import Rhythm
from kequn.core.spec.base import Text

FAMILY_WORDS = {
    "demand": Text(zh="活期", en="demand deposits"),
    "time": Text(zh="定期", en="time deposits"),
    "cd": Text(zh="大额存单", en="certificates of deposit"),
    "wmp": Text(zh="理财", en="wealth products"),
    "fund": Text(zh="基金", en="funds"),
    "insurance": Text(zh="保险", en="insurance"),
    "bond": Text(zh="国债", en="treasury bonds"),
    "gold": Text(zh="贵金属", en="gold"),
    "trust": Text(zh="信托私募", en="trusts"),
    "pension": Text(zh="个人养老金", en="personal pension"),
    "mortgage": Text(zh="房贷", en="mortgages"),
    "consumer_loan": Text(zh="消费贷", en="consumer loans"),
    "biz_loan": Text(zh="经营贷", en="business loans"),
    "credit_card": Text(zh="信用卡", en="credit cards"),
    "custody": Text(zh="三方存管", en="broker custody"),
}
CHANNEL_WORDS = {
    "sms": Text(zh="短信", en="SMS"),
    "email": Text(zh="邮件", en="e-mail"),
    "app_push": Text(zh="App 推送", en="app push"),
    "wecom": Text(zh="企微", en="WeCom"),
    "call": Text(zh="电话", en="calls"),
    "rm_task": Text(zh="客户经理", en="relationship managers"),
    "branch": Text(zh="网点", en="branches"),
    "file_drop": Text(zh="名单文件", en="lists"),
}
MOST_NAMED = 3


def about_size(size: int, bank: int, sizes: Sequence[tuple[str, int]]) -> Text:
    """Say how large a segment is, and how it grew since the first date known (ISO date, size), the earliest first."""
    share = f"{100 * size / bank:.1f}%" if bank else "–"
    zh, en = f"共 {size:,} 户，占 {share}", f"{size:,} customers, {share} of all"
    if len(sizes) > 1 and sizes[0][1]:
        (day, before), now = sizes[0], sizes[-1][1]
        change = now - before
        zh += f"；比 {day} {'多' if change >= 0 else '少'} {abs(change):,} 户（{100 * change / before:+.1f}%）"
        en += f"; {abs(change):,} {'more' if change >= 0 else 'fewer'} than on {day} ({100 * change / before:+.1f}%)"
    else:
        zh, en = zh + "；只有一个日期，还看不出走势", en + "; there is one date only, so no trend"
    return _ended(zh, en, few=size < MINIMUM)


def leanings(
    profile: Profile, *, defining: Collection[str] = (), more: int = 7, less: int = 5
) -> tuple[Difference, ...]:
    """Return what a segment has more of than the bank, then what it has less of, each by how clearly it stands out.

    What they are says more than what they are not, and the clearest differences are often all of the second kind.
    """
    found: list[Difference] = []
    for above, most in ((True, more), (False, less)):
        tags = []
        for tag in profile.tags:
            said = tag.cells[:1] if tag.type == "boolean" else tag.cells
            tags.append(replace(tag, cells=tuple(c for c in said if c.tgi is not None and (c.tgi > 100) is above)))
        found += top_differences(tags, defining=defining, most=most)
    return tuple(found)


def about_differences(profile: Profile, differences: Sequence[Difference]) -> Text:
    """Say where the segment differs most from the bank, or that it cannot be told."""
    found = differences[:MOST_NAMED]
    if profile.size < MINIMUM:
        return _ended("人数太少，不能说它与全行有什么不同", "Too few to say how it differs from the bank", few=True)
    if not found:
        return Text(
            zh="除了定义它的条件，看不出与全行有可靠的差异。这不等于没有差异。",
            en="Apart from what defines it nothing differs reliably from the bank. That is not to say that nothing does.",
        )
    zh = "；".join(f"{_named(d).zh} {_share(d.cell.share)}（全行 {_share(d.cell.bank_share)}）" for d in found)
    en = "; ".join(f"{_named(d).to('en')} {_share(d.cell.share)} (bank {_share(d.cell.bank_share)})" for d in found)
    return Text(
        zh=f"{zh}。这是现象，不是原因；定义客群所用的标签不在其中。",
        en=f"{en}. It is what is seen, not why; tags that define the segment are left out.",
    )


def about_holdings(holdings: Holdings) -> Text:
    """Say which families the segment holds less of than customers of its tiers do."""
    if holdings.is_few:
        return _ended("人数太少，持有率只作参考", "Too few for holding rates to be more than a hint", few=True)
    if not holdings.gaps:
        return Text(
            zh="与同层级客户相比，看不出哪类产品明显少持有。这不等于没有机会。",
            en="Against customers of the same tiers no family is clearly held less. That is not to say there is no opportunity.",
        )
    parts = holdings.gaps[:MOST_NAMED]
    zh = "；".join(
        f"{FAMILY_WORDS[h.family].zh}持有 {100 * (h.rate or 0):.1f}%，同层级 {100 * (h.peer_rate or 0):.1f}%，"
        f"约差 {h.customers or 0:,} 户（{h.customers_low or 0:,}–{h.customers_high or 0:,}）"
        for h in parts
    )
    en = "; ".join(
        f"{FAMILY_WORDS[h.family].to('en')} {100 * (h.rate or 0):.1f}% against {100 * (h.peer_rate or 0):.1f}%,"
        f" about {h.customers or 0:,} customers ({h.customers_low or 0:,}–{h.customers_high or 0:,})"
        for h in parts
    )
    return Text(
        zh=f"比同层级客户少持有的：{zh}。缺口是对照，不保证这些客户想要或适合。",
        en=f"Held less than by customers of the same tiers: {en}. A gap compares; it does not say that they want it or may have it.",
    )


def about_cash_flow(flow: CashFlow, amounts: Rhythm | None = None) -> Text:
    """Say on which days money comes in, by number against the bank, and by amount where that is known."""
    if not flow.receipts:
        return Text(
            zh="没有记到外部流入，看不出资金节奏。", en="No money from outside is on record, so no rhythm can be told."
        )
    days, share, bank = flow.top_days()
    zh = (
        f"外部流入最集中在每月 {'、'.join(map(str, days))} 日，占笔数的 {100 * share:.0f}%（全行 {100 * bank:.0f}%）；"
        f"近一年有外部流入的 {flow.payers:,} 户，占 {100 * flow.payers / max(flow.size, 1):.0f}%"
    )
    en = (
        f"Money from outside comes mostly on day {', '.join(map(str, days))} of the month: {100 * share:.0f}% of receipts"
        f" (bank {100 * bank:.0f}%); {flow.payers:,} members had any within the year,"
        f" {100 * flow.payers / max(flow.size, 1):.0f}%"
    )
    zh, en = zh + "。按笔数计，金额可能集中在少数客户", en + ". By number; amounts may sit with a few"
    if amounts is not None and amounts.by_day:
        top = max(amounts.by_day, key=lambda part: part.share)
        span = f"{100 * top.low:.0f}–{100 * top.high:.0f}%"
        zh += f"；按金额最多的是 {top.at} 日，占 {100 * top.share:.0f}%（95% 区间 {span}）"
        en += f"; by amount day {top.at} leads with {100 * top.share:.0f}% (95% interval {span})"
    return _ended(zh, en, few=flow.is_few)


def about_channels(answers: Answers) -> Text:
    """Say which channel is answered most, and whether it is clearly so."""
    known = [r for r in answers.channels if r.smoothed is not None and not r.is_few]
    if not known:
        return Text(
            zh=f"没有一个渠道送达满 {MINIMUM} 次，说不出偏好。",
            en=f"On no channel were {MINIMUM} contacts delivered: no preference can be told.",
        )
    best = max(known, key=lambda r: r.smoothed or 0)
    word, rate = CHANNEL_WORDS.get(best.key, Text(zh=best.key)), _rate(best)
    others = [r for r in known if r is not best]
    clear = bool(others) and all((best.low or 0) > (r.high or 1) for r in others)
    zh = f"响应率最高的是{word.zh}：{rate}"
    en = f"{word.to('en')[:1].upper()}{word.to('en')[1:]} are answered most: {rate}"
    zh += "，与其他渠道区间不重叠" if clear else "，但与其他渠道的区间有重叠，先后未定"
    en += ", clear of all others" if clear else ", but its interval overlaps others, so the order is open"
    return Text(
        zh=f"{zh}。谁在哪个渠道被联系不是随机的，不能当作换渠道的效果。",
        en=f"{en}. Who was contacted where was not drawn by lot: it is not the effect of changing the channel.",
    )


def about_worth(worth: Worth) -> Text:
    """Say what the segment is worth per head and whether that changed."""
    if worth.now is None or worth.size < 5:
        return _ended("人数太少，不给户均", "Too few for a figure per head", few=True)
    zh, en = f"户均 AUM {_yuan(worth.now.point, 'zh')}", f"Assets per head {_yuan(worth.now.point, 'en')}"
    zh += f"（95% 区间 {_yuan(worth.now.low, 'zh')}–{_yuan(worth.now.high, 'zh')}）"
    en += f" (95% interval {_yuan(worth.now.low, 'en')}–{_yuan(worth.now.high, 'en')})"
    if worth.change is not None:
        change = worth.change
        sure = change.low > 0 or change.high < 0
        zh += f"；{worth.first} 以来户均变动 {_yuan(change.point, 'zh')}，" + (
            "变动可靠" if sure else "区间含 0，不能说变了"
        )
        en += f"; changed by {_yuan(change.point, 'en')} since {worth.first}, " + (
            "reliably" if sure else "but the interval holds 0: no change can be claimed"
        )
    return _ended(
        zh + "。由现在的成员回看，不是当时的客群",
        en + ". Looked back from today's members, not the segment of then",
        few=worth.is_few,
    )


def about_answers(answers: Answers) -> Text:
    """Say how often the segment answered marketing before, against the bank."""
    if not answers.n or 0 < answers.n < 5:
        return Text(
            zh="近一年没有（或极少）送达的营销触达，没有可看的历史。",
            en="Hardly any marketing was delivered within the year: there is no history.",
        )
    rate, bank = answers.k / answers.n, answers.bank_k / max(answers.bank_n, 1)
    zh = (
        f"近一年送达 {answers.n:,} 次，响应 {100 * rate:.1f}%（全行 {100 * bank:.1f}%）；{answers.never:,} 户从未被触达"
    )
    en = (
        f"{answers.n:,} contacts delivered within the year, {100 * rate:.1f}% answered (bank {100 * bank:.1f}%);"
        f" {answers.never:,} members were never addressed"
    )
    return _ended(
        zh + "。响应不是效果：没有触达也会买的人在里面；效果看有对照组的后评估",
        en
        + ". A response is no effect: it holds those who would have bought anyway; for effects see reviews with a control group",
        few=answers.n < MINIMUM,
    )


def _ended(zh: str, en: str, *, few: bool) -> Text:
    more_zh, more_en = ("。不足 30 户（次），只作参考。", ". Fewer than 30: a hint only.") if few else ("。", ".")
    return Text(zh=zh + more_zh, en=en + more_en)


def _named(difference: Difference) -> Text:
    cell = difference.cell
    return Text(zh=f"“{difference.zh}：{cell.zh or cell.value}”", en=f"“{difference.en}: {cell.en or cell.value}”")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def _rate(rate: Rate) -> str:
    return (
        f"{100 * (rate.smoothed or 0):.1f}% ({100 * (rate.low or 0):.1f}–{100 * (rate.high or 0):.1f}%, n={rate.n:,})"
    )


def _yuan(fen: float, language: str) -> str:
    yuan = fen / 100
    if language == "en":
        size, word = (1e6, "m CNY") if abs(yuan) >= 1e6 else (1e3, "k CNY") if abs(yuan) >= 1e4 else (1, " CNY")
        return f"{yuan / size:,.{0 if size == 1 else 1}f}{word}"
    size, word = (1e8, " 亿元") if abs(yuan) >= 1e8 else (1e4, " 万元") if abs(yuan) >= 1e4 else (1, " 元")
    return f"{yuan / size:,.{0 if size == 1 else 1}f}{word}"
