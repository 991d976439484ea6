"""What the board counts: each figure once, with what it means, how it adds up, and whether it takes a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kequn.core.spec.base import Text

Kind = Literal["flow", "stock"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A whole number kept per day, member of staff and branch; money is fen."""

    code: str
    kind: Kind
    """A flow adds up over days; of a stock the last day of a period counts. Both add up over people and branches."""
    title: Text
    means: Text
    money: bool = False
    takes_target: bool = False
    needs: str = ""
    """The part of the bank's data without which it is unknown, not 0: ``aum``, ``gain``, ``matured``, ``customer``."""


def _f(
    code: str, kind: Kind, zh: str, en: str, means_zh: str, means_en: str, *, money: bool = False, target: bool = False,
    needs: str = "",
) -> Figure:  # fmt: skip
    return Figure(code, kind, Text(zh=zh, en=en), Text(zh=means_zh, en=means_en), money, target, needs)


FIGURES: dict[str, Figure] = {
    f.code: f
    for f in (
        _f("assigned", "flow", "新增任务", "Tasks assigned", "当天下发或生成的任务", "Tasks created that day"),
        _f("done", "flow", "完成任务", "Tasks done", "当天做完的任务", "Tasks closed as done that day"),
        _f("contacts", "flow", "联系", "Contacts", "当天登记的联系，接通与否都算", "Contacts recorded, reached or not", target=True),
        _f("effective", "flow", "有效联系", "Effective contacts", "联系到客户本人的次数", "Contacts that reached the customer",
           target=True),
        _f("appointments", "flow", "预约", "Appointments", "约定了时间的联系", "Contacts that ended with an appointment", target=True),
        _f("deals", "flow", "登记成交", "Deals recorded", "客户经理登记的成交，还没有和账务核对",
           "Deals as RMs recorded them, not seen in the data yet"),
        _f("deals_fen", "flow", "登记成交金额", "Deals amount", "客户经理登记的成交金额", "Amount of the deals as recorded", money=True),
        _f("sales", "flow", "成交笔数", "Sales", "数据里确有、记入业绩的成交，一笔只记一次",
           "Purchases seen in the data, each credited once", target=True),
        _f("sales_fen", "flow", "成交金额", "Sales amount", "记入业绩的成交金额", "Amount of the sales credited", money=True, target=True),
        _f("matured_fen", "flow", "到期资金", "Matured", "7 天前到期的资金：到这一天才知道留没留下",
           "Money that matured 7 days before: only now is known what stayed", money=True, needs="matured"),
        _f("matured_kept_fen", "flow", "到期留存", "Stayed after maturity", "到期后 7 天内没有转出本行的部分，留在活期的也算",
           "What was not moved out of the bank within 7 days, also where it lies idle", money=True, needs="matured"),
        _f("new_customers", "flow", "新客户", "New customers", "当天开户的名下客户", "Customers of the book who joined that day",
           target=True, needs="customer"),
        _f("book", "stock", "名下客户", "Book", "分管的客户数", "Customers in the book"),
        _f("covered_30", "stock", "30 天覆盖", "Covered in 30 days", "30 天内联系到过的名下客户", "Customers reached in 30 days"),
        _f("covered_90", "stock", "90 天覆盖", "Covered in 90 days", "90 天内联系到过的名下客户", "Customers reached in 90 days"),
        _f("aum_fen", "stock", "AUM", "AUM", "名下客户的时点管理资产", "Assets of the book's customers", money=True, needs="aum"),
        _f("aum_gain_fen", "stock", "AUM 增量", "AUM gained", "同一批名下客户比上月末多出的资产，换管户不算增减；看季度时各月相加",
           "What the same customers have more than at the last month's end; handing over is no gain. Of a quarter the sum of its months",
           money=True, target=True, needs="gain"),
        _f("age_0", "stock", "0–1 天", "0–1 days", "开着 0–1 天的任务", "Tasks open for 0–1 days"),
        _f("age_2", "stock", "2–3 天", "2–3 days", "开着 2–3 天的任务", "Tasks open for 2–3 days"),
        _f("age_4", "stock", "4–7 天", "4–7 days", "开着 4–7 天的任务", "Tasks open for 4–7 days"),
        _f("age_8", "stock", "7 天以上", "Over 7 days", "开着超过 7 天的任务", "Tasks open for more than 7 days"),
        _f("overdue", "stock", "已逾期", "Overdue", "过了到期时间仍未完成的任务", "Open tasks past their due time"),
    )
}  # fmt: skip

