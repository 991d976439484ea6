"""The words of a task: why now, for staff, with its numbers; and, apart from them, what may be said to the customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kequn.core.spec.base import Text


@dataclass(frozen=True, slots=True)
class Words:
    """Title, internal ground and what may be said, each in both languages (任务文字)."""

    title: Text
    why: Text
    said: Text


def _words(title: tuple[str, str], why: tuple[str, str], said: tuple[str, str]) -> tuple[Text, Text, Text]:
    first, second, third = (Text(zh=zh, en=en) for zh, en in (title, why, said))
    return first, second, third


WORDS: dict[str, tuple[Text, Text, Text]] = {
    "matured": _words(
        ("到期资金待承接", "Matured money to keep"),
        ("{n} 笔产品于 {on} 到期，共 {value_zh}，最大一笔为{product_zh}；至 {as_of} 未见续作。",
         "{n} position{s} matured on {on}, {value_en} in all, the largest {product_en}; not placed again by {as_of}."),
        ("您有产品已经到期，资金已回到活期账户。想和您看看接下来怎么安排更合适。",
         "A product of yours has matured and the money is back on your current account. Shall we look at what suits you next?"),
    ),
    "maturing": _words(
        ("产品即将到期", "A product comes due"),
        ("{n} 笔产品将于 {on} 到期，共 {value_zh}，最大一笔为{product_zh}。",
         "{n} position{s} due on {on}, {value_en} in all, the largest {product_en}."),
        ("您有产品快要到期了，提前跟您说一声，到期后资金会回到活期账户。",
         "A product of yours comes due soon; on that day the money returns to your current account."),
    ),
    "large_in": _words(
        ("大额资金流入", "Large inflow"),
        ("{on} 流入 {value_zh}（{n} 笔）{habit_zh}。", "{value_en} came in on {on} ({n} payment{s}){habit_en}."),
        ("想了解一下您近期的资金安排，看看有没有我能帮上的。", "May I ask about your plans for the time being, and whether I can help?"),
    ),
    "large_out": _words(
        ("大额资金流出", "Large outflow"),
        ("{on} 流出 {value_zh}（{n} 笔）{habit_zh}。先问后推。",
         "{value_en} went out on {on} ({n} payment{s}){habit_en}. Ask first."),
        ("想问问您最近用得是否顺手，有没有我们没有做好的地方。", "How have you found our service? Is there anything to do better?"),
    ),
    "risk_expiry": _words(
        ("风险测评到期", "Risk test expires"),
        ("风险测评 {on} 到期；持有投资类产品 {value_zh}（{n} 笔）。", "The risk test ends on {on}; {value_en} in {n} investment{s}."),
        ("您的风险测评到了有效期，续测几分钟就能完成，之后办理业务不受影响。",
         "Your risk questionnaire reaches its end; renewing takes a few minutes, and nothing is held up afterwards."),
    ),
    "retest": _words(
        ("预约重做风险测评", "Book a new risk test"),
        ("推荐方案因风险测评无效暂不能推介；先请客户重测，再谈产品。",
         "What is offered may not be promoted while the risk test is not valid: have it renewed first, then talk of products."),
        ("您的风险测评需要更新，几分钟就能完成，我可以帮您预约时间。",
         "Your risk questionnaire needs renewing; it takes a few minutes, and I can book a time for you."),
    ),
    "birthday": _words(
        ("客户生日", "Birthday"),
        ("{on} 是客户的生日；在我行资产 {value_zh}。只问候，不推销。",
         "The customer's birthday is {on}; {value_en} with the bank. Greet, do not sell."),
        ("祝您生日快乐，平安顺遂。", "Many happy returns of the day."),
    ),
    "churn": _words(
        ("流失预警", "Churn warning"),
        ("{as_of} 的标签提示客户正在离开；在我行资产 {value_zh}。先问原因，再谈产品。",
         "By the tags of {as_of} the customer is about to leave; {value_en} with the bank. Ask why before offering."),
        ("好久没和您联系了，想听听您对我们服务的看法。", "It has been a while; I would like to hear what you think of our service."),
    ),
    "appointment": _words(
        ("客户预约", "Appointment"),
        ("客户预约于 {on} 办理{about_zh}{amount_zh}。", "The customer has an appointment at {on}{about_en}{amount_en}."),
        ("和您约好今天联系，现在方便吗？", "We agreed to speak today; is this a good time?"),
    ),
    "promise": _words(
        ("承诺的跟进", "A promised call"),
        ("上次联系时约定 {on} 再联系{topic_zh}{amount_zh}。",
         "At the last contact a call at {on} was promised{about_en}{amount_en}."),
        ("上次和您说好今天再联系，现在方便吗？", "I promised to call you today; is this a good time?"),
    ),
}  # fmt: skip


def words_for(
    kind: str,
    *,
    on: date,
    as_of: date,
    value: int = 0,
    n: int = 1,
    habit: int = 0,
    product: Text | None = None,
) -> Words:
    """Return the words of one occasion; ``value`` and ``habit`` are fen, ``on`` has its time where that was agreed.

    Never an age, a tag's name or a score for the customer.
    """
    title, why, said = WORDS[kind]
    times = value / habit if habit else 0
    facts = {
        "on": f"{on:%Y-%m-%d %H:%M}" if isinstance(on, datetime) else on.isoformat(), "as_of": as_of.isoformat(),
        "n": n, "s": "" if n == 1 else "s",
        "value_zh": money(value, "zh"), "value_en": money(value, "en"),
        "product_zh": product.zh if product else "其他产品", "product_en": product.to("en") if product else "another product",
        "about_zh": product.zh if product else "业务", "about_en": f" about {product.to('en')}" if product else "",
        "topic_zh": f"，谈{product.zh}" if product else "",
        "habit_zh": f"，是其日常水平的 {times:.1f} 倍" if habit else "，此前没有同类往来",
        "habit_en": f", {times:.1f} times the usual" if habit else ", with no such payments before",
        "amount_zh": f"，金额 {money(value, 'zh')}" if value else "", "amount_en": f", {money(value, 'en')}" if value else "",
    }  # fmt: skip
    return Words(title, Text(zh=why.zh.format(**facts), en=why.en.format(**facts)), said)


def money(fen: int, language: str) -> str:
    """Return fen in words: yuan below ten thousand, then 万 with one decimal, 亿 with two.

    >>> money(123456700, "zh")
    '123.5 万元'
    >>> money(123456700, "en")
    '¥1,234,567'
    """
    yuan = fen / 100
    if not language.startswith("zh"):
        return f"¥{yuan:,.0f}"
    if yuan >= 1e8:
        return f"{yuan / 1e8:.2f} 亿元"
    return f"{yuan / 1e4:.1f} 万元" if yuan >= 1e4 else f"{yuan:,.0f} 元"
