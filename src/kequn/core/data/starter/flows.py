"""Money that moves: wages, pensions, shopping, takings, transfers, loans and purchases of the starter bank's customers.

The ledger is a believable sample, not a double-entry one: its sums need not equal the changes of the balances.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from kequn.core.data.starter.block import Block
from kequn.core.data.starter.draws import Bools, Floats, choose, choose_by, day, repeated, stream
from kequn.core.data.starter.kinds import inclination
from kequn.core.data.starter.ledger import (
    APP,
    ATM,
    CNT,
    POS,
    SYS,
    TPP,
    Ledger,
    Span,
    months_between,
    on_day,
    shopping_weights,
)
from kequn.core.data.starter.people import CYCLES, IDLE, MERCHANT, OWNER, PENSIONER, SAVER, YOUNG, People, employers
from kequn.core.data.starter.positions import Debts
from kequn.core.data.starter.products import NUMBER, PRODUCTS

MCC = (
    0,
    5411,
    5812,
    5814,
    5311,
    5651,
    5732,
    5912,
    8062,
    7832,
    4121,
    4112,
    4511,
    7011,
    4722,
    5541,
    7538,
    5641,
    8299,
    8211,
    5942,
    5399,
)
MCC_MEAN = np.array(
    (0, 95, 110, 32, 280, 240, 1500, 85, 420, 55, 26, 180, 1100, 520, 1800, 310, 900, 240, 1400, 2600, 60, 120),
    dtype=np.float64,
)
MCC_WEIGHT = np.array((0, 20, 11, 12, 4, 5, 1, 3, 0.8, 2, 7, 2, 0.5, 0.7, 0.2, 0, 0, 0, 0, 0, 1, 22), dtype=np.float64)
CAR_MCC, BABY_MCC, SCHOOL_MCC, ONLINE_MCC, TRAVEL_MCC = (15, 16), 17, (18, 19), 21, (12, 13, 14)


def ledger_of(part: Block, span: Span) -> Ledger:
    """Make one block's transactions of a span; cut them with ``Ledger.sorted_columns``."""
    rng = stream(part.seed, f"flows {span.start}", part.who.block)
    book = Ledger(len(part.who))
    for flow in (_income, _takings, _cycles, _shopping, _transfers, _household, _loans, _interest, _leaving, _investing,
                 _parking, _large):  # fmt: skip
        flow(rng, book, part, span)
    return book