FLOWS = tuple(f.code for f in FIGURES.values() if f.kind == "flow")
STOCKS = tuple(f.code for f in FIGURES.values() if f.kind == "stock")
AGES = ("age_0", "age_2", "age_4", "age_8")
TARGETS = tuple(f.code for f in FIGURES.values() if f.takes_target)
GAINED = "aum_gain_fen"
"""Counted from a month's first day on whatever span is asked for; a quarter's is the sum of its months'."""
OF_CAMPAIGNS = ("contacts", "effective", "appointments", "sales", "sales_fen")
"""Figures that are known per campaign, and so take a campaign's targets."""
LIVE = ("assigned", "done", "contacts", "effective", "appointments", "deals", "deals_fen", *AGES, "overdue")
"""Figures that the day so far has; the others come with the bank's data."""

RATES: dict[str, tuple[str, str, Text, Text]] = {
    "effective_rate": ("effective", "contacts", Text(zh="接通率", en="Reached"),
                       Text(zh="有效联系 ÷ 联系", en="Effective contacts ÷ contacts")),
    "coverage_30": ("covered_30", "book", Text(zh="30 天覆盖率", en="Coverage, 30 days"),
                    Text(zh="30 天内联系到的客户 ÷ 名下客户", en="Customers reached in 30 days ÷ book")),
    "coverage_90": ("covered_90", "book", Text(zh="90 天覆盖率", en="Coverage, 90 days"),
                    Text(zh="90 天内联系到的客户 ÷ 名下客户", en="Customers reached in 90 days ÷ book")),
    "kept_rate": ("matured_kept_fen", "matured_fen", Text(zh="到期留存率", en="Stayed after maturity, share"),
                  Text(zh="到期后 7 天内没有转出本行的金额 ÷ 到期资金，留在活期的也算；是否又买了产品，看经营指标的到期承接率",
                       en="Money not moved out of the bank within 7 days ÷ matured, also where it lies idle; whether something "
                          "was bought again is the KPI “Maturities kept”")),
}  # fmt: skip
"""Quotients: numerator, denominator, name, meaning."""


PER: dict[str, tuple[str, str]] = {
    "sales_per_head": ("sales_fen", "heads"), "sales_per_m2": ("sales_fen", "floor_m2"),
    "gain_per_head": (GAINED, "heads"), "gain_per_m2": (GAINED, "floor_m2"),
}  # fmt: skip
"""Output per RM and per square metre (人效、坪效): what is divided, and by what of a line."""


def title_in(code: str, span: str = "") -> Text:
    """Return what a figure, a rate or an output is called, on a board of a span by what it counts there."""
    if code in PER:
        figure, over = PER[code]
        whole = title_in(figure, span)
        per = Text(zh="人均", en="per RM") if over == "heads" else Text(zh="每平方米", en="per m²")
        return Text(zh=f"{per.zh}{whole.zh}", en=f"{whole.en} {per.en}")
    title = FIGURES[code].title if code in FIGURES else RATES[code][2]
    if code != GAINED or not span:
        return title
    if span == "quarter":
        return Text(zh=f"本季 {title.zh}", en=f"{title.en} this quarter")
    return Text(zh=f"本月 {title.zh}", en=f"{title.en} this month")


def rate(figures: Mapping[str, int | None], code: str) -> float | None:
    """Return a quotient of figures; ``None`` where there is nothing to divide by, or a part is unknown."""
    above, below = (figures.get(name) for name in RATES[code][:2])
    return None if above is None or not below else above / below
