"""What a segment answered before: responses by channel, by hour and by campaign, few ones drawn towards the bank's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy.typing as npt
from scipy import stats

from kequn.core.engine.duck import Engine
from kequn.core.insight.monthly import UNDELIVERED
from kequn.core.insight.people import MINIMUM, PEOPLE, register_people, withhold
from kequn.core.insight.periods import scan, texts
from kequn.core.stats import proportion_interval

STRENGTH = 20
"""The bank's rate counts as so many contacts of the segment."""
LEVEL = 0.95
DAYS = 365
HOURS = ((0, 8), (8, 10), (10, 12), (12, 14), (14, 17), (17, 19), (19, 21), (21, 24))
MOST_CAMPAIGNS = 12


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a segment answered one kind of contact. Withheld where 1 to 4 were delivered."""

    key: str
    n: int | None
    k: int | None
    smoothed: float | None
    """(k + 20 × bank's rate) ÷ (n + 20)."""
    low: float | None
    high: float | None
    bank_n: int
    bank_rate: float | None
    is_few: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """Channel and hour preference, and what was answered before (渠道、时段与历史响应)."""

    since: date
    until: date
    n: int
    """Marketing contacts delivered to the segment."""
    k: int
    bank_n: int
    bank_k: int
    never: int
    """Members who were not addressed at all."""
    size: int
    channels: tuple[Rate, ...]
    hours: tuple[Rate, ...]
    """Of the responses with an hour: the share within each span of hours ("8-10")."""
    campaigns: tuple[Rate, ...]
    """By campaign, the most delivered first; the rates are not smoothed and their interval is Wilson's."""


def answers_of(
    engine: Engine, members: npt.NDArray[Any], population: npt.NDArray[Any], *, as_of: date, days: int = DAYS
) -> Answers:
    """Return how a segment (ordinals) answered marketing within ``days``, against a population (ordinals).

    Smoothed rates are means of the posterior Beta(k + s·p0, n − k + s·(1 − p0)), with p0 the bank's rate and s 20, and
    the interval is its central 95% (empirical Bayes: Efron and Morris 1975). Undelivered contacts do not count.
    """
    size, _ = register_people(engine, members, population)
    since = as_of - timedelta(days=days - 1)
    source = scan(engine, "contact", "ordinal", "contacted_on", "channel", "purpose", "outcome", "responded",
                  "response_hour", "campaign")  # fmt: skip
    marketing = (
        f"FROM {source} c JOIN {PEOPLE} USING (ordinal) WHERE contacted_on BETWEEN ? AND ?"
        " AND coalesce(purpose, 'marketing') = 'marketing'"
    )
    rows = engine.rows(
        "SELECT channel, campaign, response_hour, is_member, coalesce(responded, FALSE), count(*)"
        f" {marketing} AND coalesce(outcome, '') NOT IN {texts(UNDELIVERED)} GROUP BY ALL",
        [since, as_of],
    )
    channels = _counted((channel, mine, answered, n) for channel, _, _, mine, answered, n in rows)
    campaigns = _counted((name, mine, answered, n) for _, name, _, mine, answered, n in rows if name)
    by_hour = _counted((hour, mine, True, n) for _, _, hour, mine, answered, n in rows if answered)
    query = f"SELECT count(DISTINCT ordinal) {marketing} AND is_member"
    never = size - engine.rows(query, [since, as_of])[0][0]
    n, k, bank_n, bank_k = (sum(c[j] for c in channels.values()) for j in range(4))
    told = sorted(campaigns.items(), key=lambda item: (-item[1][0], item[0]))[:MOST_CAMPAIGNS]
    return Answers(
        since, as_of, n, k, bank_n, bank_k, never, size,
        tuple(_smoothed(key, *found) for key, found in sorted(channels.items(), key=lambda item: -item[1][2])),
        _hours(by_hour),
        tuple(_plain(key, *found) for key, found in told if found[0]),
    )  # fmt: skip


def _counted(rows: Iterable[tuple[Any, bool, bool, int]]) -> dict[str, tuple[int, int, int, int]]:
    """Key -> contacts and responses of the segment, then of everybody; rows without a key are left out."""
    found: dict[str, list[int]] = {}
    for key, mine, answered, n in rows:
        if key is None:
            continue
        counts = found.setdefault(str(key), [0, 0, 0, 0])
        for place, counts_here in enumerate((mine, mine and answered, True, answered)):
            counts[place] += n * counts_here
    return {key: (c[0], c[1], c[2], c[3]) for key, c in found.items()}


def _hours(by_hour: dict[str, tuple[int, int, int, int]]) -> tuple[Rate, ...]:
    n, bank_n = (sum(c[j] for c in by_hour.values()) for j in (0, 2))
    made = []
    for first, last in HOURS if n or bank_n else ():
        inside = [c for hour, c in by_hour.items() if first <= int(hour) < last]
        k, bank_k = (sum(c[j] for c in inside) for j in (0, 2))
        made.append(_smoothed(f"{first}-{last}", n, k, bank_n, bank_k))
    return tuple(made)


def _smoothed(key: str, n: int, k: int, bank_n: int, bank_k: int) -> Rate:
    if not bank_n or withhold(n):
        return Rate(key, None, None, None, None, None, bank_n, bank_k / bank_n if bank_n else None, True)
    prior = min(max(bank_k / bank_n, 0.5 / bank_n), 1 - 0.5 / bank_n)
    a, b = k + STRENGTH * prior, n - k + STRENGTH * (1 - prior)
    low, high = (float(stats.beta.ppf(q, a, b)) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Rate(key, n, k, a / (a + b), low, high, bank_n, bank_k / bank_n, n < MINIMUM)


def _plain(key: str, n: int, k: int, bank_n: int, bank_k: int) -> Rate:
    if withhold(n):
        return Rate(key, None, None, None, None, None, bank_n, bank_k / bank_n, True)
    rate = proportion_interval(k, n, LEVEL)
    return Rate(key, n, k, rate.point, rate.low, rate.high, bank_n, bank_k / bank_n, n < MINIMUM)
