"""Computing tags for a business date and publishing them in one swap of the manifest."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kequn.core.data.compacting import COMPACTED, compacted
from kequn.core.engine.duck import Engine, quoted
from kequn.core.engine.index import build_index
from kequn.core.engine.store import DateState, Draft, Manifest, Store
from kequn.core.errors import Cancelled, NoData, StoreFull, TagFailed
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import check_codes
from kequn.core.tags.compiling import Binder
from kequn.core.tags.files import Files, Outcome
from kequn.core.tags.increment import Increment, basis, increment
from kequn.core.tags.language import GIVEN, MACROS, Calendar
from kequn.core.tags.ordering import closure, levels
from kequn.core.tags.pack import read_tags
from kequn.core.tags.passes import Pass, Source, Values, pass_sql, passes_over
from kequn.core.tags.patching import Patch
from kequn.core.tags.reading import ReadTag
from kequn.core.tags.timed import TimedPass, is_timed, timed_pass
from kequn.core.tags.tracing import fingerprint_of_population, fingerprints_of_inputs, known_names, missing_inputs
from kequn.core.tags.windows import WindowPass, window_pass

CHANGED = "changed"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SHARD = 1 << 19
"""Customers whose values are in memory at once."""

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did, tag by tag: every tag of ``specs`` is in exactly one of the four."""

    as_of: date
    customers: int
    """Customers of the bank on the date."""
    computed: tuple[str, ...]
    unchanged: tuple[str, ...]
    """Already there, computed from the same rows by the same spec; or not asked for."""
    unavailable: dict[str, str]
    """Not computed for want of data, and why (see ``unavailable``)."""
    failed: dict[str, TagFailed]
    """Not published for this date; tags made of them neither."""


@dataclass(slots=True)
class _Plan:
    read: dict[str, ReadTag]
    calendar_as_of: date
    inputs: dict[str, str]
    unavailable: dict[str, str]
    write: list[str]
    """What is to be computed and published."""
    population: str
    is_current: bool


def never() -> bool:
    """Say that nobody asked to stop."""
    return False


def refresh(
    store: Store,
    specs: Mapping[str, TagSpec],
    *,
    as_of: date,
    now: datetime,
    only: Collection[str] | None = None,
    force: bool = False,
    by_sql: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
) -> RefreshReport:
    """Compute the tags of a business date and publish them together.

    Windows over transactions and events are computed from rows sorted by customer (``windows``), all else by SQL;
    with ``by_sql`` everything is: the values are the same, it is what the windows are checked against.

    Where an earlier refresh computed the same definitions, only customers with changed rows are looked at (``increment``);
    ``force`` looks at all. Only rows true by then count. A tag whose spec, rows and customers are those it was computed from is left as it
    is, unless
    ``force``; when that holds of all nothing is written. A tag that fails (a value that cannot be computed or is not
    declared) is left out of the date with all that is made of it, so that a segment that uses it is refused and not
    wrong; the other tags are published. Without ``only`` the date holds exactly the tags of ``specs`` afterwards.

    Raises:
        NoData: no customers are loaded.
        UnknownTag: a name of ``only`` that is not in ``specs``.
        InvalidSpec: a spec that is not valid.
        StoreBusy: another load or refresh is writing.
        StoreFull: there is no room on the disk; nothing is published then.
        Cancelled: ``cancelled`` said so; nothing is published then.
    """
    known_names(set(only or ()), specs)
    read = read_tags(specs)
    plan = _planned(store.manifest(), read, as_of, only, force=force)
    if plan.is_current:
        return _report(plan, Outcome(customers=store.manifest().dates[as_of.isoformat()].customers))
    try:
        with store.writing(now=now) as draft:
            plan = _planned(draft.manifest, read, as_of, only, force=force)
            outcome = _Work(draft, plan, now, progress, cancelled, by_sql=by_sql, everybody=force or by_sql).run()
            _enter(draft.manifest, plan, outcome, drop_others=only is None)
            build_index(store, draft.manifest.dates[as_of.isoformat()], cuts=declared_bins(specs))
    except OSError as error:
        if not _is_for_want_of_room(error):
            raise
        raise StoreFull("The disk is full.", hint="Make room; what was published before goes on serving.") from error
    return _report(plan, outcome)


