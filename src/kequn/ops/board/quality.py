"""Signals about records that are worth a look: what was found, of how many, and how sure; they accuse nobody."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

from kequn.core.errors import Conflict, UnknownDefinition
from kequn.core.gate import is_quiet
from kequn.core.insight.periods import scan
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import ContactPolicySpec
from kequn.core.stats.intervals import proportion_interval
from kequn.ops.audiences.queries import customer_ids
from kequn.ops.board.contracts import Signal
from kequn.ops.board.counting import bounds
from kequn.ops.board.reading import reach_of
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.queries import revealed_between
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.runtime import engine
from kequn.ops.workbench.queries import follow_ups_for

FLOOR = 20
"""Fewer records say nothing about a habit: they are shown as too small a sample."""
REPEATED = 5
"""So often the same note counts as repeated."""
SHORTEST_NOTE = 4
"""Letters; shorter notes are alike by nature."""
SECONDS = 20
"""Two results entered within so many seconds cannot both be written after a talk."""
MOST_RECORDS = 40_000
EXAMPLES = 3
PLAIN = re.compile(r"[\W\d_]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of signal: its words, and from what share on (lower limit) it is pointed at."""

    code: str
    title: Text
    means: Text
    noted_from: float


KINDS: dict[str, Kind] = {
    k.code: k
    for k in (
        Kind("no_call", Text(zh="接通但没有通话痕迹", en="Reached, but no trace of a call"),
             Text(zh="电话任务登记了接通，而当天没有查看过号码、也没有话务记录。可能用了别的电话；请先了解情况。",
                  en="A call was recorded as reached, but that day the number was not shown and no call was logged. "
                     "Another telephone may have been used; ask first."), 0.2),
        Kind("same_note", Text(zh="重复的备注", en="Repeated notes"),
             Text(zh="去掉标点和数字后一字不差、出现 5 次以上的备注。可能是惯用短语；也可能没有记下客户真正说的话。",
                  en="Notes that are the same word for word, 5 times or more. They may be a set phrase, or leave out what "
                     "the customer said."), 0.3),
        Kind("burst", Text(zh="短时间内连续登记", en="Recorded in quick succession"),
             Text(zh="与上一条相隔不到 20 秒的登记。可能是事后集中补录；补录请用批量登记。",
                  en="Recorded within 20 seconds of the one before. They may have been entered afterwards; bulk entry is meant "
                     "for that."), 0.2),
        Kind("off_hours", Text(zh="非联系时段登记", en="Recorded at quiet hours"),
             Text(zh="在触达策略的静默时段登记的联系。可能是下班后补录；如果确实在那时打了电话，客户受到了打扰。",
                  en="Recorded at the contact policy's quiet hours. They may have been entered later; if the calls were made "
                     "then, customers were disturbed."), 0.1),
        Kind("no_answer", Text(zh="几乎全部未接", en="Almost nobody answered"),
             Text(zh="登记为未接的比例很高。可能拨打时段不合适或号码过期；也可能没有真正拨打。",
                  en="A very high share of calls nobody answered. The hour may be wrong or the numbers old; or no calls were "
                     "made."), 0.8),
    )
}  # fmt: skip
NO_TRACE = Text(
    zh="这段时间没有话务记录，也没有人查看过号码，无从比较。",
    en="No calls were logged and no numbers shown in these days: nothing to compare with.",
)
NO_HOURS = Text(
    zh="还没有批准的触达策略，静默时段未知。", en="No contact policy is approved: the quiet hours are not known."
)


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded contact, as far as the signals need it; ``at`` is the bank's wall-clock time."""

    staff_no: str
    customer_id: str
    contact: str
    note: str
    channel: str
    at: datetime
    in_bulk: bool = False


Trace = set[tuple[str, date]]


def signals_for(
    actor: Actor,
    first: date,
    last: date,
    *,
    branch: str = "",
    staff_no: str = "",
    code: str = "",
    names: Mapping[str, str] = MappingProxyType({}),
) -> list[Signal]:
    """Return the signals of each RM's records in some days: those worth a look first, then the others, then small samples.

    ``names`` are those of staff numbers that the caller knows already.

    Raises:
        NotAllowed: outside the actor's scope.
        Conflict: too many records for one page: a branch is to be chosen.
    """
    by_staff: dict[str, list[Record]] = defaultdict(list)
    for record in records_for(actor, first, last, branch=branch, staff_no=staff_no):
        by_staff[record.staff_no].append(record)
    unnamed = [s for s in by_staff if s not in names]
    names = {**names, **({u.staff_no: u.display_name for u in staff_numbered(unnamed)} if unnamed else {})}
    trace, policy = (_trace(first, last), _policy()) if by_staff else (None, None)
    found = [
        signal
        for staff, records in by_staff.items()
        for signal in signals_of(staff, names.get(staff, staff), records, policy=policy, trace=trace)
        if code in ("", signal.code)
    ]
    return sorted(
        found, key=lambda s: (s.is_small, not is_noted(s), -(s.share.low if s.share else 0), s.staff_no, s.code)
    )


def is_noted(signal: Signal) -> bool:
    """Whether even the lower limit of its share is high enough to point at."""
    return signal.share is not None and signal.share.low >= KINDS[signal.code].noted_from


