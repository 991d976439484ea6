"""What apps above know of a customer and ownership needs: her segment, her value, when she was worked, what is open with her."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime

from kequn.ops.ownership.contracts import Brief, Doing

Briefs = Callable[[Collection[str]], Mapping[str, Brief]]
Members = Callable[[str, date | None], set[str]]
Doings = Callable[[Collection[str], date, Sequence[str], int], Mapping[str, Doing]]
Days = Callable[[], list[date]]
Contacts = Callable[[Collection[str]], set[str]]
Worked = Callable[[Collection[str], date | None, date | None], Mapping[str, tuple[date, date]]]
Matters = Callable[[Collection[str]], Iterable[str]]
Opportunities = Callable[[Collection[str], datetime], Iterable[str]]

_briefs: dict[str, Briefs] = {}
_members: dict[str, Members] = {}
_doings: dict[str, Doings] = {}
_days: dict[str, Days] = {}
_wecom: dict[str, Contacts] = {}
_worked: dict[str, Worked] = {}
_matters: dict[str, Matters] = {}
_tasks: dict[str, Matters] = {}
_opportunities: dict[str, Opportunities] = {}


def tell_customers(*, briefs: Briefs, members: Members, wecom: Contacts, doings: Doings, days: Days) -> None:
    """Name who knows tiers, segments, WeCom contacts and what customers did, and on which days.

    ``members(segment, day)`` gives ids, on the latest day where none is named; ``days()`` gives the business dates with tags,
    the earliest first.
    """
    _briefs["customers"], _members["customers"], _wecom["customers"] = briefs, members, wecom
    _doings["customers"], _days["customers"] = doings, days


def tell_work(source: str, *, worked: Worked, matters: Matters, opportunities: Opportunities, tasks: Matters) -> None:
    """Name who knows when customers were reached, with whom something is open, whose opportunity is worked, who has tasks.

    ``worked(ids, first, last)`` gives the first and the last day, within these days, on which each was reached.
    """
    _worked[source], _matters[source], _opportunities[source], _tasks[source] = worked, matters, opportunities, tasks


def briefs_of(customer_ids: Collection[str]) -> Mapping[str, Brief]:
    """Return what is known of some customers' value."""
    return _briefs["customers"](customer_ids) if "customers" in _briefs else {}


def members_of(segment: str, day: date | None = None) -> set[str]:
    """Return the ids of a segment's members on a day, the latest by default."""
    return _members["customers"](segment, day)


def doings_of(
    customer_ids: Collection[str], day: date, families: Sequence[str], repurchase_days: int
) -> Mapping[str, Doing]:
    """Return what customers had and did as of a day."""
    return _doings["customers"](customer_ids, day, families, repurchase_days)


def days_known() -> list[date]:
    """Return the business dates with tags, the earliest first."""
    return _days["customers"]() if "customers" in _days else []


def last_worked(customer_ids: Collection[str]) -> dict[str, date]:
    """Return the day on which each was last reached; who never was is absent."""
    latest: dict[str, date] = {}
    for source in _worked.values():
        for customer_id, (_first, day) in source(customer_ids, None, None).items():
            latest[customer_id] = max(day, latest.get(customer_id, day))
    return latest


def first_worked(customer_ids: Collection[str], first: date, last: date) -> dict[str, date]:
    """Return the first of the days from ``first`` to ``last`` on which each was reached; who was not is absent."""
    earliest: dict[str, date] = {}
    for source in _worked.values():
        for customer_id, (day, _last) in source(customer_ids, first, last).items():
            earliest[customer_id] = min(day, earliest.get(customer_id, day))
    return earliest


def with_open_matters(customer_ids: Collection[str]) -> set[str]:
    """Return with whom an appointment, a promise or a complaint is open."""
    return {c for source in _matters.values() for c in source(customer_ids)}


def with_opportunity(customer_ids: Collection[str], at: datetime) -> set[str]:
    """Return whose opportunity somebody works at a moment."""
    return {c for source in _opportunities.values() for c in source(customer_ids, at)}


def with_open_tasks(customer_ids: Collection[str]) -> set[str]:
    """Return about whom somebody still has something to do."""
    return {c for source in _tasks.values() for c in source(customer_ids)}


def on_wecom(customer_ids: Collection[str]) -> set[str]:
    """Return who of some customers has somebody of the bank among her WeCom contacts."""
    return _wecom["customers"](customer_ids) if customer_ids and "customers" in _wecom else set()
