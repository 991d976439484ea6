"""Expressions people write can compute, and can do nothing else."""

from __future__ import annotations

import json

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from kequn.core.engine.expression import AGGREGATES, FUNCTIONS, OPERATORS, WITH_AGGREGATES, checked, names_in
from kequn.core.errors import BadExpression, Where

COLUMNS = {
    "a": "BIGINT", "b": "BIGINT", "s": "VARCHAR", "d": "DATE", "e": "DATE", "t": "TIMESTAMP", "f": "BOOLEAN", "x": "DOUBLE",
    "l": "VARCHAR[]", "客户 号": "VARCHAR",
}  # fmt: skip
ROWS = """
(1::BIGINT, 2::BIGINT, 'abc,def', DATE '2026-01-31', DATE '2025-02-28', TIMESTAMP '2026-01-31 08:09:10', true,
1.5::DOUBLE, ['b','a'], 'k1'),
(-7, 0, ' Ab ', DATE '1999-12-31', NULL, NULL, false, -2.5, [], 'k2'),
(NULL, 3, '', NULL, DATE '2024-02-29', TIMESTAMP '2024-02-29 00:00:00', NULL, NULL, NULL, NULL),
(1000000, 7, '20260131', DATE '2026-06-30', DATE '2026-07-01', TIMESTAMP '2026-06-30 23:59:59', true, 1e9, ['z', NULL],
'k3')
"""
PLAIN = [
    "a + b * 2 - 1", "a // 2", "a / 2", "a % 3", "-a", "- -a", "(a + b) * 2", "a - (b - 1)", "power(x, 2)",
    "a = 1 or b = 2 and not f", "not (a = 1 or b = 2)", "a <> 1", "a != 1", "a is null", "a is not null",
    "not a in (1, 2)",
    "a not in (1, 2)", "a between 0 and 5", "a not between 0 and 5", "s like 'a%'", "s not like 'a%'", "s ilike 'AB%'",
    "a is distinct from b", "a is not distinct from b", "f is true", "f is not true",
    "case when a > 1 then 'x' when f then 'y' else 'z' end", "case a when 1 then 2 end", "if(f, 1, 2)",
    "coalesce(a, b, 0)",
    "nullif(a, 1)", "ifnull(a, 1)", "greatest(a, b, 3)", "least(a, b)", "abs(a)", "round(x, 1)", "round(x)", "floor(x)",
    "ceil(x)",
    "sign(a)", "sqrt(abs(x))", "ln(abs(x) + 1)", "a::double / 3", "cast(x as decimal(18, 2))", "try_cast(s as bigint)",
    "try_cast(s as date)", "s::varchar", "d + 1", "d - interval 30 day", "d - interval '3 months'",
    "d + interval 1 year",
    "date_diff('day', e, d)", "datediff('month', e, d)", "date_diff('year', e, d)", "d - e", "year(d)", "month(d)",
    "day(d)",
    "hour(t)", "minute(t)", "quarter(d)", "dayofweek(d)", "isodow(d)", "weekday(d)", "extract(year from d)",
    "extract(dow from d)", "date_trunc('month', d)", "date_trunc('month', d)::date", "last_day(d)",
    "make_date(2026, 1, 15)", "date '2026-01-15' - d", "timestamp '2026-01-15 00:00:00'", "d < as_of", "as_of - d",
    "try_strptime(s, '%Y%m%d')", "try_strptime(s, '%Y%m%d')::date", "strftime(d, '%Y%m')", "upper(s)", "lower(s)",
    "trim(s)",
    "ltrim(s)", "rtrim(s)", "trim(both ' A' from s)", "substr(s, 2, 2)", "substring(s, 2)", "left(s, 2)", "right(s, 2)",
    "length(s)",
    "replace(s, 'a', '''')", "split_part(s, ',', 2)", "concat(s, a)", "concat_ws('-', s, a)", "s || '-' || s",
    "lpad(s, 5, '0')",
    "rpad(s, 5, '*')", "starts_with(s, 'a')", "contains(s, 'b')", "reverse(s)", "translate(s, 'ab', 'xy')",
    "regexp_matches(s, '^[0-9]+$')", "regexp_extract(s, '([a-z]+)', 1)", "regexp_replace(s, '[a-z]', '_')",
    "regexp_replace(s, '[a-z]', '_', 'g')", "list_contains(l, 'a')", "list_sort(l)", "len(l)",
    "list_distinct(['a', 'a'])",
    '"客户 号"', "\"客户 号\" = 'k1'", "A + B", "'it''s'", "true", "null", "1.5", "a -- a comment",
    "a - -1", "a * -1 + 2", "not not f", "f = (a > 1)", "1 - (2 - 3) - 4", "8 / 2 / 2", "8 / (2 / 2)",
    "2 - 3 * (4 + 5)",
]  # fmt: skip
AGGREGATE = [
    "sum(a)", "coalesce(sum(a), 0)", "count(*)", "count(a)", "count(distinct b)", "sum(a) filter (where f)",
    "count(*) filter (where b > 1 and s <> '')", "min(d)", "max(d)", "avg(x)", "median(x)", "bool_or(f)", "bool_and(f)",
    "count_if(f)", "arg_max(s, d)", "arg_min(s, d)", "list_sort(list(distinct s))",
    "list(s order by a desc nulls last)",
    "mode(f)", "quantile_cont(x, 0.5)", "stddev(x)", "stddev_pop(x)",
    "sum(case when f then a else 0 end) / nullif(count(*), 0)",
    "max(as_of - d)", "as_of - max(d)", "array_agg(distinct s order by s)", "max_by(s, a)", "sum(distinct b)",
]  # fmt: skip
REFUSED = [
    "", "  ", "a;b", "1=1; drop table t", "a from t", "a where f", "a limit 1", "distinct a", "a, b", "a as b", "a: b",
    "(select 1)", "a in (select 1)", "exists (select 1)", "a = any(select 1)", "(with q as (select 1) select * from q)",
    "read_csv('/etc/passwd')", "read_text('/etc/passwd')", "read_parquet('x')", "glob('*')", "getenv('HOME')",
    "current_setting('x')", "pg_sleep(1)", "now()", "current_date", "current_timestamp", "today()", "random()",
    "uuid()",
    "version()", "current_user", "nextval('s')", "query('select 1')", "query_table('t')", "sql_auto_complete('x')",
    "row_number() over ()", "sum(a) over (partition by b)", "lag(a) over (order by d)", "unnest(l)",
    "generate_series(1, 1000000000)",
    "range(1000000000)", "repeat(s, 1000000000)", "lpad(s, 1000000000, 'x')", "lpad(s, a, 'x')",
    "list_transform(l, v -> v)", "a -> 'b'",
    "t.a", "main.t.a", "a.b", "*", "count(a.*)", "columns('a')", "sum(*)", "$1", "?", "#1", "a[1]", "l[1:2]",
    "{'a': 1}", "map {1: 2}",
    "$$text$$", "e'\\x41'", "a collate nocase", "t at time zone 'UTC'", "cast(a as json)", "cast(s as enum('a'))",
    "a::mytype",
    "cast(a as int[])", "decimal '1.5'::struct(a int)", "date_diff('fortnight', d, e)", "interval 1 fortnight",
    "sum(sum(a))",
    "max(a, 3)", "nonsense(a)", "nothing", "'open", '"open', "/* open", "(a", "a)", "case when a then", "a +", "a\x00",
    "attach 'x' as y", "copy t to 'x'", "set threads = 1", "pragma version", "install x", "load x",
    "create table x as select 1",
    "call f()", "describe select 1", "from read_csv('x')", "values (1)", "a union select 1", "pivot t on a",
    "summarize t",
    "a into outfile 'x'", "a order by b", "a group by b", "a having b", "a qualify b", "grouping(a)", "a in l",
    "(" * 300 + "1" + ")" * 300, "not " * 900 + "a", "- " * 1500 + "1", "case " * 500, "a + " * 1300 + "1", "x" * 5000,
    " or ".join(["a = 1"] * 120),
]  # fmt: skip


