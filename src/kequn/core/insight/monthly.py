"""Customers' months: what each of some customers had and did in each period, as arrays of (period, customer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.data.tables import ASSETS, FAMILIES
from kequn.core.engine.duck import Engine, literal
from kequn.core.insight.periods import Period, period_of, scan, texts

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]
NEVER = -100_000
"""Day number of what never happened."""
CHOSEN = "insight_chosen"
DEPOSITS = ("demand", "time", "cd")
UNDELIVERED = ("failed", "bounced", "rejected")
UNREACHED = (*UNDELIVERED, "no_answer")
PERSONAL = ("call", "rm_task", "wecom", "branch")
"""Channels in which a member of staff talks to the customer."""
LARGE_FEN = 5_000_000
BIT = {family: 1 << n for n, family in enumerate(FAMILIES)}
ASSET_BITS = sum(BIT[f] for f in ASSETS)
BOUGHT_BITS = ASSET_BITS & ~BIT["demand"]


@dataclass(slots=True)
class Monthly:
    """The months of some customers. Arrays are (period, customer) unless said; money is fen."""

    periods: tuple[Period, ...]
    branch: list[str]
    """One a customer; empty where unknown."""
    managed: Bools
    """(customer)."""
    here: Bools
    """A customer of the bank at the end of the period."""
    opened: Bools
    """Became a customer in the period."""
    activated: Bools
    """Opened in the period and started a transaction within 30 days."""
    active_90: Bools
    """Opened in the period and started a transaction within 90 days."""
    aum: Ints
    average: Ints
    principal: Ints
    demand: Ints
    deposit: Ints
    families: Ints
    """Bits of the product families held."""
    last_initiated: Ints
    """Day number of the last transaction the customer started, by the period's end."""
    inflow: Ints
    outflow: Ints
    app_trade: Bools
    app_days: Ints
    bought: Ints
    """Bits of the families bought."""
    matured_in: Ints
    """Bits of the families of which something matured."""
    payroll: Ints
    payroll_kept: Ints
    large: Ints
    large_kept: Ints
    matured: Ints
    matured_kept: Ints
    wecom: Bools
    touches: Ints
    delivered: Ints
    responses: Ints
    contacted: Bools
    reached: Bools
    bought_after_contact: Bools
    bought_after_reach: Bools
    met: Bools
    """Somebody of the bank spoke with the customer."""
    complaints: Ints
    optouts: Ints

    @property
    def n(self) -> int:
        """How many customers."""
        return len(self.branch)


def monthly(engine: Engine, ordinals: npt.NDArray[Any], among: Sequence[Period]) -> Monthly:
    """Read the months of these customers (ordinals, ascending). A handful of passes over the tables, each for all periods."""
    table = pa.table({"ordinal": pa.array(ordinals, pa.uint32()), "i": pa.array(np.arange(len(ordinals)), pa.int64())})
    engine.register(CHOSEN, table)
    reader = _Reader(engine, tuple(among), len(ordinals))
    parts: dict[str, Any] = {}
    for read in (_customers, _holdings, _transactions, _events, _purchases, _kept, _contacts, _service, _wecom):
        parts |= read(reader)
    return Monthly(periods=tuple(among), **parts)


@dataclass(frozen=True, slots=True)
class _Reader:
    engine: Engine
    periods: tuple[Period, ...]
    n: int

    @property
    def until(self) -> str:
        return f"DATE {literal(self.periods[-1].end.isoformat())}"

    @property
    def since(self) -> str:
        return f"DATE {literal(self.periods[0].start.isoformat())}"

    def period(self, column: str) -> str:
        return period_of(column, self.periods)

    def columns(self, query: str) -> dict[str, Numbers]:
        return {name: np.ma.filled(values, 0) for name, values in self.engine.columns(query).items()}

    def place(self, found: Mapping[str, Numbers], *names: str) -> list[Ints]:
        """Put values at (m, i); rows of other periods are left out."""
        m, i = found["m"].astype(np.int64), found["i"].astype(np.int64)
        inside = (m >= 0) & (m < len(self.periods))
        made = []
        for name in names:
            whole = np.zeros((len(self.periods), self.n), dtype=np.int64)
            whole[m[inside], i[inside]] = found[name][inside].astype(np.int64)
            made.append(whole)
        return made