def declared_bins(specs: Mapping[str, TagSpec]) -> dict[str, tuple[float, ...]]:
    """Return the cut points of tags as their columns hold values, so that the index's bins never lie across one."""
    return {
        name: tuple(float(cut) * (100 if spec.type == "money" else 1) for cut in spec.bins)
        for name, spec in specs.items()
        if spec.type in ("integer", "number", "money")
    }


def _is_for_want_of_room(error: OSError) -> bool:
    """Whether a disk is full; numpy tells only how many values it could write."""
    return error.errno in NO_ROOM or (error.errno is None and "requested and" in str(error))


def _planned(
    manifest: Manifest, read: dict[str, ReadTag], as_of: date, only: Collection[str] | None, *, force: bool
) -> _Plan:
    if "customer" not in manifest.tables or not manifest.tables["customer"].files:
        raise NoData("No customers are loaded.", hint="Load the customer source first.")
    missing = missing_inputs(read, manifest)
    inputs = fingerprints_of_inputs(read, manifest, as_of)
    state = manifest.dates.get(as_of.isoformat())
    population = fingerprint_of_population(manifest, as_of)
    wanted = [n for n in (only if only is not None else read) if n not in missing]
    there = state.tags if state else {}
    write = [n for n in wanted if force or n not in there or there[n].inputs != inputs[n]]
    given = {name for name, tag in read.items() if tag.spec.over == GIVEN}
    extra = bool(set(there) - set(wanted) - given) if only is None else False
    is_current = not write and not extra and state is not None and state.inputs == population
    return _Plan(read, as_of, inputs, missing, sorted(write), population, is_current)


