"""One tag's texts, read: a checked expression and condition, and what they read from."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from kequn.core.data.tables import SEPARATE_CONSENTS, TABLES, Table
from kequn.core.engine.expression import checked, names_in
from kequn.core.errors import BadExpression, InvalidSpec, UnknownTag, Where
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.language import CUSTOMER, FUNCTIONS, GIVEN, TAGS, columns_of, special_names


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
    """The tags it is made of; the one that tells of a separate consent is among them."""
    consent: str | None = None
    """The tag that must be true for a customer to have a value."""

    @property
    def per_row(self) -> bool:
        """Whether the expression stands for each customer alone, without an aggregate."""
        return self.table is None or self.table.name == CUSTOMER


def read_tag(spec: TagSpec, *, tags: Collection[str]) -> ReadTag:
    """Check the texts of a tag. ``tags`` are the names that a tag over ``tags`` may use.

    Raises:
        InvalidSpec: ``over`` is not a table of customers' rows; the place tells the field.
        BadExpression: an expression, condition, function or column that is not allowed.
        UnknownTag: a tag that is not in the catalogue.
    """
    consent = _consent(spec, tags)
    if spec.over == GIVEN:
        return ReadTag(spec, None, exp.null(), None, (), consent, next(iter(consent), None))
    if spec.over == TAGS:
        expression, names = _of_tags(spec.expression, frozenset(tags))
        made_of = {*(names - {"as_of"}), *consent}
        return ReadTag(spec, None, expression, None, (), tuple(sorted(made_of)), next(iter(consent), None))
    table = TABLES.get(spec.over)
    if table is None or not table.per_customer:
        known = ", ".join([*(t.name for t in TABLES.values() if t.per_customer), TAGS, GIVEN])
        message = f"{spec.over!r} is not a table with customers' rows."
        raise InvalidSpec(message, hint=f"One of: {known}.", where=Where(field="over"))
    expression, names = _of_rows(spec.expression, table.name)
    condition, names_there = _of_row(spec.where, table.name) if spec.where else (None, frozenset[str]())
    used = (names | names_there) - {"as_of"}
    dated = [table.on] if table.on and table.name != CUSTOMER else []
    columns = tuple(_sources(table, (*sorted(used), *dated)))
    return ReadTag(spec, table, expression, condition, columns, consent, next(iter(consent), None))


def _consent(spec: TagSpec, tags: Collection[str]) -> tuple[str, ...]:
    """The tag that tells of the separate consent which a tag of class S needs."""
    if spec.consent is None:
        return ()
    where = Where(field="consent")
    if spec.consent not in SEPARATE_CONSENTS:
        hint = f"One of: {', '.join(SEPARATE_CONSENTS)}."
        raise InvalidSpec(f"{spec.consent!r} is not a separate consent.", hint=hint, where=where)
    name = f"mkt_consent_{spec.consent}"
    if name not in tags:
        raise UnknownTag(f"Tag {spec.name!r} needs the tag {name!r}, which is not there.", where=where, tag=name)
    return (name,)


# Pages ask for the whole catalogue again and again; the trees that come out, each with the names it reads, are copied by whoever
# changes them.
@lru_cache(maxsize=4096)
def _of_rows(text: str, table: str) -> tuple[exp.Expr, frozenset[str]]:
    many = table != CUSTOMER
    functions = frozenset(FUNCTIONS) if many else frozenset[str]()
    where = Where(field="expression")
    return _with_names(checked(text, columns=columns_of(table), aggregates=many, where=where, functions=functions))


@lru_cache(maxsize=4096)
def _of_row(text: str, table: str) -> tuple[exp.Expr, frozenset[str]]:
    where = Where(field="where")
    return _with_names(
        checked(text, columns=columns_of(table), aggregates=False, where=where, functions={"at_days_ago"})
    )


@lru_cache(maxsize=4096)
def _of_tags(text: str, tags: frozenset[str]) -> tuple[exp.Expr, frozenset[str]]:
    try:
        return _with_names(checked(text, columns=tags - {"as_of"}, aggregates=False, where=Where(field="expression")))
    except BadExpression as error:
        if error.message.startswith("There is no column"):
            message = error.message.replace("column", "tag", 1)
            raise UnknownTag(message, hint=error.hint, where=error.where) from None
        raise


def _with_names(tree: exp.Expr) -> tuple[exp.Expr, frozenset[str]]:
    return tree, frozenset(names_in(tree))


def _sources(table: Table, names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The (table, column) behind each name, special names taken apart."""
    special = special_names(table)
    found: dict[tuple[str, str], None] = {}
    for name in names:
        for needed in special[name].needs if name in special else (name,):
            owner, _, column = needed.rpartition(".")
            found[(owner or table.name, column)] = None
    return found