def _income(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    who = part.who
    start, end = span.start, span.end
    firms = employers(part.seed)
    paid = np.flatnonzero(who.pay > 0)
    firm = who.employer[paid]
    retired = np.flatnonzero(who.pension > 0)
    for year, month in months_between(start, end):
        late = rng.integers(0, 2, len(paid)) * (rng.random(len(paid)) < 0.15)
        on = on_day(year, month, firms.payday[firm]) + late
        book.add(
            paid,
            on,
            who.pay[paid] * rng.normal(1, 0.03, len(paid)),
            "payroll",
            into=True,
            other=firm + 1,
            initiated=False,
        )
        bonus = paid[(firms.bonus_month[firm] == month) & who.bonus[paid]]
        on = on_day(year, month, np.minimum(firms.payday[who.employer[bonus]] + 3, 28))
        amount = who.pay[bonus] * rng.uniform(1.6, 4.5, len(bonus))
        book.add(bonus, on, amount, "bonus", into=True, other=who.employer[bonus] + 1, initiated=False)
        book.add(
            retired, on_day(year, month, 15), who.pension[retired], "pension", into=True, other=999, initiated=False
        )


def _takings(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    """One row a trading day of a merchant's last ninety days (300 for those who live from day to day)."""
    who = part.who
    shops = np.flatnonzero((who.role == MERCHANT) | ((who.role == OWNER) & (who.number % 3 == 0)))
    back = np.where(who.cycle[shops] == CYCLES.index("daily"), 300, 90)
    n_days = min(300, day(span.end) - day(span.start) + 1)
    if not len(shops):
        return
    trades = np.clip(rng.beta(6, 2, len(shops)), 0.05, 0.98) * np.where(rng.random(len(shops)) < 0.15, 0.25, 1.0)
    ago = np.arange(n_days)
    w, d = np.nonzero((rng.random((len(shops), n_days)) < trades[:, None]) & (ago < back[:, None]))
    on = day(span.end) - ago[d]
    daily = who.turnover[shops] / 26
    amount = daily[w] * rng.lognormal(-0.1, 0.45, len(w)) * np.where((on + 3) % 7 >= 5, 1.3, 1.0)
    book.add(shops[w], on, amount, "merchant_receipt", into=True, other=998, initiated=False, second=6 * 3600)


def _cycles(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    """Payments from business partners that come in by week, month, quarter or year, by the customer's cycle."""
    who = part.who
    start, end = span.start, span.end
    shops = np.flatnonzero(np.isin(who.role, (MERCHANT, OWNER)))
    size = who.turnover[shops]
    cycle = who.cycle[shops]
    partner = 2_000_000 + who.number[shops] % 100_000
    for year, month in months_between(start, end):
        for name, due in (("monthly", True), ("quarter_end", month % 3 == 0), ("year_end", month in (12, 1))):
            here = cycle == CYCLES.index(name)
            if due and here.any():
                scale = {"monthly": 1.0, "quarter_end": 6.0, "year_end": 6.0}[name]
                on = on_day(year, month, 28) + rng.integers(-2, 3, int(here.sum()))
                amount = size[here] * scale * rng.lognormal(0, 0.2, int(here.sum()))
                book.add(
                    shops[here], on, amount, "transfer", into=True, other=partner[here], initiated=False, channel=SYS
                )
        weekly = shops[cycle == CYCLES.index("weekly")]
        for week in (1, 8, 15, 22):
            on = on_day(year, month, week) + 1
            amount = who.turnover[weekly] * 0.25 * rng.lognormal(0, 0.2, len(weekly))
            book.add(
                weekly,
                on,
                amount,
                "transfer",
                into=True,
                other=2_000_000 + who.number[weekly] % 100_000,
                initiated=False,
            )


def _shopping(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    who = part.who
    owed = part.owed
    start, end = span.recent, span.end
    weights = shopping_weights(start, end)
    months = len(weights) / 30.4
    rate = np.array((0.0, 1.6, 5.2, 5.4, 8.5, 1.8, 4.0, 5.0))[who.role] * who.lively * who.active * months * span.volume
    copies, _ = repeated(rng.poisson(rate).astype(np.int64))
    n = len(copies)
    on = day(start) + choose(rng, weights, n)
    taste = _tastes(who)
    mcc = choose_by(rng, taste, copies)
    age = who.age[copies]
    online = (mcc == ONLINE_MCC) | (rng.random(n) < np.where(age < 32, 0.62, np.where(age < 55, 0.34, 0.1)))
    carded = np.zeros(len(who), dtype=np.bool_)
    carded[owed.who[_is_card(owed)]] = True
    platinum = np.full(len(who), NUMBER["CC001"])
    platinum[owed.who[owed.product == NUMBER["CC002"]]] = NUMBER["CC002"]
    by_card = carded[copies] & (rng.random(n) < 0.45)
    scale = np.array((0.7, 0.8, 1.0, 1.35, 1.8, 2.4, 3.0))[who.tier[copies]]
    amount = MCC_MEAN[mcc] * scale * rng.lognormal(-0.2, 0.65, n)
    abroad = (rng.random(n) < np.where(who.tier[copies] >= 3, 0.02, 0.002)) & np.isin(mcc, (2, 4, 13))
    hour = np.clip(rng.normal(15, 4, n), 6.5, 23.8)
    book.add(copies, on, amount, "consumption", into=False, mcc=mcc, online=online, foreign=abroad, card=by_card,
             channel=np.where(online, TPP, POS), second=(hour * 3600).astype(np.int64),
             product=np.where(by_card, platinum[copies], -1), other=3_000_000 + rng.integers(0, 5_000, n))  # fmt: skip


def _is_card(owed: Debts) -> Bools:
    return np.isin(owed.product, (NUMBER["CC001"], NUMBER["CC002"]))


def _tastes(who: People) -> Floats:
    taste = np.repeat(MCC_WEIGHT[None, :], len(who), axis=0)
    taste[who.car, CAR_MCC[0]] = 6.0
    taste[who.car, CAR_MCC[1]] = 0.7
    taste[(who.child_age >= 0) & (who.child_age < 6), BABY_MCC] = 5.0
    school = (who.child_age >= 5) & (who.child_age < 19)
    taste[school, SCHOOL_MCC[0]] = 2.0
    taste[school, SCHOOL_MCC[1]] = 0.6
    for mcc in TRAVEL_MCC:
        taste[:, mcc] *= np.where(who.tier >= 3, 3.0, 1.0)
    taste[who.role == YOUNG, ONLINE_MCC] *= 2.2
    taste[who.role == PENSIONER, ONLINE_MCC] *= 0.2
    return taste


def _transfers(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    who = part.who
    start, end = span.recent, span.end
    days = day(end) - day(start) + 1
    months = days / 30.4
    size: Floats = np.clip(who.wealth * 0.06, 120, 60_000)
    for into, rate, own in ((True, 0.42, 0.25), (False, 0.5, 0.30)):
        copies, _ = repeated(rng.poisson(rate * who.lively * who.active * months * span.volume).astype(np.int64))
        n = len(copies)
        same = rng.random(n) < own
        on = day(start) + rng.integers(0, days, n)
        amount: Floats = (size[copies] * rng.lognormal(-0.3, 0.9, n)).round(-1)
        for mask, category in ((same, "own_transfer"), (~same, "transfer")):
            who_here = copies[mask]
            other = np.where(
                category == "own_transfer",
                5_000_000_000 + who.number[who_here],
                4_000_000 + rng.integers(0, 90_000, len(who_here)),
            )
            book.add(who_here, on[mask], amount[mask], category, into=into, other=other,
                     initiated=not into or category == "own_transfer", channel=np.where(who.app[who_here], APP, CNT),
                     second=rng.integers(8 * 3600, 22 * 3600, len(who_here)))  # fmt: skip
    old = np.isin(who.role, (PENSIONER, SAVER, MERCHANT))
    copies, _ = repeated(rng.poisson(np.where(old, 0.32, 0.06) * who.active * months * span.volume).astype(np.int64))
    on = day(start) + rng.integers(0, days, len(copies))
    notes = rng.integers(2, 40, len(copies)).astype(np.float64) * 100
    book.add(copies, on, notes, "cash", into=rng.random(len(copies)) < 0.3,
             channel=np.where(rng.random(len(copies)) < 0.4, CNT, ATM), external=True, second=10 * 3600)  # fmt: skip


def _leaving(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    """Customers on their way out send money to themselves at another bank."""
    who = part.who
    going = np.flatnonzero(who.leaving)
    copies = np.repeat(going, 4)
    on = day(span.as_of) - rng.integers(0, 80, len(copies))
    amount = who.wealth[copies] * rng.uniform(0.08, 0.25, len(copies))
    book.add(copies, on, amount, "own_transfer", into=False, other=5_000_000_000 + who.number[copies],
             channel=np.where(who.app[copies], APP, CNT), second=14 * 3600)  # fmt: skip


def _household(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    who = part.who
    start, end = span.recent, span.end
    bills = np.flatnonzero(who.active & (who.number % 5 == 0))
    for year, month in months_between(start, end):
        on = on_day(year, month, 6 + who.number[bills] % 15)
        amount = rng.lognormal(5.0, 0.5, len(bills))
        book.add(bills, on, amount, "household", into=False, initiated=False, other=6_000_000 + who.number[bills] % 40)
    insured = np.flatnonzero(who.car & (who.number % 2 == 0))
    due = day(date(start.year, 1, 1)) + (who.number[insured] * 37) % 730
    book.add(
        insured,
        due,
        rng.lognormal(8.2, 0.3, len(insured)),
        "insurance",
        into=False,
        channel=APP,
        online=True,
        other=6_000_100,
    )


def _loans(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    owed = part.owed
    start, end = span.recent, span.end
    loans = np.flatnonzero(~_is_card(owed))
    for year, month in months_between(start, end):
        on = day(date(year, month, 1)) + owed.repay_day[loans] - 1
        paid = owed.limit[loans] * 0.006
        still = loans[(owed.opened[loans] <= on) & (owed.overdue[loans] == 0)]
        book.add(owed.who[still], day(date(year, month, 1)) + owed.repay_day[still] - 1, paid[np.isin(loans, still)],
                 "loan_payment", into=False, initiated=False, product=owed.product[still], external=False)  # fmt: skip
    fresh = loans[owed.opened[loans] >= day(start)]
    book.add(owed.who[fresh], owed.opened[fresh], owed.limit[fresh], "loan_payout", into=True, initiated=False,
             product=owed.product[fresh], external=False)  # fmt: skip
    cards = np.flatnonzero(_is_card(owed))
    for year, month in months_between(start, end):
        on = day(date(year, month, 1)) + owed.repay_day[cards] - 1
        paid = owed.owed[cards] * rng.uniform(0.5, 1, len(cards)) + 1
        book.add(owed.who[cards], on, paid, "loan_payment", into=False, initiated=False, product=owed.product[cards],
                 external=False)  # fmt: skip


def _interest(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    """Interest on demand money on the 21st of the quarter's last month: the only row of most sleeping customers."""
    who = part.who
    start, end = span.start, span.end
    some = np.flatnonzero((who.wealth > 30) & (who.closed < 0))
    for year, month in months_between(start, end):
        if month % 3 == 0:
            amount = np.maximum(who.wealth[some] * rng.uniform(0.0001, 0.0003, len(some)), 0.01)
            book.add(
                some,
                day(date(year, month, 21)),
                amount,
                "interest",
                into=True,
                initiated=False,
                external=False,
                second=1,
            )
    charged = np.flatnonzero((who.number % 23 == 0) & (who.role != IDLE))
    book.add(
        charged,
        day(date(end.year, 1, 10)),
        np.full(len(charged), 10.0),
        "fee",
        into=False,
        initiated=False,
        external=False,
    )


def _investing(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    """Purchases of what is held now, earlier purchases with their maturities, and transfers to and from brokers."""
    who = part.who
    held = part.held
    start, end = span.start, span.end
    w, slot = np.nonzero((held.average[:, 1:] > 0) & (held.opened[:, 1:] >= day(start)))
    slot += 1
    amount = held.average[w, slot]
    book.add(w, held.opened[w, slot], amount, "purchase", into=False, product=held.product[w, slot], external=False,
             channel=np.where(who.app[w], APP, CNT), online=who.app[w],
             second=rng.integers(9 * 3600, 20 * 3600, len(w)))  # fmt: skip
    w, slot = np.nonzero(held.matures >= day(span.as_of))
    w, slot = w[held.average[w, slot] > 0], slot[held.average[w, slot] > 0]
    book.add(w, held.matures[w, slot], held.average[w, slot], "maturity", into=True, product=held.product[w, slot],
             initiated=False, external=False)  # fmt: skip
    w, slot = np.nonzero(held.average[:, 1:] > 0)
    slot += 1
    term = np.array([p.term for p in PRODUCTS])[held.product[w, slot]]
    again = (term > 0) & (rng.random(len(w)) < 0.6)  # money that came from an earlier round of the same product
    w, slot, term = w[again], slot[again], term[again]
    was = held.opened[w, slot]
    book.add(
        w,
        was,
        held.average[w, slot] * 0.98,
        "maturity",
        into=True,
        product=held.product[w, slot],
        initiated=False,
        external=False,
    )
    book.add(w, was - term, held.average[w, slot] * 0.96, "purchase", into=False, product=held.product[w, slot],
             channel=np.where(who.app[w], APP, CNT), external=False)  # fmt: skip
    funds = np.flatnonzero((held.average[:, 6] > 0) & (rng.random(len(who)) < 0.35))
    on = day(span.as_of) - rng.integers(0, 300, len(funds))
    book.add(funds, on, held.average[funds, 6] * rng.uniform(0.1, 0.6, len(funds)), "redemption", into=True,
             product=held.product[funds, 6], channel=APP, external=False)  # fmt: skip
    brokers = np.flatnonzero(who.active & (who.tier >= 1) & (who.number % 11 == 0))
    copies = np.repeat(brokers, 4)
    on = day(end) - rng.integers(0, 150, len(copies))
    book.add(copies, on, np.clip(who.wealth[copies] * 0.05, 500, 2e5) * rng.lognormal(0, 0.5, len(copies)), "broker",
             into=rng.random(len(copies)) < 0.45, channel=APP, online=True, other=997)  # fmt: skip


def _parking(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    """Money put into cash management and taken out again some days later, in the months before ``as_of``.

    How readily somebody does it is how readily the same customer buys later on when left alone.
    """
    who = part.who
    _, chance = inclination(part, day(span.as_of) + 1)
    for back in range(6):
        w = np.flatnonzero(rng.random(len(who)) < chance)
        on = day(span.as_of) - 30 * back - rng.integers(0, 30, len(w))
        amount = np.maximum(who.wealth[w] * rng.uniform(0.05, 0.3, len(w)), 100.0).round(-2)
        product = np.full(len(w), NUMBER["WM101"])
        out = np.minimum(on + rng.integers(5, 26, len(w)), day(span.as_of))
        book.add(w, on, amount, "purchase", into=False, product=product, external=False, channel=APP, second=11 * 3600)
        book.add(
            w, out, amount, "redemption", into=True, product=product, external=False, channel=APP, second=19 * 3600
        )


def _large(rng: np.random.Generator, book: Ledger, part: Block, span: Span) -> None:
    """Compensation, dividends, house sales: large sums that came in the last three days."""
    who = part.who
    lucky = np.flatnonzero(who.windfall > 0)
    ago = who.windfall[lucky].astype(np.int64)
    amount = 0.85 * who.wealth[lucky] * 30 / ago
    book.add(
        lucky,
        day(span.as_of) + 1 - ago,
        amount.round(-2),
        "transfer",
        into=True,
        initiated=False,
        other=7_000_000 + rng.integers(0, 90, len(lucky)),
    )