class _Work:
    """One refresh in the making."""

    def __init__(
        self,
        draft: Draft,
        plan: _Plan,
        now: datetime,
        progress: Progress | None,
        cancelled: Callable[[], bool],
        *,
        by_sql: bool,
        everybody: bool,
    ) -> None:
        self.by_sql = by_sql
        self.everybody = everybody
        self.among: NDArray[np.uint32] | None = None
        self.draft = draft
        self.plan = plan
        self.now = now
        self.progress = progress
        self.cancelled = cancelled
        self.engine = Engine(draft.store, draft.manifest)
        self.depends = {name: tag.tags for name, tag in plan.read.items()}
        self.failed: dict[str, TagFailed] = {}
        self.done = 0
        self.steps = 0

    def run(self) -> Outcome:
        try:
            for macro in MACROS:
                self.engine.run(macro)
            return self._run()
        finally:
            self.engine.close()

    def _run(self) -> Outcome:
        needed = self._needed(self.plan.write)
        self.calendar = Calendar(self.plan.calendar_as_of, self._snapshots(needed))
        ordinals = self.draft.manifest.ordinals
        shards = [(lo, min(lo + SHARD, ordinals)) for lo in range(0, ordinals, SHARD)]
        read = {t.spec.name: t for t in needed}
        part = None if self.everybody else increment(self.engine, read, self.plan.write, self.calendar)
        changed = self._changed(part) if part else None
        left = [n for n in self.plan.write if part is None or changed is None or n not in part.tags]
        self._prepare(left, len(shards))
        outcome = self._write(left, shards)
        if part is not None and changed is not None:
            specs = {n: self.plan.read[n].spec for n in part.tags}
            outcome.files |= Patch(self.draft, part, outcome.population).files(
                specs, changed, self.plan.inputs, self.now
            )
        self._tell("")
        return outcome

    def _prepare(self, names: list[str], shards: int) -> None:
        """Run the passes that some tags need."""
        tags = self._needed(names)
        self.types = Binder().types(tags)
        self.windows = [] if self.by_sql else self._window_passes(tags)
        by_window = {t.spec.name for w in self.windows for t in w.tags}
        left = [t for t in tags if t.spec.name not in by_window]
        self.timed = self._timed_passes([t for t in left if is_timed(t, self.calendar)])
        by_timed = {name for p in self.timed for name in p.sources}
        self.passes = passes_over([t for t in left if t.spec.name not in by_timed], self.calendar)
        self.steps = self.done + len(self.passes) + shards
        outside: list[WindowPass | TimedPass] = [*self.windows, *self.timed]
        self.outside = outside
        self.sources: dict[str, Source] = {name: s for p in outside for name, s in p.sources.items()}
        self.in_window: tuple[int, int] | None = None
        for one in self.passes:
            self._step(one.table.zh)
            self._run_pass(one)

    def _changed(self, part: Increment) -> pa.Table | None:
        """The new values of the customers that an increment is about; ``None`` where one of its tags fails."""
        self.among = part.ordinals
        self.engine.register(CHANGED, pa.table({"ordinal": part.ordinals}))
        try:
            self._prepare(list(part.tags), 0)
            values = self._query(list(part.tags), 0, 0)
            for name in part.tags:
                check_codes(self.plan.read[name].spec, values.column(name))
        except (duckdb.DataError, TagFailed):
            return None
        else:
            return None if self.failed else values
        finally:
            self.among = None
            self.failed = {}

    def _needed(self, names: Iterable[str]) -> list[ReadTag]:
        return [self.plan.read[n] for n in sorted(closure(names, self.depends))]

    def _window_passes(self, tags: Iterable[ReadTag]) -> list[WindowPass]:
        found = []
        for table in COMPACTED:
            over = [t for t in tags if t.table is not None and t.table.name == table]
            layout = compacted(self.draft.store, self.draft.manifest, table) if over else None
            if layout is not None:
                found.append(window_pass(f"window_{table}", over, self.calendar, layout, self.engine))
        return [w for w in found if w is not None]

    def _timed_passes(self, tags: Iterable[ReadTag]) -> list[TimedPass]:
        by_table: dict[str, list[ReadTag]] = {}
        for tag in tags:
            by_table.setdefault(tag.spec.over, []).append(tag)
        return [
            timed_pass(f"timed_{table}", over, self.calendar, self.engine, self._stored(table))
            for table, over in by_table.items()
        ]

    def _snapshots(self, tags: Iterable[ReadTag]) -> tuple[date, ...]:
        if not any(t.table is not None and t.table.name == "holding" for t in tags):
            return ()
        query = "SELECT DISTINCT as_of FROM holding WHERE as_of <= ? ORDER BY 1"
        return tuple(row[0] for row in self.engine.rows(query, [self.plan.calendar_as_of]))

    def _stored(self, table: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self.engine.rows(f"DESCRIBE {quoted(table)}")}

    def _run_pass(self, one: Pass) -> None:
        try:
            self._aggregate(one)
        except duckdb.DataError:
            sound = tuple(t for t in one.tags if self._is_sound(one, t))
            self._aggregate(Pass(one.name, one.table, one.lower, sound))

    def _aggregate(self, one: Pass) -> None:
        self.engine.run(f"DROP TABLE IF EXISTS {one.name}")
        if not one.tags:
            self.engine.run(f"CREATE TEMP TABLE {one.name} (ordinal UINTEGER)")
            return
        among = CHANGED if self.among is not None else ""
        query, sources = pass_sql(one, self.calendar, stored=self._stored(one.table.name), among=among)
        self.engine.run(f"CREATE TEMP TABLE {one.name} AS {query}")
        self.sources |= sources

    def _is_sound(self, one: Pass, tag: ReadTag) -> bool:
        try:
            self._aggregate(Pass(one.name, one.table, one.lower, (tag,)))
        except duckdb.DataError as error:
            self._fail(tag.spec.name, error)
            return False
        return True

    def _fail(self, name: str, error: duckdb.Error) -> None:
        reason = str(error).split("\n")[0]
        self.failed[name] = TagFailed(f"Tag {name!r} could not be computed: {reason}", tag=name, reason=reason)

    def _write(self, wanted: list[str], shards: list[tuple[int, int]]) -> Outcome:
        names = self._sound(wanted)
        writing = Files(self.draft, [self.plan.read[n].spec for n in names])
        for first, last in shards:
            self._step("tags")
            writing.add(self._values(names, first, last), self.failed)
        return writing.close(self._sound(names), self.failed, self.plan.inputs, self.now)

    def _sound(self, names: Iterable[str]) -> list[str]:
        """Leave out what failed and what is made of it."""
        for name in names:
            broken = next((t for t in sorted(closure([name], self.depends)) if t in self.failed), None)
            if broken and name not in self.failed:
                self.failed[name] = TagFailed(
                    f"Tag {name!r} is made of {broken!r}, which failed.", tag=name, made_of=broken
                )
        return [n for n in names if n not in self.failed]

    def _values(self, names: list[str], first: int, last: int) -> pa.Table:
        try:
            return self._query(names, first, last)
        except duckdb.DataError:
            for level in levels({t.spec.name: t.tags for t in self._needed(names)}):
                for name in level:
                    self._try_alone(name, first, last)
            return self._query(self._sound(names), first, last)

    def _try_alone(self, name: str, first: int, last: int) -> None:
        if closure([name], self.depends) & set(self.failed):
            return
        try:
            self._query([name], first, last)
        except duckdb.DataError as error:
            self._fail(name, error)

    def _query(self, names: list[str], first: int, last: int) -> pa.Table:
        ordinals = self._in_window(first, last)
        tags = {t.spec.name: t for t in self._needed(names)}
        values = Values(
            self.calendar,
            self.types,
            [*(p.name for p in self.passes), *(p.name for p in self.outside)],
            self.sources,
            self._stored("customer"),
        )
        by_level = [[tags[n] for n in level] for level in levels({n: t.tags for n, t in tags.items()})]
        query = values.sql(by_level, ordinals=ordinals)
        wanted = ", ".join(["present", *map(quoted, names)])
        return self.engine.arrow(f"SELECT {wanted} FROM ({query})")

    def _in_window(self, first: int, last: int) -> str:
        """Make what is computed outside SQL ready for the customers in question; return the relation of their ordinals."""
        if self.among is not None:
            for window in self.windows:
                self.engine.register(window.name, window.columns_among(self.among))
            return CHANGED
        if self.in_window != (first, last):
            for one in self.outside:
                self.engine.register(one.name, one.columns(first, last))
            self.in_window = (first, last)
        return f"(SELECT CAST(range AS UINTEGER) AS ordinal FROM range({first:d}, {last:d}))"

    def _step(self, what: str) -> None:
        if self.cancelled():
            raise Cancelled("The refresh was stopped; the tags published before go on serving.")
        self._tell(what)
        self.done += 1

    def _tell(self, what: str) -> None:
        if self.progress is not None:
            self.progress(self.done, self.steps, what)


