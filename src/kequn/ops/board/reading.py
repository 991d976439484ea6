"""The board read from what is kept per day, and the day so far counted live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField, Case, CharField, Count, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Cast

from kequn.core.errors import NotAllowed
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board.contracts import Board, Line
from kequn.ops.board.counting import add, counted
from kequn.ops.board.figures import FIGURES, FLOWS, GAINED, LIVE, STOCKS
from kequn.ops.board.models import BoardDay, BranchFact, DayFigure, Target
from kequn.ops.board.periods import Period, name_of
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branches_for, staff_for, staff_numbered
from kequn.ops.orgs.rights import OWN_BOOK
from kequn.ops.ownership.queries import own_days, working_days
from kequn.ops.workbench.queries import follow_ups_for, tasks_for

CALENDAR = "calendar"
"""What marks a day of the bank's own calendar among targets."""
LEAF = "branch"
"""The level of a branch that has none below it."""
NEWEST = 70
"""Days: a report compares its week with the one before it and has the month so far beside it."""


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

    @property
    def has_branches(self) -> bool:
        """Whether it may have more than one branch."""
        if self.staff_no:
            return False
        level = self.branch.level if self.branch is not None else self.actor.branch_level
        return level not in ("", LEAF) or (self.branch is None and self.actor.sees_all_branches)

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


def person_on_board(actor: Actor, staff_no: str) -> Any:
    """Return one whose work an actor sees: of her branches, also who was shut out, or who moved on and left tasks there.

    Raises:
        NotAllowed: nobody such in her scope.
    """
    person = staff_for(actor, gone=True).filter(staff_no=staff_no).exclude(staff_no="").first()
    if person is None and actor.may("task.view") and tasks_for(actor, state=None, staff_no=staff_no).exists():
        person = staff_numbered([staff_no]).first()
    if person is None or (actor.role in OWN_BOOK and staff_no != actor.staff_no):
        raise NotAllowed("There is no such member of staff in your scope.", staff=staff_no)
    return person


def board_for(
    actor: Actor, period: Period, *, by: str = "staff", branch: str = "", staff_no: str = "", live: bool = False
) -> Board:
    """Return the board of a period as far as its days are over, one line a member of staff or (``by="branch"``) a branch.

    With ``by=""`` it has a line a branch where there are several to see, else one a member of staff.
    ``live`` is the day so far, counted from the rows themselves: only what ``figures.LIVE`` names is known of it.
    """
    return boards_for(actor, [period], by=by, branch=branch, staff_no=staff_no, live=live)[0]


def boards_for(
    actor: Actor,
    periods: Sequence[Period],
    *,
    by: str = "",
    branch: str = "",
    staff_no: str = "",
    live: bool = False,
    kept: Mapping[date, BoardDay] | None = None,
) -> list[Board]:
    """Return the boards of several periods; what they share is read once. ``kept``: the days as ``newest_days`` read them."""
    reach = reach_of(actor, branch=branch, staff_no=staff_no)
    by = by or ("branch" if reach.has_branches else "staff")
    yesterday = bank_today() - timedelta(days=1)
    first, end = min(p.first for p in periods), min(max(p.last for p in periods), yesterday)
    if live or kept is None:
        kept = {} if live else {d.day: d for d in BoardDay.objects.filter(day__gte=first, day__lte=end)}
    people = _people(reach, by)
    targets, calendar = ({}, {}) if live else _targets(reach, by, periods)
    ends = [bank_today() if live else min(p.last, yesterday) for p in periods]
    of_period = [
        {day: d for day, d in kept.items() if p.first <= day <= until} for p, until in zip(periods, ends, strict=True)
    ]
    spans = [(p.first, _told_on(p, days)) for p, days in zip(periods, of_period, strict=True)]
    sums = [_live(reach, by)] if live else _kept(reach, by, spans)
    found = []
    for period, until, days, (_first, told_on), cells in zip(periods, ends, of_period, spans, sums, strict=True):
        unknown = _unknown(days, told_on, live=live)
        last = told_on[-1] if told_on else None
        newest = days[last] if last else None
        lines, total = _lines(reach, people, cells, unknown, targets.get(name_of(period), {}))
        found.append(Board(
            period=period, until=last or until, computed_at=newest.computed_at if newest else None,
            data_on=newest.data_on if newest else None, by=by, branch=reach.branch.code if reach.branch else "",
            branch_name=reach.branch.name if reach.branch else "", lines=lines, total=total,
            missing_days=0 if live else max((until - period.first).days + 1 - len(days), 0), is_live=live,
            passed=_passed(period, last or until, calendar) if name_of(period) in targets else 0,
        ))  # fmt: skip
    return found


