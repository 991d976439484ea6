"""The board read from what is kept per day, and the day so far counted live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When

from kequn.core.errors import NotAllowed
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board.contracts import Board, Line
from kequn.ops.board.counting import add, counted
from kequn.ops.board.figures import FIGURES, FLOWS, LIVE, STOCKS
from kequn.ops.board.models import BoardDay, BranchFact, DayFigure, Target
from kequn.ops.board.periods import Period, name_of
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branches_for, staff_for
from kequn.ops.orgs.rights import OWN_BOOK
from kequn.ops.workbench.queries import follow_ups_for, tasks_for

MOST_STAFF = 300
"""From so many RMs on a board is by branch: nobody reads two thousand lines."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose figures an actor sees, narrowed to a branch or one member of staff where asked."""

    actor: Actor
    branch: Any
    """The branch drilled into, or ``None``."""
    staff_no: str

    def within(self, rows: QuerySet[Any], prefix: str = "") -> QuerySet[Any]:
        """Narrow rows that have ``branch_code`` and ``staff_no``."""
        if self.actor.role in OWN_BOOK:
            rows = rows.filter(staff_no=self.actor.staff_no).exclude(staff_no="")
        elif self.branch is not None or not self.actor.sees_all_branches:
            rows = rows.filter(**{f"{prefix}branch_code__in": self.branches().values("code")})
        return rows.filter(staff_no=self.staff_no) if self.staff_no else rows

    def branches(self) -> QuerySet[Any]:
        """Return the branches within it."""
        rows = branches_for(self.actor)
        return rows.filter(path__startswith=self.branch.path) if self.branch is not None else rows


def reach_of(actor: Actor, *, branch: str = "", staff_no: str = "") -> Reach:
    """Return what of the board an actor asks for and may see.

    Raises:
        NotAllowed: no right, or a branch or a person outside her scope; not there looks the same.
    """
    if actor.role in OWN_BOOK:
        actor.must("task.work")
        if branch or staff_no not in ("", actor.staff_no):
            raise NotAllowed("There is no such board in your scope.", branch=branch, staff=staff_no)
        return Reach(actor, None, actor.staff_no)
    actor.must("board.view")
    found = branches_for(actor).filter(code=branch).first() if branch else None
    if branch and found is None:
        raise NotAllowed("There is no such branch in your scope.", branch=branch)
    return Reach(actor, found, staff_no)


def board_for(
    actor: Actor, period: Period, *, by: str = "staff", branch: str = "", staff_no: str = "", live: bool = False
) -> Board:
    """Return the board of a period as far as its days are over, one line a member of staff or (``by="branch"``) a branch.

    ``live`` is the day so far, counted from the rows themselves: only what ``figures.LIVE`` names is known of it.
    """
    reach = reach_of(actor, branch=branch, staff_no=staff_no)
    until = bank_today() if live else min(period.last, bank_today() - timedelta(days=1))
    days = {} if live else {d.day: d for d in BoardDay.objects.filter(day__gte=period.first, day__lte=until)}
    last = max(days, default=None)
    cells = _live(reach, by) if live else _kept(reach, by, period.first, last)
    unknown = _unknown(days.values(), live=live)
    targets = {} if live else _targets(reach, by, period)
    lines = _lines(reach, by, cells, unknown, targets)
    total: dict[str, int] = {}
    for figures in cells.values():
        for code, n in figures.items():
            total[code] = total.get(code, 0) + n
    own = reach.staff_no or (reach.branch.code if reach.branch else actor.branch_code)
    heads = [line.heads for line in lines if line.heads]
    whole = Line(
        own, reach.branch.name if reach.branch else "", _shown(total, unknown), targets.get(own, {}),
        heads=sum(heads) if by == "branch" else len([line for line in lines if line.key]) or None,
        floor_m2=_floor(lines) if by == "branch" else _floor_of(own),
    )  # fmt: skip
    newest = days.get(last) if last else None
    return Board(
        period=period, until=last or until, computed_at=newest.computed_at if newest else None,
        data_on=newest.data_on if newest else None, by=by, branch=reach.branch.code if reach.branch else "",
        branch_name=reach.branch.name if reach.branch else "", lines=tuple(lines), total=whole,
        missing_days=0 if live else max((until - period.first).days + 1 - len(days), 0), is_live=live,
    )  # fmt: skip


def latest_day() -> date | None:
    """Return the newest day whose figures are kept."""
    return BoardDay.objects.order_by("-day").values_list("day", flat=True).first()


def by_day(actor: Actor, first: date, last: date, *, branch: str = "", staff_no: str = "") -> list[dict[str, Any]]:
    """Return the figures of each kept day, the earliest first: ``day`` and one column a figure (for charts)."""
    rows = reach_of(actor, branch=branch, staff_no=staff_no).within(
        DayFigure.objects.filter(day__gte=first, day__lte=last)
    )
    return list(rows.order_by("day").values("day").annotate(**{f"n_{code}": Sum(code) for code in FIGURES}))