def _enter(manifest: Manifest, plan: _Plan, outcome: Outcome, *, drop_others: bool) -> None:
    key = plan.calendar_as_of.isoformat()
    state = manifest.dates.get(key)
    kept = dict(state.tags) if state else {}
    for name in outcome.failed:
        kept.pop(name, None)
    if drop_others:
        kept = {n: t for n, t in kept.items() if _stays(n, plan)}
    manifest.dates[key] = DateState(
        population=outcome.population,
        customers=outcome.customers,
        inputs=plan.population,
        basis=basis(manifest),
        ordinals=manifest.ordinals,
        tags=dict(sorted((kept | outcome.files).items())),
    )
    for other, state in manifest.dates.items():
        if other != max(manifest.dates):  # only the latest date is gone on from, and the lists grow with every load
            state.basis = {}


def _stays(name: str, plan: _Plan) -> bool:
    """Whether a date keeps a tag it has: one that is computed, or whose values were handed in."""
    tag = plan.read.get(name)
    return tag is not None and (tag.spec.over == GIVEN or name not in plan.unavailable)


def _report(plan: _Plan, outcome: Outcome) -> RefreshReport:
    done = set(outcome.files) | set(outcome.failed) | set(plan.unavailable)
    return RefreshReport(
        plan.calendar_as_of,
        outcome.customers,
        tuple(sorted(outcome.files)),
        tuple(sorted(set(plan.read) - done)),
        dict(sorted(plan.unavailable.items())),
        dict(sorted(outcome.failed.items())),
    )