def newest_days() -> dict[date, BoardDay]:
    """Return the newest of the days whose figures are kept: enough for a month and the week before it."""
    return {d.day: d for d in BoardDay.objects.order_by("-day")[:NEWEST]}


def latest_day() -> date | None:
    """Return the newest day whose figures are kept."""
    return BoardDay.objects.order_by("-day").values_list("day", flat=True).first()


def by_day(
    actor: Actor, first: date, last: date, codes: Iterable[str] = FIGURES, *, branch: str = "", staff_no: str = ""
) -> list[dict[str, Any]]:
    """Return figures of each kept day, the earliest first: ``day`` and ``n_<figure>`` (for charts)."""
    rows = reach_of(actor, branch=branch, staff_no=staff_no).within(
        DayFigure.objects.filter(day__gte=first, day__lte=last)
    )
    return list(rows.order_by("day").values("day").annotate(**{f"n_{code}": Sum(code) for code in codes}))


def _told_on(period: Period, days: Iterable[date]) -> tuple[date, ...]:
    """Return the days whose gain in assets makes that of a period: the last one kept, of a quarter that of each month."""
    last = tuple({(d.year, d.month): d for d in sorted(days)}.values())
    return last if period.span == "quarter" else last[-1:]


def _kept(reach: Reach, by: str, spans: Sequence[tuple[date, tuple[date, ...]]]) -> list[dict[str, dict[str, int]]]:
    """Return for each span the sums of kept days by branch or person: flows over the days, stocks of the last one, in one query.

    With its first day a span has those on which the gain in assets is told.
    """
    there = [(i, first, told_on) for i, (first, told_on) in enumerate(spans) if told_on]
    cells: list[dict[str, dict[str, int]]] = [{} for _ in spans]
    if not there:
        return cells
    key = "branch_code" if by == "branch" else "staff_no"
    wanted, sums = Q(), dict[str, Any]()
    for i, first, told_on in there:
        inside = Q(day__gte=first, day__lte=told_on[-1])
        wanted |= inside
        sums |= {f"n{i}_{code}": Sum(code, filter=inside) for code in FLOWS}
        sums |= {f"n{i}_{code}": Sum(code, filter=Q(day=told_on[-1])) for code in STOCKS}
        sums[f"n{i}_{GAINED}"] = Sum(GAINED, filter=Q(day__in=told_on))
        sums[f"rows{i}"] = Count("pk", filter=inside)
    for row in reach.within(DayFigure.objects.filter(wanted)).order_by().values(key).annotate(**sums):
        for i, _first, _told_on in there:
            if row[f"rows{i}"]:
                cells[i][row[key]] = {code: int(row[f"n{i}_{code}"] or 0) for code in FIGURES}
    return cells


def _live(reach: Reach, by: str) -> dict[str, dict[str, int]]:
    system = system_actor()
    tasks = reach.within(tasks_for(system, state=None))
    contacts = reach.within(follow_ups_for(system), "task__")
    found: dict[tuple[str, str], dict[str, int]] = {}
    for (staff_no, branch_code), figures in counted(bank_today(), tasks, contacts).items():
        add(found, (branch_code if by == "branch" else staff_no, ""), figures)
    return {key: figures for (key, _), figures in found.items()}


def _unknown(days: Mapping[date, BoardDay], told_on: Sequence[date], *, live: bool) -> frozenset[str]:
    """Return the figures that cannot be told: a flow needs its data on every day, a stock on the last, the gain when it is told."""
    if live:
        return frozenset(FIGURES) - frozenset(LIVE)
    if not days:
        return frozenset(FIGURES)

    def needed(code: str) -> Iterable[date]:
        return told_on if code == GAINED else days if FIGURES[code].kind == "flow" else told_on[-1:]

    return frozenset(
        f.code for f in FIGURES.values() if f.needs and any(f.needs not in days[d].known for d in needed(f.code))
    )


def _shown(figures: Mapping[str, int], unknown: frozenset[str]) -> dict[str, int | None]:
    return {code: None if code in unknown else figures.get(code, 0) for code in FIGURES}


@dataclass(frozen=True, slots=True)
class _People:
    """Who is on a board, beside those who have figures."""

    names: Mapping[str, str]
    there: frozenset[str]
    heads: Mapping[str, int]
    floors: Mapping[str, Decimal | None]
    floor_m2: Decimal | None
    """The floor of the whole."""


