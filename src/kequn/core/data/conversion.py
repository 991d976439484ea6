"""From the bank's text to a canonical value, and what is wrong where that cannot be: as SQL over one column.

Rules, for every format alike:

* blanks around a value are not part of it; an empty value is none;
* money is exact to the fen or no money. ``1,234.50``, ``￥1234.5``, ``１２３４．５`` and ``1234.500`` are 1234.50 yuan; ``1,23``,
  ``1.234,50`` and ``1.005`` are not money;
* a date lies between 1900 and 2199. In a column that may be empty a date of the year 9999 means "no end" and is stored as none;
* a business date lies no further ahead than a year and a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from kequn.core.data.identity import MASK_63, Salt
from kequn.core.data.rejects import Reason
from kequn.core.data.tables import Column
from kequn.core.engine.duck import literal

FIRST_DAY, LAST_DAY = "DATE '1900-01-01'", "DATE '2199-12-31'"
NO_END = "DATE '9999-01-01'"
NUMBERS = r"[0-9０-９]{7,}|[0-9０-９]([ \t.·–—-]{0,2}[0-9０-９]){10,}"
"""What could be somebody's number: also one written in groups, as phone and card numbers are."""
NOTE = 500
UNKNOWN = "\x01"
"""What a code that is not in a list is turned into; no text value of a source equals it."""
WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)


@dataclass(frozen=True, slots=True)
class Conversion:
    """SQL in three steps: ``parsed`` from the value, ``stored`` from what was parsed, and how either can fail."""

    parsed: str
    stored: str
    faults: tuple[tuple[str, Reason], ...] = ()
    """(condition, reason), in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the steps call the value as it was read, its SQL type, and the parsed value."""

    it: str
    sql_type: str
    parsed: str

    @property
    def text(self) -> str:
        """The value as text."""
        return as_text(self.it, self.sql_type)

    @property
    def unparsed(self) -> str:
        """Condition: there is a value, and it could not be parsed."""
        return f"{self.it} IS NOT NULL AND {self.parsed} IS NULL"


def as_text(it: str, sql_type: str) -> str:
    """Return SQL of a value as the text a person would write: 12 for 12.0."""
    if sql_type == "VARCHAR":
        return it
    if sql_type in ("DOUBLE", "FLOAT"):
        return f"CASE WHEN {it} = floor({it}) AND abs({it}) < 1e15 THEN {it}::BIGINT::VARCHAR ELSE {it}::VARCHAR END"
    return f"{it}::VARCHAR"


def cleaned(it: str, *, nulls: Iterable[str], padded: bool) -> str:
    """Return SQL of a text value without blanks around it, and none where it is one of ``nulls``."""
    value = _trimmed(it) if padded else it
    listed = list(dict.fromkeys(["", *(n.strip(" \t") for n in nulls)]))
    if listed == [""]:
        return f"nullif({value}, '')"
    return f"CASE WHEN {value} IN ({', '.join(map(literal, listed))}) THEN NULL ELSE {value} END"


def _trimmed(it: str) -> str:
    """SQL of a text without blanks around it; looking first is several times faster than trimming every value."""
    edges = " OR ".join(f"{test}({it}, {blank})" for test in ("starts_with", "ends_with") for blank in ("' '", "'\t'"))
    return f"CASE WHEN {edges} THEN trim({it}, ' \t') ELSE {it} END"


def translated(raw: str, clean: str, codes: dict[str, str | None]) -> str:
    """Return SQL of a code's translation, ``UNKNOWN`` where there is none.

    A code is met as it is written in the list: one with blanks around it by the value as it stands.
    """
    exact = any(k != k.strip(" \t") or not k for k in codes)
    cases = " ".join(f"WHEN {literal(k)} THEN {_constant(v)}" for k, v in codes.items() if k != "*")
    otherwise = _constant(codes["*"]) if "*" in codes else literal(UNKNOWN)
    otherwise = f"CASE WHEN {clean} IS NULL THEN NULL ELSE {otherwise} END"
    return f"CASE {raw if exact else clean} {cases} ELSE {otherwise} END" if cases else otherwise


def _constant(value: str | None) -> str:
    return "NULL" if value is None else literal(value)


def conversion(
    column: Column, names: Names, *, unit: str, date_format: str | None, today: date | None, salts: Mapping[str, Salt]
) -> Conversion:
    """Return how a value becomes a value of a canonical column; ``today`` is given for business dates."""
    match column.type:
        case "customer":
            return Conversion(salts["customer"].sql(names.text), names.parsed)
        case "ref":
            return Conversion(f"({salts['ref'].sql(names.text)} & {MASK_63})::BIGINT", names.parsed)
        case "person":
            return Conversion(names.text, names.parsed)
        case "text":
            return Conversion(names.text, names.parsed, _code_fault(column, names, map(literal, column.codes)))
        case "note":
            return Conversion(
                names.text, f"left(regexp_replace({names.parsed}, {literal(NUMBERS)}, '***', 'g'), {NOTE})"
            )
        case "money":
            return _money(column, names, unit)
        case "integer":
            return _integer(column, names)
        case "number":
            return _number(names)
        case "boolean":
            return _boolean(names)
        case "date":
            last = LAST_DAY if today is None else f"DATE '{(today + timedelta(days=366)).isoformat()}'"
            return _ranged(column, names, _day(names, date_format, "DATE"), last, "NOT_A_DATE")
        case "timestamp":
            return _ranged(column, names, _day(names, date_format, "TIMESTAMP"), LAST_DAY, "NOT_A_TIME")


