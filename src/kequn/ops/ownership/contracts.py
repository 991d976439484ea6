"""What other apps and pages may hold of who has whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Brief:
    """What is said of a customer before somebody is responsible for her: no name, no number."""

    tier: str = ""
    """Value of the tag ``asset_tier``, empty where unknown."""
    tier_zh: str = ""
    tier_en: str = ""
    aum_fen: int | None = None
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class Doing:
    """What one customer had and did as of a day (客户池指标的底数)."""

    aum_fen: int = 0
    active_day: bool = False
    """Logged in, or made a payment herself, on the day."""
    active_month: bool = False
    """In the 30 days up to it."""
    bought_on: date | None = None
    """The day of the last purchase up to it; purchases long ago are not looked for."""
    bought_before: bool = False
    """Bought in the ``repurchase_days`` before these 30 days."""
    bought_lately: bool = False
    """Bought in the ``repurchase_days`` up to the day."""

    def bought_since(self, first: date) -> bool:
        """Return whether there was a purchase on a day or later."""
        return self.bought_on is not None and self.bought_on >= first


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """One customer without an owner, as who may claim her sees her (待分配客户)."""

    customer_id: str
    branch_code: str
    why: str
    """never, given_up, taken_back, loaded."""
    since: datetime | None
    tier_zh: str
    tier_en: str
    band: str
    """Key of ``bands.BANDS``: AUM in a wide band."""
    as_of: date | None


@dataclass(frozen=True, slots=True)
class StaffLoad:
    """What one relationship manager carries and could carry (负荷)."""

    staff_no: str
    name: str
    branch_code: str
    is_active: bool
    owned: int
    book_limit: int
    tasks_a_day: int
    skills: tuple[str, ...]
    languages: tuple[str, ...]
    away_until: date | None
    stand_in: str
    own_limit: bool = False
    """Whether the branch set a limit for her, instead of the policy's."""

    @property
    def room(self) -> int:
        """How many more she may be given; never below 0."""
        return max(0, self.book_limit - self.owned)


@dataclass(frozen=True, slots=True)
class Leaver:
    """Customers whose owner no longer works here: a fault until somebody has them."""

    staff_no: str
    name: str
    n: int


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who had a customer from when to when; ``None`` where nothing before or after is known."""

    staff_no: str
    begins: datetime | None
    ends: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a request about several customers: how many it was done for, and who was left and why."""

    done: tuple[str, ...]
    left: dict[str, str]
    """Customer -> protected, open_matter, taken, full."""