def _customers(r: _Reader) -> dict[str, Any]:
    source = scan(r.engine, "customer", "ordinal", "opened_on", "closed_on", "status", "branch_code", "rm_no")
    found = r.engine.arrow(
        "SELECT i, coalesce(branch_code, '') AS branch, rm_no IS NOT NULL AND rm_no <> '' AS managed,"
        " opened_on - DATE '1970-01-01' AS opened,"
        f" CASE WHEN closed_on IS NULL AND status IS NOT DISTINCT FROM 'closed' THEN {NEVER} ELSE"
        " coalesce(closed_on - DATE '1970-01-01', 9999999) END AS closed"
        f" FROM {source} c JOIN {CHOSEN} USING (ordinal) ORDER BY i"
    )
    opened, closed = (found[name].to_numpy().astype(np.int64) for name in ("opened", "closed"))
    ends, starts = _days(p.end for p in r.periods), _days(p.start for p in r.periods)
    here = (opened <= ends[:, None]) & (closed > ends[:, None])
    new = (opened >= starts[:, None]) & (opened <= ends[:, None])
    early = _early(r)
    return {
        "branch": found["branch"].to_pylist(), "managed": np.asarray(found["managed"].to_numpy(), dtype=bool), "here": here,
        "opened": new, "activated": new & early[30], "active_90": new & early[90],
    }  # fmt: skip


def _early(r: _Reader) -> dict[int, Bools]:
    """Whether a customer who opened in these periods started a transaction within 30 and within 90 days."""
    customer, trade = (
        scan(r.engine, "customer", "ordinal", "opened_on"),
        scan(r.engine, "transaction", "ordinal", "booked_on", "is_initiated"),
    )
    found = r.columns(
        f"SELECT i, min(t.booked_on - c.opened_on) AS days FROM {customer} c JOIN {CHOSEN} USING (ordinal)"
        f" JOIN {trade} t ON t.ordinal = c.ordinal AND t.booked_on >= c.opened_on AND t.is_initiated"
        f" WHERE c.opened_on BETWEEN {r.since} AND {r.until} GROUP BY i"
    )
    made = {}
    for most in (30, 90):
        made[most] = np.zeros(r.n, dtype=bool)
        made[most][found["i"].astype(np.int64)] = found["days"] <= most
    return made


def _holdings(r: _Reader) -> dict[str, Any]:
    source = scan(r.engine, "holding", "ordinal", "as_of", "family", "balance", "month_average", "cost")
    ends = ", ".join(f"DATE {literal(p.end.isoformat())}" for p in r.periods)
    asset = f"family IN {texts(ASSETS)}"
    bits = " ".join(f"WHEN {literal(family)} THEN {bit}" for family, bit in BIT.items())
    found = r.columns(
        f"SELECT i, {r.period('as_of')} AS m, sum(balance) FILTER ({asset}) AS aum,"
        f" sum(month_average) FILTER ({asset}) AS average, sum(coalesce(cost, balance)) FILTER ({asset}) AS principal,"
        f" sum(balance) FILTER (family = 'demand') AS demand, sum(balance) FILTER (family IN {texts(DEPOSITS)}) AS deposit,"
        f" bit_or(CASE WHEN balance > 0 THEN CASE family {bits} ELSE 0 END ELSE 0 END) AS families"
        f" FROM {source} h JOIN {CHOSEN} USING (ordinal) WHERE as_of IN ({ends}) GROUP BY 1, 2"
    )
    names = ("aum", "average", "principal", "demand", "deposit", "families")
    return dict(zip(names, r.place(found, *names), strict=True))


def _transactions(r: _Reader) -> dict[str, Any]:
    source = scan(
        r.engine, "transaction", "ordinal", "booked_on", "direction", "amount", "channel", "is_external", "is_initiated"
    )
    found = r.columns(
        f"SELECT i, {r.period('booked_on')} AS m,"
        f" coalesce(max(booked_on) FILTER (is_initiated) - DATE '1970-01-01', {NEVER}) AS last,"
        " sum(amount) FILTER (direction = 'in' AND is_external) AS inflow,"
        " sum(amount) FILTER (direction = 'out' AND is_external) AS outflow,"
        " coalesce(bool_or(channel = 'app' AND is_initiated), FALSE) AS app"
        f" FROM {source} t JOIN {CHOSEN} USING (ordinal) WHERE booked_on <= {r.until} GROUP BY 1, 2"
    )
    inflow, outflow, app = r.place(found, "inflow", "outflow", "app")
    last = np.full((len(r.periods) + 1, r.n), NEVER, dtype=np.int64)
    last[found["m"].astype(np.int64) + 1, found["i"].astype(np.int64)] = found["last"].astype(np.int64)
    return {
        "inflow": inflow, "outflow": outflow, "app_trade": app.astype(bool),
        "last_initiated": np.maximum.accumulate(last, axis=0)[1:],
    }  # fmt: skip


