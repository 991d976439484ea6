"""The shipped tags against the same definitions worked out row by row in plain Python, on a small random bank."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from kequn.core.data.tables import ASSETS
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import catalogue
from tests.core.small_bank import PRODUCTS, SmallBank

AS_OF = date(2026, 6, 30)
CUSTOMERS = 48
MONTH_ENDS = [date(2025 + (m - 1) // 12, (m - 1) % 12 + 1, 1) - timedelta(days=1) for m in range(6, 20)]
CATEGORIES = (
    "payroll",
    "pension",
    "bonus",
    "transfer",
    "own_transfer",
    "consumption",
    "merchant_receipt",
    "broker",
    "purchase",
)
CREDITS = ("payroll", "pension", "bonus", "merchant_receipt")
EDGES = (-3, -1, 0, 1, 2, 3, 6, 7, 29, 30, 31, 89, 90, 91, 180, 183)
MCC = ("5411", "8211", "5641", "5541", "4511", "3005", "7011")
Row = dict[str, Any]


@dataclass
class Mine:
    """All rows of one customer up to the business date."""

    customer: Row
    account: list[Row]
    holding: list[Row]
    transaction: list[Row]
    event: list[Row]
    contact: list[Row]
    service: list[Row]
    consent: list[Row]

    def within(self, rows: list[Row], on: str, days: int) -> list[Row]:
        return [r for r in rows if AS_OF - timedelta(days=days) < r[on]]

    def paid(self, days: int, **wanted: Any) -> list[Row]:
        rows = self.within(self.transaction, "booked_on", days)
        return [r for r in rows if all(r[k] in v if isinstance(v, tuple) else r[k] == v for k, v in wanted.items())]

    def did(self, days: int, kind: str) -> list[Row]:
        return [r for r in self.within(self.event, "happened_on", days) if r["kind"] == kind]

    def held(self, on: date = AS_OF) -> list[Row]:
        return [r for r in self.holding if r["as_of"] == on]

    def assets(self, on: date = AS_OF) -> list[Row]:
        return [r for r in self.held(on) if r["family"] in ASSETS]

    def open_accounts(self, kind: str) -> list[Row]:
        return [r for r in self.account if r["kind"] == kind and (r["closed_on"] is None or r["closed_on"] > AS_OF)]

    def asked(self, days: int, **wanted: Any) -> list[Row]:
        rows = self.within(self.contact, "contacted_on", days)
        return [r for r in rows if all(r[k] == v for k, v in wanted.items())]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SmallBank:
    """A random bank with rows on both sides of every edge, all tags computed."""
    bank = SmallBank(tmp_path_factory.mktemp("values"))
    dice = random.Random(7)
    for _ in range(CUSTOMERS):
        _somebody(bank, dice)
    report = bank.refresh(catalogue(), AS_OF)
    assert not report.failed
    assert set(report.unavailable.values()) == {"given"}
    return bank


@pytest.fixture(scope="module")
def people(bank: SmallBank) -> list[Mine]:
    """The rows of each customer of the random bank."""
    return [_mine(bank, who) for who in range(CUSTOMERS)]


@pytest.fixture(scope="module")
def specs() -> dict[str, TagSpec]:
    """The catalogue."""
    return catalogue()


def _somebody(bank: SmallBank, dice: random.Random) -> None:
    def day(back: int) -> date:
        return AS_OF - timedelta(
            days=dice.choice([-3, -1, 0, 1, 2, 3, 6, 7, 29, 30, 31, 89, 90, 91, 180, 183, dice.randrange(back)])
        )

    who = bank.customer(
        opened_on=AS_OF - timedelta(days=dice.choice([0, 10, 30, 31, 90, 91, 200, 540, 541, 4000])),
        birth_on=date(dice.randrange(1940, 2015), 6, dice.choice([29, 30])) if dice.random() < 0.9 else None,
        gender=dice.choice(["M", "F", None]), marital=dice.choice(["single", "married", None]),
        child_stage=dice.choice([None, "0-5", "18-25", "25+"]), rm_no=dice.choice([None, "100101"]), branch_code="0001",
        risk_level=dice.choice([None, 1, 2, 5]), risk_tested_on=dice.choice([None, day(400)]), risk_expires_on=day(400),
        is_deceased=dice.random() < 0.05, is_suppressed=dice.random() < 0.1,
    )  # fmt: skip
    for _ in range(dice.randrange(0, 40)):
        category = dice.choice(CATEGORIES)
        bank.add(
            "transaction", who, booked_on=day(400), category=category,
            amount=dice.choice([1, 5_000, 100_000, 6_000_000]),
            direction="in" if category in CREDITS else dice.choice(["in", "out"]),
            mcc=dice.choice(MCC) if category == "consumption" else None, is_external=dice.random() < 0.6,
            is_initiated=dice.random() < 0.6, is_online=dice.random() < 0.5, is_foreign=dice.random() < 0.1,
            product_code="CC001" if category == "consumption" and dice.random() < 0.3 else None,
        )  # fmt: skip
    for on in [*MONTH_ENDS[dice.randrange(14) :], AS_OF + timedelta(days=31)]:
        for code, family, *_ in dice.sample(PRODUCTS, dice.randrange(0, 6)):
            balance = dice.choice([0, 500, 9_000, 300_000, 6_000_000, 30_000_000, 150_000_000])
            bank.hold(
                who, on, family, balance, product_code=code, position_no=code,
                month_average=balance + dice.randrange(100),
                cost=balance - 50 if family == "fund" else None,
                matures_on=dice.choice([None, AS_OF, day(40), AS_OF + timedelta(days=30)]),
                credit_limit=balance * 2 if family == "credit_card" else None, overdue_days=dice.choice([0, 0, 3]),
                has_instalment=dice.random() < 0.3, repay_day=dice.randrange(1, 29) if family == "mortgage" else None,
            )  # fmt: skip
    for kind in ("debit", "credit_card", "etc", "wecom", "quick_pay", "corporate_owner"):
        for _ in range(dice.choice([0, 0, 1, 2])):
            bank.add(
                "account", who, account_no=dice.randrange(10**12), kind=kind, status="active", opened_on=day(900),
                closed_on=dice.choice([None, None, AS_OF, AS_OF + timedelta(days=1)]),
                detail=dice.choice(["wechat", "alipay", None]) if kind == "quick_pay" else None,
                credit_limit=dice.choice([None, 1_000_000]),
                fee_due_on=dice.choice([None, AS_OF, AS_OF + timedelta(days=31)]),
                **{"class": dice.choice(["I", "II"])},
            )  # fmt: skip
    for _ in range(dice.randrange(0, 25)):
        kind = dice.choice(["login", "view_wmp", "branch_visit", "purchase_confirm", "wecom_message", "live"])
        bank.add("event", who, happened_on=day(120), kind=kind, channel="app" if kind == "login" else "branch")
    for _ in range(dice.randrange(0, 12)):
        on, responded = day(200), dice.choice([True, False, None])
        bank.add(
            "contact", who, contacted_on=on, channel=dice.choice(["sms", "call", "wecom"]), responded=responded,
            purpose=dice.choice(["marketing", "service"]), outcome=dice.choice(["answered", "no_answer"]),
            responded_on=on + timedelta(days=dice.choice([0, 2, 5])) if responded and dice.random() < 0.8 else None,
            response_hour=dice.choice([9, 20]) if responded else None, benefit=dice.choice([None, "points", "gift"]),
        )  # fmt: skip
    for _ in range(dice.randrange(0, 3)):
        bank.add("service", who, happened_on=day(200), kind=dice.choice(["complaint", "call"]))
    for on in dice.sample(range(-5, 300), dice.randrange(0, 4)):
        bank.add(
            "consent", who, purpose="marketing", channel="sms", granted=dice.random() < 0.6,
            given_on=AS_OF - timedelta(days=on), expires_on=dice.choice([None, AS_OF, AS_OF - timedelta(days=1)]),
        )  # fmt: skip


def _mine(bank: SmallBank, who: int) -> Mine:
    dated = {"account": "opened_on", "holding": "as_of", "transaction": "booked_on", "event": "happened_on",
             "contact": "contacted_on", "service": "happened_on", "consent": "given_on"}  # fmt: skip
    of = {t: [r for r in bank.rows[t] if r["ordinal"] == who and r[on] <= AS_OF] for t, on in dated.items()}
    return Mine(bank.rows["customer"][who], **of)


def _sum(rows: list[Row], column: str = "amount") -> int:
    return sum(r[column] for r in rows if r[column] is not None)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _age(c: Mine) -> int | None:
    born = c.customer["birth_on"]
    return AS_OF.year - born.year - ((AS_OF.month, AS_OF.day) < (born.month, born.day)) if born else None


def _month_sums(c: Mine, months: int) -> list[int]:
    return [_sum(c.assets(on), "month_average") for on in MONTH_ENDS[-months:]]


def _principal(c: Mine, on: date) -> int:
    return sum(r["balance"] if r["cost"] is None else r["cost"] for r in c.assets(on))


def _change(c: Mine, on: date) -> int | None:
    return _principal(c, AS_OF) - _principal(c, on) if c.assets() or c.assets(on) else None


def _change_rate(c: Mine, on: date) -> float | None:
    before = _principal(c, on)
    return _principal(c, AS_OF) / before - 1 if before >= 100_000 else None


def _yearly(c: Mine) -> int:
    total = sum(_sum(c.assets(on), "month_average") * on.day for on in MONTH_ENDS if on.year == 2026)
    return round(total / ((AS_OF - date(2026, 1, 1)).days + 1))


def _commonest(values: list[Any]) -> Any:
    counts = Counter(values)
    return min(counts, key=lambda v: (-counts[v], v)) if counts else None


def _top(values: list[str]) -> list[str] | None:
    counts = Counter(values)
    return sorted(counts, key=lambda v: (-counts[v], v))[:3] or None


def _responded(row: Row) -> bool:
    return bool(row["responded"]) and (row["responded_on"] or row["contacted_on"]) <= AS_OF


def _best_channel(c: Mine) -> str | None:
    rows = c.asked(180)
    if not any(map(_responded, rows)):
        return None
    tries, hits = Counter(r["channel"] for r in rows), Counter(r["channel"] for r in rows if _responded(r))
    return min(tries, key=lambda k: (-(hits[k] + 1) / (tries[k] + 20), k))


def _retention(c: Mine) -> float | None:
    pay = _sum(c.paid(31, category="payroll", direction="in"))
    return max(0.0, 1 - _sum(c.paid(31, direction="out", is_external=True)) / pay) if pay else None


def _large_in(c: Mine) -> bool:
    rows = c.paid(183, direction="in", is_external=True)
    recent = [r["amount"] for r in rows if r["booked_on"] > AS_OF - timedelta(days=3)]
    before = [r["amount"] for r in rows if r["booked_on"] <= AS_OF - timedelta(days=3)]
    usual = sum(before) / len(before) if before else 0
    return bool(recent) and max(recent) >= max(5_000_000, 3 * usual)


def _large_out(c: Mine) -> bool:
    largest = max((r["amount"] for r in c.paid(3, direction="out", is_external=True)), default=0)
    return largest >= 5_000_000 and largest >= 0.3 * (_sum(c.assets(), "balance") + largest)


def _freq_change(c: Mine) -> float | None:
    now, both = len(c.paid(90, is_initiated=True)), len(c.paid(180, is_initiated=True))
    return now / (both - now) - 1 if both - now >= 5 else None


def _bonus_month(c: Mine) -> int | None:
    rows = c.paid(365, category="bonus")
    return max(rows, key=lambda r: (r["amount"], r["booked_on"]))["booked_on"].month if rows else None


def _repay_day(c: Mine) -> int | None:
    rows = [r for r in c.held() if r["family"] == "mortgage" and r["balance"] > 0]
    return max(rows, key=lambda r: (r["balance"], -r["repay_day"]))["repay_day"] if rows else None


def _consent(c: Mine) -> bool | None:
    rows = sorted(c.consent, key=lambda r: r["given_on"])
    return rows[-1]["granted"] and (rows[-1]["expires_on"] is None or rows[-1]["expires_on"] >= AS_OF) if rows else None


def _matures(c: Mine) -> list[Row]:
    return [r for r in c.assets() if r["matures_on"] is not None]


def _last(rows: list[Row], on: str) -> date | None:
    return max((r[on] for r in rows), default=None)


def _abandoned(c: Mine) -> bool:
    confirmed = _last(c.did(31, "purchase_confirm"), "happened_on")
    bought = _last(c.paid(730, category="purchase"), "booked_on")
    return (
        confirmed is not None
        and AS_OF - timedelta(days=7) < confirmed < AS_OF
        and (bought is None or bought < confirmed)
    )


def _family(c: Mine, family: str) -> int:
    return _sum([r for r in c.held() if r["family"] == family], "balance")


def _credit(c: Mine) -> list[Row]:
    return [r for r in c.held() if r["family"] == "credit_card" and r["credit_limit"] is not None]


EXPECTED: dict[str, Callable[[Mine], Any]] = {
    "demo_age": _age,
    "demo_is_minor": lambda c: (a := _age(c)) is None or a < 18,
    "demo_is_senior": lambda c: None if _age(c) is None else _age(c) >= 65,
    "demo_gender": lambda c: c.customer["gender"],
    "acct_tenure_days": lambda c: (AS_OF - c.customer["opened_on"]).days,
    "acct_class": lambda c: sorted({r["class"] for r in c.open_accounts("debit")}) or None,
    "acct_managed": lambda c: c.customer["rm_no"] is not None,
    "acct_branch": lambda c: "0001",
    "acct_payroll": lambda c: len(c.paid(90, category="payroll")) >= 2,
    "acct_pension_payout": lambda c: len(c.paid(90, category="pension")) >= 2,
    "acct_etc": lambda c: bool(c.open_accounts("etc")),
    "acct_wecom": lambda c: bool(c.open_accounts("wecom")),
    "acct_credit_card": lambda c: bool(c.open_accounts("credit_card")),
    "acct_quickpay": lambda c: sorted({r["detail"] for r in c.open_accounts("quick_pay") if r["detail"]}) or None,
    "acct_merchant": lambda c: bool(c.paid(90, category="merchant_receipt")),
    "acct_mortgage": lambda c: any(r["family"] == "mortgage" and r["balance"] > 0 for r in c.held()),
    "asset_aum_eod": lambda c: _sum(c.assets(), "balance"),
    "asset_aum_mavg": lambda c: _sum(c.assets(), "month_average"),
    "asset_aum_yavg": _yearly,
    "asset_aum_peak_12m": lambda c: max(_month_sums(c, 12)),
    "asset_aum_chg_30d": lambda c: _change(c, MONTH_ENDS[-2]),
    "asset_aum_chg_rate_90d": lambda c: _change_rate(c, MONTH_ENDS[-4]),
    "asset_demand": lambda c: _family(c, "demand"),
    "asset_fund": lambda c: _family(c, "fund"),
    "asset_product_cnt": lambda c: sum(r["balance"] > 0 for r in c.assets()),
    "asset_category_cnt": lambda c: len({r["family"] for r in c.assets() if r["balance"] > 0}),
    "asset_idle_ratio": lambda c: _share(_family(c, "demand"), _sum(c.assets(), "balance")),
    "asset_equity_ratio": lambda c: _share(
        _sum([r for r in c.assets() if r["product_code"] == "FD401"], "balance"), _sum(c.assets(), "balance")
    ),
    "asset_pnl": lambda c: sum(50 for r in c.assets() if r["cost"] is not None) or None,
    "asset_maturity_30d": lambda c: _sum(
        [r for r in _matures(c) if AS_OF <= r["matures_on"] <= AS_OF + timedelta(days=30)], "balance"
    ),
    "asset_maturity_next": lambda c: min(
        (r["matures_on"] for r in _matures(c) if r["matures_on"] >= AS_OF and r["balance"] > 0), default=None
    ),
    "asset_over_insured": lambda c: _family(c, "demand") + _family(c, "time") > 50_000_000,
    "loan_balance": lambda c: _family(c, "mortgage"),
    "loan_overdue": lambda c: any(
        r["overdue_days"] > 0 for r in c.held() if r["family"] in ("mortgage", "credit_card")
    ),
    "loan_repay_day": _repay_day,
    "cc_limit": lambda c: _sum(c.open_accounts("credit_card"), "credit_limit") or None,
    "cc_utilization": lambda c: _share(_sum(_credit(c), "balance"), _sum(_credit(c), "credit_limit")),
    "cc_spend_30d": lambda c: _sum(c.paid(30, category="consumption", direction="out", product_code="CC001")),
    "cc_fee_due": lambda c: any(r["fee_due_on"] == AS_OF for r in c.open_accounts("credit_card")),
    "txn_recency": lambda c: min(
        ((AS_OF - r["booked_on"]).days for r in c.paid(730, is_initiated=True)), default=None
    ),
    "txn_freq_90d": lambda c: len(c.paid(90, is_initiated=True)),
    "txn_amt_90d": lambda c: _sum(c.paid(90, is_initiated=True)),
    "txn_freq_chg_90d": _freq_change,
    "txn_inflow_30d": lambda c: _sum(c.paid(30, direction="in", is_external=True)),
    "txn_outflow_30d": lambda c: _sum(c.paid(30, direction="out", is_external=True)),
    "txn_net_30d": lambda c: (
        _sum(c.paid(30, direction="in", is_external=True)) - _sum(c.paid(30, direction="out", is_external=True))
    ),
    "txn_peer_out_ratio": lambda c: _share(
        _sum(c.paid(90, direction="out", is_external=True, category="own_transfer")),
        _sum(c.paid(90, direction="out", is_external=True)),
    ),
    "txn_large_in": _large_in,
    "txn_large_out": _large_out,
    "txn_payroll_retention": _retention,
    "txn_bonus_month": _bonus_month,
    "txn_mcc_top": lambda c: _top([r["mcc"] for r in c.paid(180, category="consumption", direction="out")]),
    "txn_spend_edu": lambda c: _sum(c.paid(180, category="consumption", direction="out", mcc=("8211",))),
    "txn_spend_travel": lambda c: _sum(
        c.paid(180, category="consumption", direction="out", mcc=("4511", "3005", "7011"))
    ),
    "txn_spend_online": lambda c: _share(
        _sum(c.paid(180, category="consumption", direction="out", is_online=True)),
        _sum(c.paid(180, category="consumption", direction="out")),
    ),
    "txn_cross_border": lambda c: bool(c.paid(180, is_foreign=True)),
    "txn_broker_net": lambda c: (
        _sum(c.paid(30, category="broker", direction="in")) - _sum(c.paid(30, category="broker", direction="out"))
    ),
    "txn_merchant_days": lambda c: len({r["booked_on"] for r in c.paid(30, category="merchant_receipt")}),
    "chan_mau": lambda c: any(r["happened_on"] >= date(2026, 6, 1) and r["channel"] == "app" for r in c.event),
    "chan_last_login": lambda c: _last(c.did(730, "login"), "happened_on"),
    "chan_login_days_30d": lambda c: len({r["happened_on"] for r in c.did(30, "login")}),
    "chan_view_wmp_7d": lambda c: len(c.did(7, "view_wmp")),
    "chan_branch_90d": lambda c: len(c.did(90, "branch_visit")),
    "chan_live": lambda c: len(c.did(90, "live")),
    "chan_abandon": _abandoned,
    "chan_pref": _best_channel,
    "chan_pref_hour": lambda c: _commonest([r["response_hour"] for r in c.asked(180) if _responded(r)]),
    "chan_sms_ctr": lambda c: (
        (sum(map(_responded, rows)) + 1) / (len(rows) + 20) if (rows := c.asked(180, channel="sms")) else None
    ),
    "chan_call_answer": lambda c: (
        (sum(r["outcome"] == "answered" for r in rows) + 3) / (len(rows) + 10)
        if (rows := c.asked(365, channel="call"))
        else None
    ),
    "risk_c_level": lambda c: (
        f"C{c.customer['risk_level']}"
        if c.customer["risk_level"] and c.customer["risk_tested_on"] and c.customer["risk_tested_on"] <= AS_OF
        else None
    ),
    "risk_complaint_90d": lambda c: any(
        r["kind"] == "complaint" for r in c.within(c.service, "happened_on", 90)
    ),
    "mkt_consent_sms": _consent,
    "mkt_optout_at": lambda c: _last([r for r in c.consent if not r["granted"]], "given_on"),
    "mkt_last_contact": lambda c: _last(c.asked(730, purpose="marketing"), "contacted_on"),
    "mkt_contacts_30d": lambda c: len(c.asked(30, purpose="marketing")),
    "mkt_offer_pref": lambda c: _commonest([r["benefit"] for r in c.asked(730) if _responded(r) and r["benefit"]]),
    "mkt_last_purchase": lambda c: _last(c.paid(730, category="purchase"), "booked_on"),
}  # fmt: skip


@pytest.mark.parametrize("tag", sorted(EXPECTED))
def test_a_tag_is_what_its_definition_says(
    bank: SmallBank, people: list[Mine], specs: dict[str, TagSpec], tag: str
) -> None:
    expected = [EXPECTED[tag](customer) for customer in people]
    values = bank.column(tag)
    if specs[tag].type == "number":
        assert values == pytest.approx(expected, nan_ok=False)
    else:
        assert values == expected
    assert len({str(v) for v in expected}) > 1 or tag == "acct_branch", "the bank does not put this tag to a test"