def check(text: str, *, aggregates: bool = True) -> exp.Expr:
    return checked(text, columns=COLUMNS, aggregates=aggregates)


def run(text: str) -> list[tuple[object, ...]]:
    names = ", ".join(f'"{c}"' for c in COLUMNS)
    query = f"SELECT {text} FROM (SELECT *, DATE '2026-06-30' AS as_of FROM (VALUES {ROWS}) v({names}))"
    return duckdb.connect().execute(query).fetchall()


@pytest.mark.parametrize("text", PLAIN)
def test_a_checked_expression_computes_what_was_written(text: str):
    assert repr(run(check(text, aggregates=False).sql(dialect="duckdb"))) == repr(run(f"{text}\n"))


@pytest.mark.parametrize("text", AGGREGATE)
def test_a_checked_aggregate_computes_what_was_written(text: str):
    text = text.replace("as_of - max(d)", "max(as_of) - max(d)")
    assert run(check(text).sql(dialect="duckdb")) == run(text)


@pytest.mark.parametrize("text", REFUSED)
def test_what_goes_beyond_an_expression_is_refused(text: str):
    with pytest.raises(BadExpression):
        check(text)


@pytest.mark.parametrize("text", AGGREGATE)
def test_an_aggregate_is_refused_where_each_row_stands_alone(text: str):
    with pytest.raises(BadExpression, match="aggregate"):
        check(text, aggregates=False)


