"""Occasions of a business date, found in the bank's tables by set: money that matures, large flows, tests that end, birthdays, churn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.data.tables import ASSETS
from kequn.core.engine.duck import Engine, quoted
from kequn.core.errors import KequnError
from kequn.core.spec.desk import Birthday, Churn, DeskPolicySpec, LargeFlow, Maturity, RiskExpiry

KINDS = ("matured", "maturing", "large_in", "large_out", "risk_expiry", "birthday", "churn")
"""Kinds found in the data; appointments, promises and lists sent down are known to the desk itself."""
LAST_PICTURE_DAYS = 62
"""Holdings are pictures at month ends: so far back lies the last one before a maturity."""
FLOW_DUE_DAYS, CHURN_DUE_DAYS = 1, 3
"""A large payment is called about within a day, a warning within three."""
EPOCH = date(2000, 1, 1)

Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Found:
    """Occasions of one kind, one row each, by customer and day (时机)."""

    kind: str
    ordinals: npt.NDArray[np.uint32]
    on: Days
    """The day it is about: the maturity, the payment, the end of the test, the birthday, the first day of the churn's span."""
    due: Days
    until: Days
    """The last day on which a call makes sense."""
    value: npt.NDArray[np.int64]
    """Fen at stake."""
    product: npt.NDArray[Any]
    """Code of the largest position it is about, or ""."""
    n: npt.NDArray[np.int32]
    """Positions or payments."""
    habit: npt.NDArray[np.int64]
    """Fen of her average day with payments in that direction; 0: none before, or another kind."""

    def __len__(self) -> int:
        return len(self.ordinals)


@dataclass(frozen=True, slots=True)
class _Asked:
    engine: Engine
    as_of: date
    day: date
    policy: DeskPolicySpec = field(repr=False)

    def run(self, step: str, **parameters: Any) -> dict[str, npt.NDArray[Any]]:
        query = (files("kequn.core.desk") / "sql" / f"{step}.sql").read_text(encoding="utf-8")
        named = {n: v for n, v in {"as_of": self.as_of, **parameters}.items() if f"${n}" in query}
        return self.engine.cursor().execute(query, named).fetchnumpy()


def occasions(
    engine: Engine, policy: DeskPolicySpec, *, as_of: date, day: date
) -> tuple[dict[str, Found], dict[str, str]]:
    """Return the occasions by kind that the data of ``as_of`` give for the working day ``day``, and why a kind was not looked for.

    Customers who died or left are in none. A kind whose tables or tag are not there is named with its reason, not guessed.
    """
    asked = _Asked(engine, as_of, day, policy)
    found: dict[str, Found] = {}
    missing: dict[str, str] = {}
    for kind in KINDS:
        if not policy.of(kind).is_on:
            missing[kind] = "off"
            continue
        absent = [t for t in _NEEDS[kind] if not engine.has(t)]
        if absent:
            missing[kind] = f"no data: {', '.join(absent)}"
            continue
        try:
            found[kind] = _FINDERS[kind](asked, kind)
        except KequnError as error:  # a tag that was not computed for the date
            missing[kind] = error.message
    return found, missing


def _maturities(asked: _Asked, kind: str) -> Found:
    rule: Maturity = getattr(asked.policy, kind)
    span = timedelta(days=rule.within_days)
    rows = asked.run(
        kind, families=list(rule.families), assets=list(ASSETS), floor=_fen(rule.from_cny), percent=rule.kept_percent,
        until=asked.as_of + span, since=asked.as_of - span,
        back=asked.as_of - span - timedelta(days=LAST_PICTURE_DAYS),
    )  # fmt: skip
    on = _days(rows["on"])
    if kind == "maturing":
        return _found(kind, rows, on=on, due=on, until=on)
    return _found(kind, rows, on=on, due=_same(asked.day, on), until=on + rule.stands_days)


def _flows(asked: _Asked, kind: str) -> Found:
    rule: LargeFlow = getattr(asked.policy, kind)
    since = asked.as_of - timedelta(days=rule.within_days)
    rows = asked.run(
        "flows", direction="in" if kind == "large_in" else "out", since=since, floor=_fen(rule.from_cny),
        percent=int(rule.times_habit * 100), habit_from=since - timedelta(days=rule.habit_days),
    )  # fmt: skip
    on = _days(rows["on"])
    return _found(kind, rows, on=on, due=on + FLOW_DUE_DAYS, until=on + rule.stands_days)