def records_for(actor: Actor, first: date, last: date, *, branch: str = "", staff_no: str = "") -> list[Record]:
    """Return what was recorded in some days within the actor's scope, the earliest first.

    Raises:
        NotAllowed, Conflict: as ``signals_for``.
    """
    reach = reach_of(actor, branch=branch, staff_no=staff_no)
    rows = reach.within(follow_ups_for(system_actor()), "task__")
    rows = rows.filter(at__gte=bounds(first)[0], at__lt=bounds(last)[1]).order_by("at", "id")
    found = rows.values_list("staff_no", "customer_id", "contact", "note", "task__channel", "at", "key")[
        : MOST_RECORDS + 1
    ]
    if len(found) > MOST_RECORDS:
        raise Conflict(
            f"More than {MOST_RECORDS:,} records in these days.", hint="Choose a branch or fewer days.", branch=branch
        )
    zone = ZoneInfo(engine().manifest.zone)
    return [
        Record(staff, customer, contact, note, channel, at.astimezone(zone), in_bulk=":bulk" in key)
        for staff, customer, contact, note, channel, at, key in found
    ]


def signals_of(
    staff_no: str, name: str, records: Sequence[Record], *, policy: ContactPolicySpec | None, trace: Trace | None
) -> list[Signal]:
    """Return one RM's signals, one of each kind.

    ``trace`` is (customer, day) of calls known otherwise, ``policy`` says when nobody is contacted; ``None``: not known.
    """
    by_hand = [r for r in records if not r.in_bulk]
    calls = [r for r in by_hand if r.channel == "call"]
    reached = [r for r in calls if r.contact == "connected"]
    untraced = [r for r in reached if (r.customer_id, r.at.date()) not in (trace or set())]
    notes = [(r, PLAIN.sub("", r.note).casefold()) for r in records]
    notes = [(r, text) for r, text in notes if len(text) >= SHORTEST_NOTE]
    often = {text: n for text, n in Counter(text for _r, text in notes).items() if n >= REPEATED}
    same = [(r, text) for r, text in notes if text in often]
    quick = [b for a, b in pairwise(by_hand) if (b.at - a.at).total_seconds() < SECONDS]
    night = [r for r in by_hand if policy and is_quiet(r.at, policy, engine().manifest.zone)]
    silent = [r for r in calls if r.contact == "no_answer"]
    quoted = {text: r.note for r, text in reversed(same)}
    said = [
        Text(zh=f"“{quoted[t]}”：{n} 次", en=f"“{quoted[t]}”: {n} times")
        for t, n in Counter(often).most_common(EXAMPLES)
    ]

    def signal(
        code: str, n: int, found: Sequence[Record], examples: Iterable[Text], why_not: Text | None = None
    ) -> Signal:
        told = n >= FLOOR and why_not is None
        return Signal(
            code, staff_no, name, n, len(found) if why_not is None else 0, proportion_interval(len(found), n) if told else None,
            FLOOR, tuple(examples) if told else (), len({r.customer_id for r in found}) if told else 0, why_not,
        )  # fmt: skip

    return [
        signal("no_call", len(reached), untraced, _days(untraced), None if trace else NO_TRACE),
        signal("same_note", len(notes), [r for r, _ in same], said),
        signal("burst", len(by_hand), quick, _moments(quick)),
        signal("off_hours", len(by_hand), night, _moments(night), None if policy else NO_HOURS),
        signal("no_answer", len(calls), silent, _days(silent)),
    ]


def _policy() -> ContactPolicySpec | None:
    try:
        return catalog.policy()
    except UnknownDefinition:
        return None


def _days(records: Iterable[Record]) -> list[Text]:
    found = Counter(r.at.date() for r in records).most_common(EXAMPLES)
    return [Text(zh=f"{day}：{n} 条", en=f"{day}: {n}") for day, n in found]


def _moments(records: Sequence[Record]) -> list[Text]:
    return [Text(zh=f"{r.at:%Y-%m-%d %H:%M:%S}", en=f"{r.at:%Y-%m-%d %H:%M:%S}") for r in records[:EXAMPLES]]


def _trace(first: date, last: date) -> Trace | None:
    """Return the customers and days of calls that are known without anybody's word: shown numbers and the bank's call log."""
    zone = ZoneInfo(engine().manifest.zone)
    shown = revealed_between(bounds(first)[0], bounds(last)[1]).values_list("customer_id", "at")
    found: Trace = {(customer_id, at.astimezone(zone).date()) for customer_id, at in shown}
    contact = scan(engine(), "contact", "ordinal", "contacted_on", "channel")
    logged = engine().columns(
        f"SELECT DISTINCT ordinal, (contacted_on - DATE '1970-01-01')::INTEGER AS day FROM {contact}"
        " WHERE channel = 'call' AND contacted_on BETWEEN ? AND ? ORDER BY ordinal, day", [first, last],
    )  # fmt: skip
    days = (date(1970, 1, 1) + timedelta(days=int(d)) for d in logged["day"])
    found |= set(zip(customer_ids(logged["ordinal"]), days, strict=True))
    return found or None