def test_names_are_spelled_as_declared_and_reported():
    expression = check('A + length("客户 号") + (as_of - D)')
    assert names_in(expression) == {"a", "客户 号", "as_of", "d"}


def test_a_misspelt_column_gets_the_near_one():
    with pytest.raises(BadExpression, match="Did you mean 'opened_on'"):
        checked("openedon", columns=["opened_on", "birth_on"], aggregates=False)


def test_a_misspelt_function_gets_the_near_one():
    with pytest.raises(BadExpression, match="Did you mean 'upper'"):
        check("uper(s)")


def test_the_error_says_where_the_expression_stands():
    with pytest.raises(BadExpression) as caught:
        checked("nothing", columns=[], aggregates=False, where=Where("a.yaml", 3, 5, "columns.x.sql"))
    assert str(caught.value).startswith("a.yaml:3:5 [columns.x.sql]: There is no column 'nothing'.")


def test_long_chains_are_not_deep():
    check(" or ".join(["a = 1"] * 40))
    check("case when a = 1 then 1 end + " + " + ".join(["b"] * 40))


words = st.sampled_from(
    [*COLUMNS, "as_of", "(", ")", ",", "+", "-", "*", "/", "//", "%", "||", "=", "<", ">", "<>", "and", "or", "not",
    "in", "is",
     "null", "like", "between", "case", "when", "then", "else", "end", "1", "2.5", "'x'", "'it''s'", "select", "from",
     "where",
     "read_csv", "getenv", "cast", "try_cast", "as", "date", "int", "interval", "day", "::", ";", "--", "/*", "*/",
     "over",
     "filter", "distinct", "order", "by", "limit", "union", "with", "exists", "any", "all", "array", "[", "]", "{", "}",
     ":", "->",
     ".", "$", "?", "@", "#", "\\", '"', "'", "`", "e'", "x'", "unnest", "pivot", "set", "values", "lambda", "struct",
     "columns",
     "extract", "trim", "both", "escape", "collate", "at", "time", "zone", "within", "group", "partition", "rows",
     "current_date",
     *FUNCTIONS.values(), *AGGREGATES.values()]
)  # fmt: skip
ALLOWED = {*OPERATORS, *FUNCTIONS, *AGGREGATES, *WITH_AGGREGATES, exp.Anonymous}
INNOCENT = {
    "BOUND_COLUMN_REF", "COLUMN_REF", "VALUE_CONSTANT", "FUNCTION", "CASE_EXPR", "OPERATOR_CAST", "OPERATOR_COALESCE",
    "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN",
    "COMPARE_GREATERTHAN", "COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO", "COMPARE_BETWEEN", "COMPARE_IN",
    "COMPARE_NOT_IN", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM", "CONJUNCTION_AND", "CONJUNCTION_OR",
    "ARRAY_CONSTRUCTOR", "STAR", "OPERATOR_NULLIF", "OPERATOR_TRY", "TYPE",
}  # fmt: skip
PARSER = duckdb.connect()


def types_in(tree: object) -> set[str]:
    if isinstance(tree, dict):
        own = {tree["type"]} if "class" in tree and "type" in tree else set()
        return own.union(*map(types_in, tree.values()))
    return set().union(*map(types_in, tree)) if isinstance(tree, list) else set()


def holds(text: str) -> None:
    """Whatever the text: refused, or only what is allowed, for our parser and for the database's own."""
    try:
        expression = check(text)
    except BadExpression:
        return
    assert {type(node) for node in expression.walk()} <= ALLOWED
    (found,) = PARSER.execute("SELECT json_serialize_sql(?)", [f"SELECT {expression.sql(dialect='duckdb')}"]).fetchone()
    read = json.loads(found)
    if read["error"]:
        return  # the database refuses it: harmless
    (statement,) = read["statements"]
    node = statement["node"]
    assert node["type"] == "SELECT_NODE"
    assert node["from_table"]["type"] == "EMPTY"
    assert len(node["select_list"]) == 1
    assert types_in(node["select_list"]) <= INNOCENT


@settings(max_examples=400, deadline=None)
@given(st.lists(words, max_size=25).map(" ".join))
@example("sum ( a ) filter ( where ( select 1 ) )")
@example("e' ' || 'x' --'")
def test_no_mix_of_words_gets_through(text: str):
    holds(text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_no_text_whatsoever_gets_through(text: str):
    holds(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*PLAIN, *AGGREGATE, *REFUSED]), st.sampled_from([*PLAIN, *AGGREGATE, *REFUSED]), st.data())
def test_no_crossing_of_expressions_gets_through(first: str, second: str, data: st.DataObject):
    first, second = first[:300], second[:300]
    cut, at = data.draw(st.integers(0, len(first))), data.draw(st.integers(0, len(second)))
    holds(first[:cut] + second[at:])
