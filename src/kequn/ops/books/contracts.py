"""What pages, REST and the command line hold of a book: a filter, a row, a page of rows, a round, a day of visits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from kequn.ops.customers.contracts import MaskedPerson


@dataclass(frozen=True, slots=True)
class TagTest:
    """One condition on a tag of the catalogue: ``asset_fund >= 10000`` (money in yuan)."""

    tag: str
    op: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.tag}:{self.op}:{self.value}"


@dataclass(frozen=True, slots=True)
class BookFilter:
    """Who is wanted of a book, in which order, with which columns. Empty conditions ask nothing; all asked must hold.

    A customer of whom a fact is not known meets no condition on it. Amounts are yuan.
    """

    tier: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    aum_min: Decimal | None = None
    aum_max: Decimal | None = None
    change_min: Decimal | None = None
    """Change of AUM over 30 days, without market movements."""
    change_max: Decimal | None = None
    contact: str = ""
    """``within7``: contacted within so many days; ``silent90``: not for so many days, or never; ``never``."""
    due: str = ""
    """``overdue``, ``today``, ``week`` or ``none``."""
    held: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    maturing: int | None = None
    """Something matures within so many days from today."""
    month: int | None = None
    """Of birth."""
    circle: int | None = None
    segment: str = ""
    reach: str = ""
    """A channel by which the gate would let marketing pass, now or later today."""
    tests: tuple[TagTest, ...] = ()
    staff: str = ""
    branch: str = ""
    sort: str = "-aum"
    show: tuple[str, ...] = ()
    """Columns besides the customer; the usual ones where none are named."""


@dataclass(frozen=True, slots=True)
class BookRow:
    """One customer of a list."""

    person: MaskedPerson
    tier: str | None
    stage: str | None
    aum: Decimal | None
    change: Decimal | None
    contact: date | None
    due: datetime | None
    matures: date | None
    products: int | None
    risk_expires: date | None
    birthday: str | None
    silent: int | None
    """Days since she last made a transaction of her own will."""
    circles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BookPage:
    """One page of a book, with what all its rows come to."""

    as_of: date | None
    """The business date of the data; ``None`` where there are none yet."""
    book: int
    """Customers in reach before the filter."""
    total: int
    listed: int
    """At most `MOST_LISTED`."""
    page: int
    size: int
    rows: tuple[BookRow, ...]
    aum: Decimal
    aum_known: int
    change: Decimal
    change_known: int
    circles: dict[int, str]
    """The circles in sight, to filter by."""
    today: date


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a round is."""

    total: int
    by_state: dict[str, int]
    by_reason: dict[str, int]

    @property
    def decided(self) -> int:
        """Lines that are not to do any more."""
        return self.total - self.by_state.get("todo", 0)


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What the data say of a customer beside her line of a round."""

    row: BookRow
    status: str | None
    phone: str
    """``no_phone``, ``dead_number``, ``wrong_person``, ``connected`` or empty: nothing is known."""
    duplicates: tuple[MaskedPerson, ...]
    """Others of the same book with the same phone or document."""
    city: str | None
    branch_city: str
    is_merchant: bool | None
    merchant_days: int | None
    suggestion: str
    """``confirm``, ``correct``, ``group`` or ``give_up``: where the data point; the RM decides."""
    grounds: tuple[str, ...]
    """Codes of why."""


@dataclass(frozen=True, slots=True)
class VisitLine:
    """One visit as the route shows it."""

    id: int
    position: int
    person: MaskedPerson | None
    """``None``: she is not in the RM's book any more."""
    customer_id: str
    state: str
    codes: tuple[str, ...]
    task_id: int | None
    contact: str
    intent: str
    at: datetime | None
    note: str
    amount_cny: Decimal | None


@dataclass(frozen=True, slots=True)
class VisitSummary:
    """What came of a day's visits."""

    planned: int
    met: int
    not_met: int
    blocked: int
    dropped: int
    waiting: int
    intents: dict[str, int]
    amount_cny: Decimal
