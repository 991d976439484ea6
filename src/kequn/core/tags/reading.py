"""One tag's texts, read: a checked expression and condition, and what they read from."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlglot import exp

from kequn.core.data.tables import TABLES, Table
from kequn.core.engine.expression import checked, names_in
from kequn.core.errors import BadExpression, InvalidSpec, UnknownTag, Where
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.language import CUSTOMER, FUNCTIONS, TAGS, columns_of, special_names


@dataclass(frozen=True, slots=True)
class ReadTag:
    """A tag whose texts were checked."""

    spec: TagSpec
    table: Table | None
    """``None`` for a tag made of tags."""
    expression: exp.Expr
    where: exp.Expr | None
    columns: tuple[tuple[str, str], ...]
    """(table, column) it reads, in order."""
    tags: tuple[str, ...]
    """The tags it is made of."""

    @property
    def per_row(self) -> bool:
        """Whether the expression stands for each customer alone, without an aggregate."""
        return self.table is None or self.table.name == CUSTOMER


def read_tag(spec: TagSpec, *, tags: Collection[str], expression_at: Where, where_at: Where) -> ReadTag:
    """Check the texts of a tag. ``tags`` are the names that a tag over ``tags`` may use.

    Raises:
        InvalidSpec: ``over`` is not a table of customers' rows.
        BadExpression: an expression, condition, function or column that is not allowed.
        UnknownTag: a tag that is not in the catalogue.
    """
    if spec.over == TAGS:
        return _over_tags(spec, tags, expression_at)
    table = TABLES.get(spec.over)
    if table is None or not table.per_customer:
        known = ", ".join([*(t.name for t in TABLES.values() if t.per_customer), TAGS])
        raise InvalidSpec(
            f"{spec.over!r} is not a table with customers' rows.", hint=f"One of: {known}.", where=expression_at
        )
    columns = columns_of(table.name)
    many = table.name != CUSTOMER
    functions = frozenset(FUNCTIONS) if many else frozenset[str]()
    expression = checked(spec.expression, columns=columns, aggregates=many, where=expression_at, functions=functions)
    condition = (
        checked(spec.where, columns=columns, aggregates=False, where=where_at, functions={"at_days_ago"})
        if spec.where
        else None
    )
    used = sorted({n for e in (expression, condition) if e is not None for n in names_in(e)} - {"as_of"})
    dated = [table.on] if many and table.on else []
    return ReadTag(spec, table, expression, condition, tuple(_sources(table, (*used, *dated))), ())


def _over_tags(spec: TagSpec, tags: Collection[str], at: Where) -> ReadTag:
    others = set(tags) - {"as_of"}
    try:
        expression = checked(spec.expression, columns=others, aggregates=False, where=at)
    except BadExpression as error:
        if error.message.startswith("There is no column"):
            raise UnknownTag(error.message.replace("column", "tag", 1), hint=error.hint, where=at) from None
        raise
    return ReadTag(spec, None, expression, None, (), tuple(sorted(names_in(expression) - {"as_of"})))


def _sources(table: Table, names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The (table, column) behind each name, special names taken apart."""
    special = special_names(table)
    found: dict[tuple[str, str], None] = {}
    for name in names:
        for needed in special[name].needs if name in special else (name,):
            owner, _, column = needed.rpartition(".")
            found[(owner or table.name, column)] = None
    return found
