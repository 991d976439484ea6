"""The one door for SQL that people write: a single expression of allow-listed operators, functions and columns.

What is not on the list is refused, so that no expression can reach a file, a setting, another table or the clock. The
text is bounded before it is parsed, since a parser can be exhausted too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError, TokenError

from kequn.core.errors import BadExpression, Where

MAX_LENGTH = 4096
MAX_TOKENS = 1000
MAX_NODES = 200
MAX_DEPTH = 20
MAX_PAD = 1000
AS_OF = "as_of"

OPERATORS: tuple[type[exp.Expr], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Neg, exp.Not, exp.And, exp.Or,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.Between, exp.In,
    exp.Like, exp.ILike, exp.Escape, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe,
    exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Array,
)  # fmt: skip
FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.Coalesce: "coalesce", exp.Nullif: "nullif", exp.Greatest: "greatest", exp.Least: "least",
    exp.Abs: "abs", exp.Round: "round", exp.Floor: "floor", exp.Ceil: "ceil", exp.Sqrt: "sqrt", exp.Ln: "ln",
    exp.Sign: "sign", exp.Pow: "power",
    exp.Year: "year", exp.Month: "month", exp.Day: "day", exp.Hour: "hour", exp.Minute: "minute",
    exp.Quarter: "quarter", exp.DayOfWeek: "dayofweek", exp.DayOfWeekIso: "isodow", exp.Extract: "extract",
    exp.DateDiff: "date_diff",
    exp.DateAdd: "date_add", exp.TimestampTrunc: "date_trunc", exp.LastDay: "last_day", exp.DateFromParts: "make_date",
    exp.StrToTime: "strptime", exp.TimeToStr: "strftime",
    exp.Upper: "upper", exp.Lower: "lower", exp.Trim: "trim", exp.Substring: "substr", exp.Left: "left",
    exp.Right: "right", exp.Length: "length", exp.Replace: "replace", exp.SplitPart: "split_part", exp.Concat: "concat",
    exp.ConcatWs: "concat_ws", exp.Pad: "lpad", exp.StartsWith: "starts_with", exp.Contains: "contains",
    exp.Reverse: "reverse", exp.Translate: "translate",
    exp.RegexpLike: "regexp_matches", exp.RegexpExtract: "regexp_extract", exp.RegexpReplace: "regexp_replace",
    exp.ArrayContains: "list_contains", exp.ArraySort: "list_sort", exp.ArrayDistinct: "list_distinct",
}  # fmt: skip
OTHER_FUNCTIONS = frozenset({"try_strptime", "weekday"})
AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Sum: "sum", exp.Count: "count", exp.Min: "min", exp.Max: "max", exp.Avg: "avg", exp.Median: "median",
    exp.LogicalOr: "bool_or", exp.LogicalAnd: "bool_and", exp.CountIf: "count_if", exp.ArgMax: "arg_max",
    exp.ArgMin: "arg_min", exp.ArrayAgg: "list", exp.Mode: "mode", exp.PercentileCont: "quantile_cont",
    exp.Stddev: "stddev", exp.StddevPop: "stddev_pop", exp.StddevSamp: "stddev_samp",
}  # fmt: skip
WITH_AGGREGATES: tuple[type[exp.Expr], ...] = (exp.Distinct, exp.Star, exp.Filter, exp.Where, exp.Order, exp.Ordered)
TYPES = frozenset(
    {"BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "INT128", "UTINYINT", "USMALLINT", "UINT", "UBIGINT",
     "FLOAT", "DOUBLE", "DECIMAL", "TEXT", "VARCHAR", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPNTZ"}
)  # fmt: skip
UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})
UNITS_OF_DATE = UNITS | {"DOW", "ISODOW", "DOY", "ISOYEAR"}
WORDS_IN_NODES = {  # arguments that sqlglot keeps as bare text, all made by its parser from a closed set
    (exp.Identifier, "this"), (exp.Literal, "this"), (exp.Var, "this"), (exp.Anonymous, "this"), (exp.Trim, "position"),
}  # fmt: skip
CHAINS = (exp.And, exp.Or, exp.Add, exp.Sub, exp.Mul, exp.DPipe)
ONLY_ARGUMENTS: dict[type[exp.Expr], frozenset[str]] = {
    exp.Column: frozenset({"this"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe", "requires_string"}),
    exp.Max: frozenset({"this"}),
    exp.Min: frozenset({"this"}),
    exp.DataType: frozenset({"this", "expressions"}),
    exp.ArgMax: frozenset({"this", "expression"}),
    exp.ArgMin: frozenset({"this", "expression"}),
}


def checked(
    text: str,
    *,
    columns: Mapping[str, str] | Collection[str] | None,
    aggregates: bool,
    where: Where | None = None,
    functions: Collection[str] = (),
) -> exp.Expr:
    """Return one checked expression in the DuckDB dialect, its columns quoted and spelled as in ``columns``.

    ``as_of`` is always allowed as a name; the caller puts the business date in its place. Where the columns are not known
    yet (``None``), any name is taken for one. ``functions`` are further functions, in lower case, that the caller itself replaces.

    Raises:
        BadExpression: anything that is not on the list, or too long, too deep, or not one expression.
    """
    check = _Check(columns, aggregates=aggregates, where=where or Where(), functions=functions)
    expression = _parsed(text, check)
    check.tree(expression)
    return expression


def names_in(expression: exp.Expr) -> set[str]:
    """Return the names of the columns an expression reads, ``as_of`` among them where it is used."""
    return {column.name for column in expression.find_all(exp.Column)}


def _parsed(text: str, check: _Check) -> exp.Expr:
    if len(text) > MAX_LENGTH:
        raise check.error(f"The expression is longer than {MAX_LENGTH} characters.")
    if not text.strip() or "\x00" in text:
        raise check.error("The expression is empty or holds a NUL character.")
    try:
        tokens = sqlglot.tokenize(text, dialect="duckdb")
        if len(tokens) > MAX_TOKENS:
            raise check.error(f"The expression has more than {MAX_TOKENS} words and signs.")
        statements = sqlglot.parse(f"SELECT {text}", dialect="duckdb")
    except TokenError:
        raise check.error("The expression ends inside a quoted text or a comment.") from None
    except RecursionError:
        raise check.error(f"The expression is nested more than {MAX_DEPTH} levels deep.") from None
    except SqlglotError as error:
        raise check.error(f"The expression cannot be read{_position(error)}.") from None
    except BadExpression:
        raise
    except Exception:
        # the parser is third-party code on text anybody may have typed: what it stumbles over is the text's fault here
        raise check.error("The expression cannot be read.") from None
    if len(statements) != 1:
        raise check.error("One expression is expected, not several statements.", hint="Take the `;` away.")
    return _only_expression(statements[0], check)


def _only_expression(select: exp.Expr | None, check: _Check) -> exp.Expr:
    if type(select) is not exp.Select or any(value for key, value in select.args.items() if key != "expressions"):
        raise check.error("One expression is expected, not a statement.", hint="Leave out SELECT, FROM, WHERE, LIMIT.")
    if len(select.expressions) != 1 or isinstance(select.expressions[0], exp.Alias):
        raise check.error("One expression is expected, without a name of its own.", hint="Leave out `AS …` and commas.")
    expression: exp.Expr = select.expressions[0]
    return expression.pop()


def _position(error: SqlglotError) -> str:
    details = getattr(error, "errors", None)
    column = details[0].get("col") if details else None
    found = details[0].get("highlight") if details else None
    near = f" near {found!r}" if found else ""
    return f" at character {max(1, int(column) - len('SELECT '))}{near}" if column else near


class _Check:
    """Walks a parsed tree and lets nothing pass that is not on a list."""

    def __init__(
        self,
        columns: Mapping[str, str] | Collection[str] | None,
        *,
        aggregates: bool,
        where: Where,
        functions: Collection[str] = (),
    ) -> None:
        self.names = {name.lower(): name for name in (*reversed(list(columns or ())), AS_OF)}
        self.exact = {*(columns or ()), AS_OF}
        self.any_name = columns is None
        self.aggregates = aggregates
        self.where = where
        self.others = OTHER_FUNCTIONS | set(functions)
        known = set(FUNCTIONS.values()) | self.others | {"case", "cast", "try_cast"}
        self.functions = known | (set(AGGREGATES.values()) if aggregates else set())

    def error(self, message: str, *, hint: str = "") -> BadExpression:
        return BadExpression(message, hint=hint, where=self.where)

    def tree(self, root: exp.Expr) -> None:
        nodes = 0
        stack: list[tuple[exp.Expr, exp.Expr | None, int, bool]] = [(root, None, 1, False)]
        while stack:
            node, parent, depth, inside = stack.pop()
            nodes += not isinstance(node, exp.Identifier)
            if nodes > MAX_NODES:
                raise self.error(f"The expression has more than {MAX_NODES} parts.")
            if depth > MAX_DEPTH:
                raise self.error(f"The expression is nested more than {MAX_DEPTH} levels deep.")
            node.comments = None
            self._node(node, parent, inside=inside)
            within = inside or type(node) in AGGREGATES
            for child in self._children(node):
                chained = type(child) is type(node) and isinstance(node, CHAINS)
                stack.append((child, node, depth if chained else depth + 1, within))

    def _children(self, node: exp.Expr) -> Iterator[exp.Expr]:
        for key, value in node.args.items():
            if value is None or value is False or value == []:
                continue
            if key not in ONLY_ARGUMENTS.get(type(node), (key,)):
                raise self.error(f"{_shown(node)} is written in a way that is not allowed here.")
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, exp.Expr):
                    yield item
                elif not self._plain(node, key, item):
                    raise self.error(f"{_shown(node)} is written in a way that is not allowed here.")

    def _plain(self, node: exp.Expr, key: str, value: Any) -> bool:
        if isinstance(value, bool | int | None):
            return True
        if isinstance(value, Enum):
            return isinstance(node, exp.DataType)
        return isinstance(value, str) and (type(node), key) in WORDS_IN_NODES

    def _node(self, node: exp.Expr, parent: exp.Expr | None, *, inside: bool) -> None:
        kind = type(node)
        if kind is exp.Anonymous:
            self._function(str(node.this))
        elif kind in AGGREGATES or kind in WITH_AGGREGATES:
            self._aggregate(node, parent, inside=inside)
        elif kind not in OPERATORS and kind not in FUNCTIONS:
            raise self._refused(node)
        if kind is exp.Column:
            self._column(node)
        elif kind is exp.Identifier and not isinstance(parent, exp.Column):
            raise self.error("A name stands where none can.")
        elif kind is exp.DataType:
            self._type(node)
        elif kind is exp.Var:
            self._unit(node, parent)
        elif kind is exp.In and not node.args.get("expressions"):
            raise self.error("`in` takes a list of values in brackets.")
        elif kind is exp.Pad and not _small(node.args.get("expression")):
            raise self.error(f"The length of `lpad` and `rpad` is a number up to {MAX_PAD}.")

    def _function(self, name: str) -> None:
        if name.lower() not in self.others:
            raise self.error(f"The function {name!r} is not allowed here.", hint=_near(name.lower(), self.functions))

    def _aggregate(self, node: exp.Expr, parent: exp.Expr | None, *, inside: bool) -> None:
        name = AGGREGATES.get(type(node))
        if not self.aggregates:
            raise self.error(
                f"The aggregate {name or _shown(node)!r} is not allowed here.", hint="Each row stands alone."
            )
        if name and inside:
            raise self.error(f"The aggregate {name!r} stands inside another one.")
        if isinstance(node, exp.Star) and not isinstance(parent, exp.Count):
            raise self.error("`*` is allowed in `count(*)` only.")
        if isinstance(node, exp.Distinct | exp.Order) and not inside:
            raise self.error("`distinct` and `order by` belong inside an aggregate.")
        if isinstance(node, exp.Filter) and type(node.this) not in AGGREGATES:
            raise self.error("`filter` belongs behind an aggregate.")
        if isinstance(node, exp.Where) and not isinstance(parent, exp.Filter):
            raise self.error("`where` is allowed in `filter (where …)` only.")

    def _refused(self, node: exp.Expr) -> BadExpression:
        if isinstance(node, exp.Subquery | exp.Query | exp.Exists):
            return self.error("A query inside an expression is not allowed.")
        if isinstance(node, exp.Window | exp.WindowSpec):
            return self.error("A window (`over`) is not allowed here.")
        if isinstance(node, exp.CurrentDate | exp.CurrentTimestamp | exp.CurrentTime):
            return self.error("An expression does not read the clock.", hint="Write `as_of` for the business date.")
        name = _shown(node)
        kind = "The function" if isinstance(node, exp.Func) else "The construct"
        return self.error(f"{kind} {name!r} is not allowed here.", hint=_near(name.lower(), self.functions))

    def _column(self, node: exp.Expr) -> None:
        if not isinstance(node.this, exp.Identifier) or any(v for k, v in node.args.items() if k != "this"):
            raise self.error(f"{_shown(node)} is not a column.", hint="Write the column's name alone.")
        name = node.this.name
        actual = name if name in self.exact or self.any_name else self.names.get(name.lower())
        if actual is None:
            hint = _near(name, self.exact) or f"Columns: {', '.join(sorted(self.exact)[:20])}."
            raise self.error(f"There is no column {name!r}.", hint=hint)
        node.set("this", exp.to_identifier(actual, quoted=True))

    def _type(self, node: exp.Expr) -> None:
        name = str(getattr(node.this, "value", node.this))
        if name not in TYPES or node.args.get("nested"):
            raise self.error(
                f"The type {name} is not allowed here.", hint="Use boolean, bigint, double, decimal, varchar, date."
            )
        for parameter in node.expressions:
            if type(parameter) is not exp.DataTypeParam or not _small(parameter.this, limit=38):
                raise self.error(f"The type {name} takes numbers up to 38.")

    def _unit(self, node: exp.Expr, parent: exp.Expr | None) -> None:
        name = str(node.this).upper()
        units = UNITS_OF_DATE if isinstance(parent, exp.Extract) else UNITS
        if name not in units and name.removesuffix("S") not in UNITS:
            raise self.error(
                f"{node.this!r} is not a unit of time.", hint=f"One of: {', '.join(sorted(units)).lower()}."
            )


def _small(node: object, *, limit: int = MAX_PAD) -> bool:
    return (
        isinstance(node, exp.Literal)
        and not node.is_string
        and re.fullmatch(r"[0-9]{1,4}", str(node.this)) is not None
        and int(node.this) <= limit
    )


def _near(name: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {found[0]!r}?" if found else ""


def _shown(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.this)[:60]
    return node.sql_name().lower() if isinstance(node, exp.Func) else type(node).__name__.lower()