def _events(r: _Reader) -> dict[str, Any]:
    source = scan(r.engine, "event", "ordinal", "happened_on", "channel")
    found = r.columns(
        f"SELECT i, {r.period('happened_on')} AS m, count(DISTINCT happened_on) AS days FROM {source} e"
        f" JOIN {CHOSEN} USING (ordinal) WHERE channel = 'app' AND happened_on BETWEEN {r.since} AND {r.until} GROUP BY 1, 2"
    )
    return {"app_days": r.place(found, "days")[0]}


def _purchases(r: _Reader) -> dict[str, Any]:
    """Families bought and families of which something matured, by the product named in the transaction."""
    trade = scan(r.engine, "transaction", "ordinal", "booked_on", "category", "product_code")
    product = scan(r.engine, "product", "product_code", "family")
    bits = " ".join(f"WHEN {literal(family)} THEN {bit}" for family, bit in BIT.items())
    found = r.columns(
        f"SELECT i, {r.period('booked_on')} AS m,"
        f" coalesce(bit_or(CASE p.family {bits} ELSE 0 END) FILTER (category = 'purchase'), 0) AS bought,"
        f" coalesce(bit_or(CASE p.family {bits} ELSE 0 END) FILTER (category = 'maturity'), 0) AS matured_in"
        f" FROM {trade} t JOIN {CHOSEN} USING (ordinal) JOIN {product} p USING (product_code)"
        f" WHERE category IN ('purchase', 'maturity') AND booked_on BETWEEN {r.since} AND {r.until} GROUP BY 1, 2"
    )
    return dict(zip(("bought", "matured_in"), r.place(found, "bought", "matured_in"), strict=True))


def _kept(r: _Reader) -> dict[str, Any]:
    """What came in and what of it was still here: wages by the period's end, large sums after 30 days, maturities after 7."""
    trade = scan(r.engine, "transaction", "ordinal", "booked_on", "direction", "amount", "category", "is_external")
    money = (
        "WITH came AS (SELECT ordinal, i, {period} AS m, min(booked_on) AS since, max(booked_on) AS latest, sum(amount) AS amount"
        f" FROM {trade} t JOIN {CHOSEN} USING (ordinal) WHERE {{which}} AND booked_on BETWEEN {r.since} AND {r.until}"
        " GROUP BY 1, 2, 3)"
        " SELECT c.i, c.m, any_value(c.amount) AS amount, coalesce(sum(t.amount), 0) AS moved FROM came c"
        f" LEFT JOIN {trade} t ON t.ordinal = c.ordinal AND t.booked_on >= c.since AND {{moves}} GROUP BY 1, 2"
    )
    out = "t.direction = 'out' AND t.is_external"
    kinds = {
        "payroll": ("direction = 'in' AND category = 'payroll'", f"{out} AND {r.period('t.booked_on')} = c.m"),
        "large": (
            f"direction = 'in' AND is_external AND amount >= {LARGE_FEN}",
            f"{out} AND t.booked_on <= c.since + 30",
        ),
        "matured": ("category = 'maturity'", "t.category = 'purchase' AND t.booked_on <= c.latest + 7"),
    }
    made: dict[str, Any] = {}
    for kind, (which, moves) in kinds.items():
        found = r.columns(money.format(period=r.period("booked_on"), which=which, moves=moves))
        amount, moved = r.place(found, "amount", "moved")
        made[kind] = amount
        made[f"{kind}_kept"] = np.minimum(amount, moved) if kind == "matured" else np.maximum(amount - moved, 0)
    return made


