"""Who the starter bank's customers are: one block of people with their roles, families, work, habits and consents.

The wealth of each is drawn first (calibrated in ``wealth``); everything else is drawn given it, so that groups
correlate with wealth as they do in a bank without bending its distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kequn.core.data.starter.draws import BLOCK, Bools, Floats, Ints, choose, choose_by, day, happens, stream
from kequn.core.data.starter.places import OTHER_CITIES, branch_weights, leaves
from kequn.core.data.starter.wealth import tier_of, wealth_of

ROLES = ("idle", "saver", "payroll", "public", "young", "pensioner", "merchant", "owner")
IDLE, SAVER, PAYROLL, PUBLIC, YOUNG, PENSIONER, MERCHANT, OWNER = range(8)

ROLE_BY_TIER = np.array([
    # idle, saver, payroll, public, young, pensioner, merchant, owner
    [0.86, 0.03, 0.04, 0.00, 0.04, 0.02, 0.01, 0.00],
    [0.13, 0.14, 0.33, 0.06, 0.13, 0.14, 0.065, 0.005],
    [0.03, 0.15, 0.33, 0.12, 0.03, 0.22, 0.09, 0.03],
    [0.01, 0.15, 0.29, 0.15, 0.01, 0.22, 0.07, 0.10],
    [0.00, 0.18, 0.25, 0.10, 0.00, 0.15, 0.05, 0.27],
    [0.00, 0.25, 0.10, 0.03, 0.00, 0.10, 0.02, 0.50],
    [0.00, 0.30, 0.05, 0.00, 0.00, 0.05, 0.00, 0.60],
])  # fmt: skip

#            idle saver payroll public young pensioner merchant owner
AGE_MEAN = (44.0, 52.0, 37.0, 41.0, 24.5, 67.0, 42.0, 48.0)
AGE_SPREAD = (15.0, 13.0, 8.0, 9.0, 3.2, 7.0, 9.0, 8.0)
AGE_LOW = (16.0, 7.0, 20.0, 23.0, 18.0, 55.0, 20.0, 26.0)
AGE_HIGH = (90.0, 88.0, 59.5, 59.9, 31.0, 92.0, 68.0, 75.0)
ACTIVE = (0.0, 0.72, 0.975, 0.98, 0.93, 0.92, 0.99, 0.96)
APP = (0.22, 0.50, 0.88, 0.90, 0.97, 0.34, 0.86, 0.85)
PAY_BY_TIER = np.array([4_800.0, 6_800.0, 10_500.0, 16_500.0, 27_000.0, 46_000.0, 60_000.0])

N_EMPLOYERS = 600
INDUSTRIES = (
    "制造业",
    "信息技术",
    "教育",
    "医疗卫生",
    "公共管理",
    "批发零售",
    "建筑业",
    "交通运输",
    "金融业",
    "住宿餐饮",
)
MERCHANT_KINDS = ("catering", "hotel", "leisure", "wholesale")
MERCHANT_INDUSTRIES = ("餐饮业", "住宿业", "休闲娱乐业", "批发业")
CYCLES = ("daily", "weekly", "monthly", "quarter_end", "year_end")


@dataclass(frozen=True, slots=True)
class Employers:
    """The companies whose wages the bank pays: industry, kind, payday, pay level, month of the bonus."""

    industry: Ints
    kind: Ints
    payday: Ints
    level: Floats
    bonus_month: Ints


def employers(seed: int) -> Employers:
    """Return the employers; the first sixth are public offices and institutions."""
    rng = stream(seed, "employers")
    public = np.arange(N_EMPLOYERS) < N_EMPLOYERS // 6
    industry = choose(rng, (0.24, 0.12, 0.05, 0.05, 0.0, 0.18, 0.12, 0.10, 0.06, 0.08), N_EMPLOYERS)
    kind = choose(rng, (0, 0, 0.18, 0.66, 0.16, 0), N_EMPLOYERS)
    return Employers(
        np.where(public, choose(rng, (0, 0, 0.35, 0.25, 0.40), N_EMPLOYERS), industry),
        np.where(public, choose(rng, (0.45, 0.55), N_EMPLOYERS), kind),
        np.array((5, 8, 10, 12, 15, 18, 20, 25, 28))[choose(rng, (1, 1, 4, 1, 4, 1, 2, 3, 1), N_EMPLOYERS)],
        rng.lognormal(0, 0.18, N_EMPLOYERS),
        np.array((1, 2, 12))[choose(rng, (0.6, 0.3, 0.1), N_EMPLOYERS)],
    )


@dataclass(frozen=True, slots=True)
class People:
    """One block of customers, a row each. Days are numbers since 1970-01-01; -1 stands for none or unknown."""

    block: int
    number: Ints
    role: Ints
    wealth: Floats
    tier: Ints
    male: Bools
    born: Ints
    birth_known: Bools
    age: Ints
    opened: Ints
    branch: Ints
    elsewhere: Ints
    area: Ints
    marital: Ints
    child_age: Ints
    education: Ints
    employer: Ints
    newcomer: Bools
    household: Ints
    active: Bools
    app: Bools
    lively: Floats
    pay: Floats
    bonus: Bools
    pension: Floats
    industry: Ints
    cycle: Ints
    turnover: Floats
    card: Bools
    mortgage: Floats
    car: Bools
    risk: Ints
    risk_on: Ints
    growth: Floats
    windfall: Floats
    leaving: Bools
    fallen: Floats
    closed: Ints
    frozen: Bools
    deceased: Bools
    staff: Bools
    suppressed: Bools
    vulnerable: Bools
    unpersonal: Bools
    managed: Bools
    rm_draw: Floats

    def __len__(self) -> int:
        return len(self.number)


def people(seed: int, block: int, as_of: date) -> People:
    """Make one block of ``BLOCK`` customers as they are on ``as_of``."""
    rng = stream(seed, "people", block)
    today = day(as_of)
    wealth = wealth_of(seed, block)
    tier = tier_of(wealth)
    role = choose_by(rng, ROLE_BY_TIER, tier)
    years = _ages(rng, role)
    born = today - np.floor(years * 365.25).astype(np.int64)
    age = np.floor(years).astype(np.int64)
    male = happens(rng, np.array((0.5, 0.44, 0.53, 0.5, 0.5, 0.43, 0.58, 0.68))[role], BLOCK)
    opened = _opened(rng, role, years, wealth, today)
    branch = choose(rng, branch_weights(), BLOCK)
    marital = _marital(rng, age)
    employer = _employer(rng, role)
    active = happens(rng, np.array(ACTIVE)[role], BLOCK)
    worth = active & (wealth >= 2_000)
    alike = np.where(happens(rng, 0.2, BLOCK), ~worth, worth)  # most couples bank together, one in five does not
    told = (marital == 1) & happens(rng, np.where(worth, 0.6, 0.36), BLOCK)
    household, spouse = _households(rng, block, male, years + 1_000.0 * alike, told)
    branch = np.where((spouse >= 0) & male, branch[spouse], branch)
    moved = happens(rng, 0.06, BLOCK) & (spouse < 0)
    firms = employers(seed)
    windfall = np.where(
        happens(rng, 0.04, BLOCK) & (wealth > 70_000) & (wealth < 3_000_000) & active, rng.integers(1, 4, BLOCK), 0
    )
    leaving = happens(rng, 0.03, BLOCK) & (tier >= 1) & active & (windfall == 0)
    idle_poor = ~active & (tier == 0)
    closed = np.where(happens(rng, 0.035, BLOCK) & idle_poor, today - rng.integers(5, 300, BLOCK), -1)
    return People(
        block=block,
        number=np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.int64),
        role=role,
        wealth=wealth,
        tier=tier,
        male=male,
        born=born,
        birth_known=~happens(rng, np.where(role == IDLE, 0.04, 0.004), BLOCK),
        age=age,
        opened=opened,
        branch=branch,
        elsewhere=np.where(moved, rng.integers(0, len(OTHER_CITIES), BLOCK), -1),
        area=_area(rng, branch),
        marital=marital,
        child_age=_child_age(rng, age, marital),
        education=_education(rng, role, age),
        employer=employer,
        newcomer=happens(rng, np.where(np.isin(role, (PAYROLL, YOUNG)), 0.16, 0.03), BLOCK),
        household=household,
        active=active,
        app=happens(rng, np.array(APP)[role], BLOCK),
        lively=rng.gamma(2.5, 0.4, BLOCK),
        pay=_pay(rng, employer, tier, firms),
        bonus=happens(rng, 0.55, BLOCK),
        pension=np.where(role == PENSIONER, rng.lognormal(8.2, 0.32, BLOCK).round(-1), 0.0),
        industry=choose(rng, (0.38, 0.10, 0.17, 0.35), BLOCK),
        cycle=choose_by(rng, np.array([[6, 2, 1, 1, 0.5], [3, 2, 3, 1, 1], [4, 3, 1, 1, 1], [1, 1, 4, 3, 2.5]]),
                        choose(rng, (0.38, 0.10, 0.17, 0.35), BLOCK)),
        turnover=rng.lognormal(10.9, 0.9, BLOCK) * np.where(role == OWNER, 3.0, 1.0),
        card=active & happens(rng, np.array((0.0, 0.16, 0.48, 0.60, 0.34, 0.10, 0.40, 0.60))[role], BLOCK),
        mortgage=_mortgage(rng, role, age, active),
        car=active & (age >= 20) & happens(rng, np.array((0, 0.12, 0.30, 0.40, 0.12, 0.06, 0.45, 0.60))[role], BLOCK),
        risk=choose(rng, (0.16, 0.34, 0.30, 0.15, 0.05), BLOCK) + 1,
        risk_on=_risk_day(rng, active, tier, opened, today),
        growth=rng.normal(np.where(active, 0.008, 0.0), 0.02, BLOCK),
        windfall=windfall.astype(np.float64),
        leaving=leaving,
        fallen=np.where(idle_poor & happens(rng, 0.16, BLOCK), rng.lognormal(8.3, 0.8, BLOCK), 0.0),
        closed=closed,
        frozen=happens(rng, 0.003, BLOCK),
        deceased=happens(rng, np.where(age >= 75, 0.015, 0.0004), BLOCK),
        staff=active & happens(rng, 0.004, BLOCK) & (role == PAYROLL),
        suppressed=happens(rng, 0.004, BLOCK),
        vulnerable=happens(rng, np.where(age >= 65, 0.06, 0.004), BLOCK),
        unpersonal=happens(rng, 0.012, BLOCK),
        managed=happens(rng, np.array((0.0, 0.012, 0.25, 0.88, 0.98, 1.0, 1.0))[tier], BLOCK) & (closed < 0),
        rm_draw=rng.random(BLOCK),
    )  # fmt: skip


def blocks(customers: int) -> list[tuple[int, int]]:
    """Return (block, customers in it) for a bank of this size."""
    full, rest = divmod(customers, BLOCK)
    return [(b, BLOCK) for b in range(full)] + ([(full, rest)] if rest else [])


def _ages(rng: np.random.Generator, role: Ints) -> Floats:
    years = rng.normal(np.array(AGE_MEAN)[role], np.array(AGE_SPREAD)[role])
    low, high = np.array(AGE_LOW)[role], np.array(AGE_HIGH)[role]
    outside = (years < low) | (years > high)
    return np.asarray(np.where(outside, rng.uniform(low, np.minimum(high, low + 25)), years), dtype=np.float64)


def _area(rng: np.random.Generator, branch: Ints) -> Ints:
    """0 urban, 1 county, 2 town: mostly as the branch, one in twelve anywhere."""
    usual = np.array([b.area for b in leaves()])[branch]
    anywhere = rng.integers(0, 3, len(branch))
    return np.asarray(np.where(happens(rng, 0.08, len(branch)), anywhere, usual), dtype=np.int64)


def _opened(rng: np.random.Generator, role: Ints, years: Floats, wealth: Floats, today: int) -> Ints:
    """Days of opening: a few new ones, most within twelve years, none before the customer was sixteen (or born)."""
    n = len(role)
    span = np.minimum((years - np.where(years < 18, 0, 16)) * 365.25, 9_500)
    tenure = rng.beta(1.1, 2.2, n) * span
    fresh = happens(rng, 0.022, n) & (wealth > 1)
    tenure = np.where(fresh, rng.uniform(1, 95, n), np.maximum(tenure, 120))
    return np.asarray(today - tenure, dtype=np.int64)


def _marital(rng: np.random.Generator, age: Ints) -> Ints:
    """0 single, 1 married, 2 divorced, 3 widowed, -1 not told (one in eight)."""
    table = np.array(
        [[1, 0, 0, 0], [0.72, 0.27, 0.01, 0], [0.14, 0.80, 0.06, 0], [0.05, 0.82, 0.09, 0.04], [0.02, 0.72, 0.05, 0.21]]
    )
    drawn = choose_by(rng, table, np.searchsorted(np.array((20, 30, 45, 65)), age, side="right").astype(np.int64))
    return np.asarray(np.where(happens(rng, 0.125, len(age)), -1, drawn), dtype=np.int64)


def _child_age(rng: np.random.Generator, age: Ints, marital: Ints) -> Ints:
    """Age of the youngest child; -1 none, -2 not told."""
    n = len(age)
    child = age - rng.normal(29, 3.5, n).astype(np.int64)
    has = (child >= 0) & happens(rng, np.array((0.0, 0.03, 0.84, 0.8, 0.9))[marital + 1], n)
    return np.asarray(np.where(marital < 0, -2, np.where(has, child, -1)), dtype=np.int64)


def _education(rng: np.random.Generator, role: Ints, age: Ints) -> Ints:
    """0 primary … 4 master; -1 unknown."""
    table = np.array([[0.05, 0.4, 0.3, 0.22, 0.03], [0.1, 0.45, 0.25, 0.17, 0.03], [0.01, 0.22, 0.32, 0.37, 0.08],
                      [0.0, 0.05, 0.22, 0.58, 0.15], [0.0, 0.2, 0.32, 0.42, 0.06], [0.25, 0.5, 0.15, 0.09, 0.01],
                      [0.06, 0.5, 0.3, 0.13, 0.01], [0.02, 0.25, 0.3, 0.33, 0.10]])  # fmt: skip
    drawn = choose_by(rng, table, role)
    return np.asarray(np.where(happens(rng, np.where(age < 18, 1.0, 0.3), len(role)), -1, drawn), dtype=np.int64)


def _employer(rng: np.random.Generator, role: Ints) -> Ints:
    """Position of the paying employer: sizes fall like 1/rank; two of three young people are paid through the bank."""
    n = len(role)
    offices = N_EMPLOYERS // 6
    public = choose(rng, 1 / (np.arange(offices) + 8.0), n)
    private = offices + choose(rng, 1 / (np.arange(N_EMPLOYERS - offices) + 8.0), n)
    paid = (role == PAYROLL) | (role == PUBLIC) | ((role == YOUNG) & happens(rng, 0.62, n))
    return np.asarray(np.where(paid, np.where(role == PUBLIC, public, private), -1), dtype=np.int64)


def _pay(rng: np.random.Generator, employer: Ints, tier: Ints, firms: Employers) -> Floats:
    pay = PAY_BY_TIER[tier] * firms.level[employer] * rng.lognormal(0, 0.28, len(tier))
    return np.asarray(np.where(employer >= 0, pay.round(-1), 0.0), dtype=np.float64)


def _mortgage(rng: np.random.Generator, role: Ints, age: Ints, active: Bools) -> Floats:
    """What is still owed in yuan; 0 for most."""
    n = len(role)
    share = np.array((0.0, 0.05, 0.26, 0.34, 0.06, 0.01, 0.24, 0.28))[role]
    owes = active & (age >= 24) & (age <= 58) & happens(rng, share, n)
    return np.asarray(np.where(owes, rng.lognormal(13.2, 0.5, n).round(-2), 0.0), dtype=np.float64)


def _risk_day(rng: np.random.Generator, active: Bools, tier: Ints, opened: Ints, today: int) -> Ints:
    """Day of the latest risk test; one in six has run out; -1 never tested."""
    n = len(tier)
    chance = np.where(active, np.array((0.25, 0.78, 0.90, 0.95, 0.97, 0.98, 0.98))[tier], 0.06)
    ago = np.where(happens(rng, 0.84, n), rng.integers(0, 330, n), rng.integers(366, 1_100, n))
    return np.asarray(np.where(happens(rng, chance, n), np.maximum(today - ago, opened), -1), dtype=np.int64)


def _households(rng: np.random.Generator, block: int, male: Bools, rank: Floats, told: Bools) -> tuple[Ints, Ints]:
    """Marry those who told of a spouse, of about the same rank; return household and spouse, -1 for none.

    A household is known by the position of the wife.
    """
    household, spouse = np.full((2, len(male)), -1, dtype=np.int64)
    wives, husbands = (np.flatnonzero(told & (male == sex)) for sex in (False, True))
    near = rank + rng.normal(0, 3.0, len(male))
    pairs = min(len(wives), len(husbands))
    w = wives[np.argsort(-near[wives], kind="stable")][:pairs]
    h = husbands[np.argsort(-near[husbands], kind="stable")][:pairs]
    household[w] = household[h] = block * BLOCK + w
    spouse[w], spouse[h] = h, w
    return household, spouse