def _risk_tests(asked: _Asked, kind: str) -> Found:
    rule: RiskExpiry = asked.policy.risk_expiry
    rows = asked.run(
        kind, families=list(rule.families), floor=_fen(rule.from_cny),
        since=asked.day - timedelta(days=rule.back_days), until=asked.day + timedelta(days=rule.ahead_days),
    )  # fmt: skip
    on = _days(rows["on"])
    return _found(kind, rows, on=on, due=on, until=on + rule.stands_days)


def _birthdays(asked: _Asked, kind: str) -> Found:
    rule: Birthday = asked.policy.birthday
    by_name = _month_days(asked.day, rule.ahead_days)
    rows = asked.run(kind, days=list(by_name), assets=list(ASSETS), floor=_fen(rule.from_cny))
    on = np.array([by_name[d] for d in rows["month_day"]], dtype="datetime64[D]")
    return _found(kind, rows, on=on, due=on, until=on + rule.stands_days)


def _leaving(asked: _Asked, kind: str) -> Found:
    rule: Churn = asked.policy.churn
    tags = asked.engine.tags_query(asked.as_of, [rule.tag])
    column = quoted(rule.tag)
    if rule.values:
        query = f"SELECT ordinal FROM ({tags}) t WHERE list_contains(?, CAST(t.{column} AS VARCHAR)) ORDER BY ordinal"
        wanted = asked.engine.arrow(query, [list(rule.values)])
    else:
        query = f"SELECT ordinal FROM ({tags}) t WHERE t.{column} >= ? ORDER BY ordinal"
        wanted = asked.engine.arrow(query, [rule.from_value])
    asked.engine.register("desk_wanted", wanted)
    rows = asked.run("rich", assets=list(ASSETS), floor=_fen(rule.from_cny))
    span = (asked.day - EPOCH).days // rule.again_days * rule.again_days
    on = _same(EPOCH + timedelta(days=span), rows["ordinal"])
    day = _same(asked.day, on)
    return _found(kind, rows, on=on, due=day + CHURN_DUE_DAYS, until=day + rule.stands_days)


def balances_by_family(engine: Engine, ordinals: Iterable[int], *, as_of: date) -> dict[tuple[int, str], int]:
    """Return what some customers have in each family at the latest date of the data, fen by (ordinal, family)."""
    if not engine.has("holding"):
        return {}
    engine.register("desk_wanted", pa.table({"ordinal": pa.array(sorted(set(ordinals)), pa.uint32())}))
    query = (files("kequn.core.desk") / "sql" / "bases.sql").read_text(encoding="utf-8")
    rows = engine.cursor().execute(query, {"as_of": as_of}).fetchall()
    return {(ordinal, family): balance for ordinal, family, balance in rows}


Finder = Callable[[_Asked, str], Found]
_FINDERS: dict[str, Finder] = {
    "matured": _maturities, "maturing": _maturities, "large_in": _flows, "large_out": _flows,
    "risk_expiry": _risk_tests, "birthday": _birthdays, "churn": _leaving,
}  # fmt: skip
_NEEDS: dict[str, tuple[str, ...]] = {
    kind: ("customer", "transaction" if kind in ("large_in", "large_out") else "holding") for kind in KINDS
}


def _month_days(day: date, ahead: int) -> dict[str, date]:
    """Return the days from ``day`` on by month and day; who was born on 29 February has her day on the 28th in other years."""
    by_name: dict[str, date] = {}
    for d in (day + timedelta(days=n) for n in range(ahead + 1)):
        by_name[f"{d:%m-%d}"] = d
        if (d.month, d.day) == (2, 28) and (d + timedelta(days=1)).month == 3:
            by_name["02-29"] = d
    return by_name


def _found(kind: str, rows: dict[str, npt.NDArray[Any]], *, on: Days, due: Days, until: Days) -> Found:
    n = len(rows["ordinal"])
    product = rows.get("product")
    return Found(
        kind, rows["ordinal"].astype(np.uint32), on, due, until, rows["value"].astype(np.int64),
        np.full(n, "", dtype=object) if product is None else np.array([_text(p) for p in product], dtype=object),
        rows["n"].astype(np.int32) if "n" in rows else np.ones(n, dtype=np.int32),
        rows["habit"].astype(np.int64) if "habit" in rows else np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _days(column: npt.NDArray[Any]) -> Days:
    return np.asarray(column).astype("datetime64[D]")


def _same(day: date, like: npt.NDArray[Any]) -> Days:
    return np.full(len(like), np.datetime64(day, "D"))


def _fen(yuan: Decimal) -> int:
    return int(yuan * 100)