def _kept(reach: Reach, by: str, first: date, last: date | None) -> dict[str, dict[str, int]]:
    """Return the sums of kept days by branch or person: flows over the days, stocks of the last one, in one query."""
    if last is None:
        return {}
    rows = reach.within(DayFigure.objects.filter(day__gte=first, day__lte=last)).order_by()
    key = "branch_code" if by == "branch" else "staff_no"
    sums: dict[str, Any] = {f"n_{code}": Sum(code) for code in FLOWS}
    sums |= {f"n_{code}": Sum(Case(When(day=last, then=F(code)), default=Value(0))) for code in STOCKS}
    found = rows.values(key).annotate(**sums)
    return {row[key]: {code: int(row[f"n_{code}"] or 0) for code in FIGURES} for row in found}


def _live(reach: Reach, by: str) -> dict[str, dict[str, int]]:
    system = system_actor()
    tasks = reach.within(tasks_for(system, state=None))
    contacts = reach.within(follow_ups_for(system), "task__")
    found: dict[tuple[str, str], dict[str, int]] = {}
    for (staff_no, branch_code), figures in counted(bank_today(), tasks, contacts).items():
        add(found, (branch_code if by == "branch" else staff_no, ""), figures)
    return {key: figures for (key, _), figures in found.items()}


def _unknown(days: Iterable[BoardDay], *, live: bool) -> frozenset[str]:
    """Return the figures that cannot be told: a flow needs its data on every day, a stock on the last."""
    if live:
        return frozenset(FIGURES) - frozenset(LIVE)
    found = sorted(days, key=lambda d: d.day)
    if not found:
        return frozenset(FIGURES)
    missing = {
        f.code
        for f in FIGURES.values()
        if f.needs and any(f.needs not in d.known for d in (found if f.kind == "flow" else found[-1:]))
    }
    return frozenset(missing)


def _shown(figures: Mapping[str, int], unknown: frozenset[str]) -> dict[str, int | None]:
    return {code: None if code in unknown else figures.get(code, 0) for code in FIGURES}


def _lines(
    reach: Reach, by: str, cells: Mapping[str, Mapping[str, int]], unknown: frozenset[str],
    targets: Mapping[str, Mapping[str, int]],
) -> list[Line]:  # fmt: skip
    if by == "branch":
        about = reach.branches().values_list("code", "name", "level")
        names = {code: name for code, name, _level in about}
        there = {code for code, _name, level in about if level == "branch"} | set(cells)
        heads = dict(_heads(reach))
        facts = BranchFact.objects.filter(branch_code__in=reach.branches().values("code"))
        floors = dict(facts.values_list("branch_code", "floor_m2"))
    else:
        staff = staff_for(reach.actor).exclude(staff_no="")
        staff = staff.filter(branch__path__startswith=reach.branch.path) if reach.branch else staff
        staff = staff.filter(staff_no=reach.staff_no) if reach.staff_no else staff
        people = [(u.staff_no, u.display_name, u.role) for u in staff]
        names = {number: name for number, name, _role in people}
        there = {number for number, _name, role in people if role in OWN_BOOK} | set(cells)
        heads, floors = {}, {}
    return [
        Line(
            key, names.get(key, key), _shown(cells.get(key, {}), unknown), targets.get(key, {}),
            heads=heads.get(key, 0) if by == "branch" else None, floor_m2=floors.get(key),
        )
        for key in sorted(there, key=lambda k: (k == "", k))
    ]  # fmt: skip


def _heads(reach: Reach) -> QuerySet[Any]:
    rms = staff_for(reach.actor, role="rm").filter(branch__in=reach.branches()).order_by()
    return rms.values_list("branch__code").annotate(n=Count("pk"))


def _targets(reach: Reach, by: str, period: Period) -> dict[str, dict[str, int]]:
    """Return the targets of the period by branch or staff, and under its own key that of the whole."""
    if not (name := name_of(period)):
        return {}
    own = reach.branch.code if reach.branch else reach.actor.branch_code
    rows = Target.objects.filter(period=name, campaign="").filter(Q(branch_code=own, staff_no="") | _mine(reach, by))
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.staff_no or row.branch_code, {})[row.metric] = row.amount
    return found


def _mine(reach: Reach, by: str) -> Q:
    if reach.staff_no:
        return Q(staff_no=reach.staff_no)
    inside = (
        Q()
        if reach.branch is None and reach.actor.sees_all_branches
        else Q(branch_code__in=reach.branches().values("code"))
    )
    return inside & (Q(staff_no="") if by == "branch" else ~Q(staff_no=""))


def _floor(lines: Iterable[Line]) -> Decimal | None:
    """Return the floor of all branches with RMs; ``None`` as soon as one is not known."""
    areas = [line.floor_m2 for line in lines if line.heads]
    return sum((a for a in areas if a is not None), Decimal(0)) if areas and None not in areas else None


def _floor_of(branch_code: str) -> Decimal | None:
    return BranchFact.objects.filter(branch_code=branch_code).values_list("floor_m2", flat=True).first()