def _contacts(r: _Reader) -> dict[str, Any]:
    source = scan(r.engine, "contact", "ordinal", "contacted_on", "channel", "purpose", "outcome", "responded")
    bought = scan(r.engine, "transaction", "ordinal", "booked_on", "category")
    sent = "coalesce(purpose, 'marketing') = 'marketing'"
    delivered, reached = (
        f"coalesce(outcome, '') NOT IN {texts(UNDELIVERED)}",
        f"coalesce(outcome, '') NOT IN {texts(UNREACHED)}",
    )
    names = ("touches", "delivered", "responses", "reached", "met", "after", "after_reach")
    found = r.columns(
        f"WITH k AS (SELECT i, ordinal, {r.period('contacted_on')} AS m, count(*) FILTER ({sent}) AS touches,"
        f" count(*) FILTER ({sent} AND {delivered}) AS delivered,"
        f" count(*) FILTER ({sent} AND {delivered} AND responded) AS responses,"
        f" min(contacted_on) FILTER ({sent}) AS first_sent, min(contacted_on) FILTER ({sent} AND {reached}) AS first_reached,"
        f" coalesce(bool_or({reached} AND channel IN {texts(PERSONAL)}), FALSE) AS met FROM {source} c"
        f" JOIN {CHOSEN} USING (ordinal) WHERE contacted_on BETWEEN {r.since} AND {r.until} GROUP BY 1, 2, 3)"
        " SELECT k.i, k.m, any_value(touches) AS touches, any_value(delivered) AS delivered,"
        " any_value(responses) AS responses, any_value(first_reached) IS NOT NULL AS reached, any_value(met) AS met,"
        " coalesce(bool_or(b.booked_on BETWEEN first_sent AND first_sent + 30), FALSE) AS after,"
        " coalesce(bool_or(b.booked_on BETWEEN first_reached AND first_reached + 30), FALSE) AS after_reach"
        f" FROM k LEFT JOIN {bought} b ON b.ordinal = k.ordinal AND b.category = 'purchase' AND b.booked_on >= k.first_sent"
        " AND b.booked_on <= coalesce(k.first_reached, k.first_sent) + 30 GROUP BY 1, 2"
    )
    placed = dict(zip(names, r.place(found, *names), strict=True))
    return {
        "touches": placed["touches"], "delivered": placed["delivered"], "responses": placed["responses"],
        "contacted": placed["touches"] > 0, "reached": placed["reached"].astype(bool), "met": placed["met"].astype(bool),
        "bought_after_contact": placed["after"].astype(bool), "bought_after_reach": placed["after_reach"].astype(bool),
    }  # fmt: skip


def _service(r: _Reader) -> dict[str, Any]:
    source = scan(r.engine, "service", "ordinal", "happened_on", "kind")
    complaints = r.columns(
        f"SELECT i, {r.period('happened_on')} AS m, count(*) AS n FROM {source} s JOIN {CHOSEN} USING (ordinal)"
        f" WHERE kind = 'complaint' AND happened_on BETWEEN {r.since} AND {r.until} GROUP BY 1, 2"
    )
    consent = scan(r.engine, "consent", "ordinal", "channel", "purpose", "granted", "given_on")
    optouts = r.columns(
        f"SELECT i, {r.period('c.given_on')} AS m, count(*) AS n FROM {consent} c JOIN {CHOSEN} USING (ordinal)"
        f" WHERE NOT c.granted AND c.given_on BETWEEN {r.since} AND {r.until} AND EXISTS (SELECT 1 FROM {consent} b"
        " WHERE b.ordinal = c.ordinal AND b.channel = c.channel AND b.purpose = c.purpose AND b.granted"
        " AND b.given_on < c.given_on) GROUP BY 1, 2"
    )
    return {"complaints": r.place(complaints, "n")[0], "optouts": r.place(optouts, "n")[0]}


def _wecom(r: _Reader) -> dict[str, Any]:
    source = scan(r.engine, "account", "ordinal", "kind", "opened_on", "closed_on", "status")
    found = r.columns(
        "SELECT i, opened_on - DATE '1970-01-01' AS opened, coalesce(closed_on - DATE '1970-01-01',"
        f" CASE WHEN status = 'closed' THEN {NEVER} ELSE 9999999 END) AS closed FROM {source} a"
        f" JOIN {CHOSEN} USING (ordinal) WHERE kind = 'wecom'"
    )
    made = np.zeros((len(r.periods), r.n), dtype=bool)
    who = found["i"].astype(np.int64)
    for m, end in enumerate(_days(p.end for p in r.periods)):
        made[m, who[(found["opened"] <= end) & (found["closed"] > end)]] = True
    return {"wecom": made}


def _days(dates: Any) -> Ints:
    return np.array([(d - date(1970, 1, 1)).days for d in dates], dtype=np.int64)
