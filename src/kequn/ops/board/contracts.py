"""What pages, REST and files may hold of the board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from kequn.core.spec.base import Text
from kequn.core.stats.intervals import Interval
from kequn.ops.board.figures import PER
from kequn.ops.board.periods import Period


@dataclass(frozen=True, slots=True)
class Line:
    """One branch or one member of staff on the board. A figure that the data cannot tell is ``None``, never 0."""

    key: str
    """Branch code or staff number; empty for work and customers of nobody."""
    name: str
    figures: Mapping[str, int | None]
    targets: Mapping[str, int] = field(default_factory=dict)
    heads: int | None = None
    """RMs of a branch."""
    floor_m2: Decimal | None = None

    def per(self, code: str) -> int | None:
        """Return an output per RM or square metre in whole fen; ``None`` where a part of it is not known, or there is nobody."""
        figure, name = PER[code]
        value, over = self.figures.get(figure), self.heads if name == "heads" else self.floor_m2
        return None if value is None or not over else round(value / over)


@dataclass(frozen=True, slots=True)
class Board:
    """The work of a scope in a period."""

    period: Period
    until: date
    """The last day that counts."""
    computed_at: datetime | None
    """When that day was computed; ``None`` for the day so far."""
    data_on: date | None
    by: str
    """``branch`` or ``staff``."""
    branch: str
    """Code of the branch drilled into; empty for the whole scope."""
    branch_name: str
    lines: tuple[Line, ...]
    total: Line
    missing_days: int
    """Days of the period up to ``until`` whose figures were never computed: sums would be too small without a word."""
    is_live: bool = False
    passed: float = 0
    """The share of the period's working days that are over; 0 for a period that takes no targets."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A figure against its target: what share is done, and of the period's working days how many are over."""

    code: str
    done: int | None
    target: int
    passed: float

    @property
    def share(self) -> float | None:
        """Done ÷ target; ``None`` where either is unknown or the target is 0."""
        return None if self.done is None or not self.target else self.done / self.target

    @property
    def grade(self) -> str:
        """``ok`` at the pace of time, ``slow`` behind it, ``far`` behind by more than a fifth, ``none`` when unknown or too early."""
        share = self.share
        if share is None or not self.passed:
            return "none"
        return "ok" if share >= self.passed else "slow" if share >= 0.8 * self.passed else "far"


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing about an RM's records that is worth a look, with its evidence; it accuses nobody."""

    code: str
    staff_no: str
    name: str
    n: int
    """Records that were looked at."""
    found: int
    share: Interval | None
    """``None`` where fewer were looked at than ``floor``."""
    floor: int
    examples: tuple[Text, ...] = ()
    customers: int = 0
    why_not: Text | None = None
    """Why it is not told, where the data have no trace to compare with."""

    @property
    def is_small(self) -> bool:
        """Whether the sample is too small to say anything."""
        return self.why_not is None and self.n < self.floor


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who could take over tasks."""

    staff_no: str
    name: str
    branch_code: str
    works: bool
    capacity: int
    """Tasks a day; 0 when away."""
    due: int
    """Open tasks that are due by the evening of ``day``."""
    day: date
    """The day asked for: today, or the next on which the bank works."""

    @property
    def free(self) -> int:
        """Room for that day."""
        return max(self.capacity - self.due, 0)


@dataclass(frozen=True, slots=True)
class MovePlan:
    """Who would get which tasks, before it is done."""

    from_staff: str
    tasks: int
    moves: Mapping[str, tuple[int, ...]]
    """Staff number -> task numbers."""
    over: Mapping[str, int]
    """Staff number -> tasks beyond her room for that day."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """A large outflow before the branch head: who has it, and whether the customer was reached since."""

    task_id: int | None
    """``None``: the gate lets nobody call, so it is no task."""
    customer_id: str
    staff_no: str
    """Who works the task, or owns the customer; empty: nobody."""
    branch_code: str
    value_cny: Decimal
    raised_at: datetime
    blocked: tuple[str, ...]
    """The rules of the gate that keep everybody from calling."""
    state: str
    """``waiting``: nobody tried; ``tried``: not reached yet; ``reached``: contact confirmed."""
    last_at: datetime | None
    last_contact: str
    last_intent: str


@dataclass(frozen=True, slots=True)
class Left:
    """What of a target is still to be broken down; negative when more was given than there is."""

    parent: str
    """Branch code."""
    amount: int
    given: int

    @property
    def left(self) -> int:
        """Amount − given."""
        return self.amount - self.given
