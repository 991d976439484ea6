"""A segment as one SQL statement: for people to read and run elsewhere, and for the store's own DuckDB."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlglot import exp

from kequn.core.engine.duck import Engine, quoted
from kequn.core.errors import InvalidSpec, NoData, UnknownTag
from kequn.core.segments.past import Past, check_types, past_members, relations
from kequn.core.segments.rule import Rule, lists_in, specs_in, tables_in, tags_now
from kequn.core.segments.sql import DIALECTS, EXECUTED, TAGS, Target, members_query, predicate, rendered
from kequn.core.segments.understand import understand
from kequn.core.spec.segment import Condition, SegmentSpec
from kequn.core.spec.tag import TagSpec


def members_sql(
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    dialect: str = "duckdb",
    dates: Collection[date] | None = None,
) -> str:
    """Return the SELECT of the members' ids, laid out to be read and to be run elsewhere.

    It refers to the logical views: ``customer_tags`` (customer_id, as_of, a column a tag), the canonical tables and
    ``list_<name>``, each with ``customer_id``. Money is integer fen there. ``dates`` are the business dates that
    ``customer_tags`` has: where a rule looks back, the last of them up to that day is taken, else the very day.

    >>> everybody = SegmentSpec(name="everybody", title="全部客户", where={"all": []})
    >>> print(members_sql(everybody, tags={}, segments={}, as_of=date(2026, 6, 30)))
    SELECT
      customer_tags.customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-30' AS DATE)

    Raises:
        InvalidSpec and its kin: as `understand` does, and for a dialect that is not known.
    """
    if dialect not in DIALECTS:
        raise InvalidSpec(f"{dialect!r} is not a dialect.", hint=f"Dialects: {', '.join(DIALECTS)}.")
    rule = understand(spec, tags=tags, segments=segments)
    target = Target("customer_id", as_of, dialect, dates, joins=None if dialect in EXECUTED else [])
    return rendered(members_query(rule, target), dialect=dialect, pretty=True)


def engine_target(engine: Engine, rules: Iterable[Rule], as_of: date, past: Past | None = None) -> Target:
    """Return the target for questions to the engine about some rules, with the members of earlier days made visible.

    Args:
        past: gives the ordinals a segment had on a business date, ``None`` where they were not kept; they are then
            found again by the tags and rows of that day.
    """
    dates = frozenset(map(date.fromisoformat, engine.manifest.dates))
    return Target("ordinal", as_of, dates=dates, snapshots=past_members(engine, rules, as_of, dates, past))


def leaf_sql(engine: Engine, rule: Rule, as_of: date, *, past: Past | None = None) -> str:
    """Return a SELECT, complete in itself, of the ordinals for whom a rule, or a single condition of one, holds.

    Raises:
        NoData: tags, rows or a list that the rule needs are not there.
    """
    holds = predicate(rule, engine_target(engine, [rule], as_of, past))
    return statement(engine, exp.select("ordinal").from_(TAGS).where(holds), [rule], as_of)


def count_by(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tag: str,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    past: Past | None = None,
) -> dict[Any, int]:
    """Return the members by the value of a tag, largest first; ``None`` counts those without one.

    Raises:
        UnknownTag: the tag to group by is not in the catalogue.
    """
    if tag not in tags:
        raise UnknownTag(f"Tag {tag!r} is not in the catalogue.", hint="See `kequn tag list`.", tag=tag)
    rule = understand(spec, tags=tags, segments=segments)
    holds = predicate(rule, engine_target(engine, [rule], as_of, past))
    query = exp.select(exp.column(tag), "COUNT(*)").from_(TAGS).where(holds)
    query = query.group_by("1").order_by("2 DESC", "1 NULLS LAST")
    return {value: int(n) for value, n in engine.rows(statement(engine, query, [rule], as_of, extra=(tag,)))}


def statement(
    engine: Engine, query: exp.Select, rules: Sequence[Rule], as_of: date, *, extra: tuple[str, ...] = ()
) -> str:
    """Return the query with ``customer_tags`` before it, made of the tags that the rules test, and of ``extra``.

    Where a rule looks at the whole bank or back in time, the tags of the whole bank on those days come with it.

    Raises:
        NoData: tags, rows or a list that the rules need are not there.
    """
    for rule in rules:
        check_there(engine, rule, as_of)
    needed = [*extra, *(name for rule in rules for name in tags_now(rule))]
    made = {TAGS: engine.tags_query(as_of, needed)} | relations(engine, rules, as_of)
    before = ", ".join(f"{quoted(name)} AS ({text})" for name, text in made.items())
    return f"WITH {before} {rendered(query, dialect='duckdb')}"


def check_there(engine: Engine, rule: Rule, as_of: date) -> None:
    """Refuse a rule about rows or a list that was never loaded, or about a tag that is of another type by now.

    Raises:
        NoData: so it is.
    """
    specs = specs_in(rule)
    check_types(engine, [specs[name] for name in tags_now(rule)], as_of)
    for table in tables_in(rule):
        if not engine.has(table):
            raise NoData(f"No rows of {table!r} have been loaded.", hint="Load them: `kequn load`.", table=table)
    for name in lists_in(rule):
        if name not in engine.manifest.lists:
            raise NoData(f"There is no uploaded list {name!r}.", hint="Upload the list first.", list=name)