def _people(reach: Reach, by: str) -> _People:
    own = reach.branch.code if reach.branch else reach.actor.branch_code
    if by == "branch":
        fact = BranchFact.objects.filter(branch_code=OuterRef("code")).values("floor_m2")
        about = list(reach.branches().values_list("code", "name", "level", Subquery(fact[:1])))
        heads, floors = dict(_heads(reach)), {code: area for code, _name, _level, area in about if area is not None}
        areas = [floors.get(code) for code in heads]
        whole = sum((a for a in areas if a is not None), Decimal(0)) if areas and None not in areas else None
        leaves = frozenset(code for code, _name, level, _area in about if level == LEAF)
        return _People({code: name for code, name, _level, _area in about}, leaves, heads, floors, whole)
    staff = staff_for(reach.actor, gone=True).exclude(staff_no="")
    staff = staff.filter(branch__path__startswith=reach.branch.path) if reach.branch else staff
    staff = staff.filter(staff_no=reach.staff_no) if reach.staff_no else staff
    fact = BranchFact.objects.filter(branch_code=own).values("floor_m2")
    people, floor = [], None
    rows = staff.values_list("staff_no", "display_name", "role", "is_active", Subquery(fact[:1]))
    for number, name, role, is_active, area in rows:
        people.append((number, name, role if is_active else ""))
        floor = None if reach.staff_no else area
    if not people and not reach.staff_no:
        floor = fact.values_list("floor_m2", flat=True).first()
    working = frozenset(number for number, _name, role in people if role in OWN_BOOK)
    return _People({number: name for number, name, _role in people}, working, {}, {}, floor)


def _lines(
    reach: Reach, people: _People, cells: Mapping[str, Mapping[str, int]], unknown: frozenset[str],
    targets: Mapping[str, Mapping[str, int]],
) -> tuple[tuple[Line, ...], Line]:  # fmt: skip
    """Return a line for everybody who is there or has figures, and the line of the whole."""
    there = sorted({*people.there, *cells}, key=lambda k: (k == "", k))
    lines = tuple(
        Line(
            key, people.names.get(key, key), _shown(cells.get(key, {}), unknown), targets.get(key, {}),
            heads=people.heads.get(key, 0) if people.heads else None, floor_m2=people.floors.get(key),
        )
        for key in there
    )  # fmt: skip
    total: dict[str, int] = {}
    for figures in cells.values():
        for code, n in figures.items():
            total[code] = total.get(code, 0) + n
    own = reach.staff_no or (reach.branch.code if reach.branch else reach.actor.branch_code)
    heads = sum(people.heads.values()) or len(people.there) or None
    whole = Line(
        own,
        reach.branch.name if reach.branch else "",
        _shown(total, unknown),
        targets.get(own, {}),
        heads=heads,
        floor_m2=people.floor_m2,
    )
    return lines, whole


def _heads(reach: Reach) -> QuerySet[Any]:
    rms = staff_for(reach.actor, role="rm").filter(branch__in=reach.branches()).order_by()
    return rms.values_list("branch__code").annotate(n=Count("pk"))


def _passed(period: Period, until: date, calendar: Mapping[date, bool]) -> float:
    days = working_days(period.first, period.last, calendar)
    return sum(day <= until for day in days) / max(len(days), 1)


def _targets(
    reach: Reach, by: str, periods: Iterable[Period]
) -> tuple[dict[str, dict[str, dict[str, int]]], dict[date, bool]]:
    """Return by the periods' names the targets of branches or staff, and under its own key that of the whole.

    With them, in the same question, come the days on which the bank works by its own word or does not.
    """
    named = {name: period for period in periods if (name := name_of(period))}
    if not named:
        return {}, {}
    own = reach.branch.code if reach.branch else reach.actor.branch_code
    rows = Target.objects.filter(period__in=named, campaign="").filter(
        Q(branch_code=own, staff_no="") | _mine(reach, by)
    )
    first, last = min(p.first for p in named.values()), max(p.last for p in named.values())
    works = Case(When(works=True, then=1), default=0, output_field=BigIntegerField())
    days = own_days(first, last).values_list(Cast("day", CharField()), Value(""), Value(""), Value(CALENDAR), works)
    asked = rows.order_by().values_list("period", "staff_no", "branch_code", "metric", "amount").union(days, all=True)
    found: dict[str, dict[str, dict[str, int]]] = {}
    calendar: dict[date, bool] = {}
    for period, staff_no, branch_code, metric, amount in asked:
        if metric == CALENDAR:
            calendar[date.fromisoformat(period)] = bool(amount)
            continue
        mine = found.setdefault(period, {}).setdefault(staff_no or branch_code, {})
        mine[metric] = mine.get(metric, 0) + amount  # who changed branches has a part in each
    return found, calendar


def _mine(reach: Reach, by: str) -> Q:
    if reach.staff_no:
        return Q(staff_no=reach.staff_no)
    inside = (
        Q()
        if reach.branch is None and reach.actor.sees_all_branches
        else Q(branch_code__in=reach.branches().values("code"))
    )
    return inside & (Q(staff_no="") if by == "branch" else ~Q(staff_no=""))