def _code_fault(column: Column, names: Names, codes: Iterable[str]) -> tuple[tuple[str, Reason], ...]:
    return ((f"{names.parsed} NOT IN ({', '.join(codes)})", "UNKNOWN_CODE"),) if column.codes else ()


def _decimal(text: str) -> str:
    """SQL of a text as DECIMAL(18,2), none where it is not a number exact to two decimals."""
    short = f"(strpos({text}, '.') = 0 OR length({text}) - strpos({text}, '.') <= 2)"
    plain = f"{short} AND NOT contains({text}, 'e') AND NOT contains({text}, 'E')"
    quick = f"CASE WHEN {plain} THEN TRY_CAST({text} AS DECIMAL(18, 2)) END"
    return f"COALESCE({quick}, TRY_CAST({_digits(text, decimals='{0,2}0*')} AS DECIMAL(18, 2)))"


def _digits(text: str, *, decimals: str) -> str:
    """SQL of a written number without currency, thousands separators and full-width signs; empty where it is ambiguous.

    One chain without a repeated part: what occurs twice is computed for every row by the engine, needed or not.
    """
    narrow = f"translate({text}, '０１２３４５６７８９．，－＋￥　', '0123456789.,-+¥ ')"
    bare = f"regexp_replace({narrow}, '^ *([+-]?) *(¥|CNY|RMB) *|[ ]*元 *$', '\\1', 'g')"
    valid = f"^[+-]?([0-9]+|[0-9]{{1,3}}(,[0-9]{{3}})+)([.][0-9]{decimals})?$"
    return f"replace(regexp_extract({bare}, '{valid}', 0), ',', '')"


def _money(column: Column, names: Names, unit: str) -> Conversion:
    factor = 100 if unit == "yuan" else 1
    inexact = f"{names.parsed} <> floor({names.parsed})"
    if names.sql_type == "VARCHAR":
        amount = f"{_decimal(names.it)} * {factor}"
        amount = f"({amount})::BIGINT" if unit == "yuan" else amount
    elif names.sql_type in ("DOUBLE", "FLOAT"):
        amount = f"CASE WHEN isfinite({names.it}) THEN {names.it}::DOUBLE * {factor} END"
        inexact = (
            f"abs({names.parsed} - round({names.parsed})) > 0.001"  # binary fractions of the sender, not of the money
        )
    else:
        amount = f"TRY({names.it} * {factor})"
    stored = f"TRY_CAST(round({names.parsed}) AS BIGINT)"
    wrong = f"{names.unparsed} OR {inexact} OR ({names.parsed} IS NOT NULL AND {stored} IS NULL)"
    faults: list[tuple[str, Reason]] = [(wrong, "NOT_MONEY")]
    if names.sql_type == "VARCHAR" and unit == "yuan":
        stored, faults = names.parsed, [(names.unparsed, "NOT_MONEY")]
    if column.minimum is not None:
        faults.append((f"{stored} < {column.minimum}", "OUT_OF_RANGE"))
    return Conversion(amount, stored, tuple(faults))


def _integer(column: Column, names: Names) -> Conversion:
    amount = _decimal(names.it) if names.sql_type == "VARCHAR" else names.it
    whole = f"CASE WHEN {amount} = floor({amount}) THEN TRY_CAST({amount} AS INTEGER) END"
    faults: tuple[tuple[str, Reason], ...] = ((names.unparsed, "NOT_A_NUMBER"),)
    return Conversion(whole, names.parsed, faults + _code_fault(column, names, column.codes))


def _number(names: Names) -> Conversion:
    number = f"TRY_CAST({names.it} AS DOUBLE)"
    if names.sql_type == "VARCHAR":
        number = f"COALESCE({number}, TRY_CAST({_digits(names.it, decimals='*')} AS DOUBLE))"
    return Conversion(number, names.parsed, ((f"{names.unparsed} OR NOT isfinite({names.parsed})", "NOT_A_NUMBER"),))


def _boolean(names: Names) -> Conversion:
    if names.sql_type == "BOOLEAN":
        return Conversion(names.it, names.parsed)
    text = names.text
    value = f"CASE {text} WHEN '是' THEN true WHEN '否' THEN false ELSE TRY_CAST({text} AS BOOLEAN) END"
    return Conversion(value, names.parsed, ((names.unparsed, "NOT_A_BOOLEAN"),))


def _day(names: Names, date_format: str | None, target: str) -> str:
    """SQL of a date or time; words that the engine takes for one as well (epoch, infinity) are none."""
    if names.sql_type == "DATE" or names.sql_type.startswith("TIMESTAMP"):
        return f"TRY_CAST({names.it} AS {target})"
    if date_format is not None:
        return f"TRY_CAST(try_strptime({names.text}, {literal(date_format)}) AS {target})"
    return f"CASE WHEN {names.text} >= '0' AND {names.text} < ':' THEN TRY_CAST({names.text} AS {target}) END"


def _ranged(column: Column, names: Names, day: str, last: str, reason: Reason) -> Conversion:
    it = names.parsed
    outside = f"({it} < {FIRST_DAY} OR {it} > {last})"
    stored = it
    if not column.required:
        outside += f" AND NOT {it} BETWEEN {NO_END} AND DATE '9999-12-31'"
        stored = f"CASE WHEN {it} >= {NO_END} THEN NULL ELSE {it} END"
    return Conversion(day, stored, ((names.unparsed, reason), (outside, "OUT_OF_RANGE")))
