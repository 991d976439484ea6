"""The condition tree from and to the rule that people write: nothing is lost on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kequn.console.segments.tree import AGAINST, Node, RowsForm, ValueTest, number
from kequn.core.spec.segment import (
    AllOf,
    AnyOf,
    Behaviour,
    Change,
    Cluster,
    Condition,
    Did,
    Except,
    Intersect,
    MemberOf,
    Movement,
    Not,
    OnList,
    Order,
    Rank,
    Rows,
    Sequence,
    TagTest,
    Trend,
    Union,
)

LAST_DAYS = re.compile(r"last (\d+) days?")


def tree_of(condition: Condition) -> Node:
    """Return the tree of a rule; a rule that is one leaf stands in a group of its own."""
    node = _node(condition)
    return (node if node.is_group else Node("all", children=[node])).numbered()


def document_of(node: Node, types: Mapping[str, str], *, place: str = "where", whole: bool = False) -> dict[str, Any]:
    """Return the rule as plain values, and note at each node where it stands.

    Leaves that are not filled in are left out, unless ``whole``: then they are what the check complains about.
    ``types`` gives the type of each tag, and of each column as ``table.column``.
    """
    node.place = place
    if not node.is_group:
        return _leaf(node, types, whole=whole)
    parts = [c for c in node.children if whole or c.complete]
    if node.kind == "not":
        if len(parts) == 1:
            return {"not": document_of(parts[0], types, place=f"{place}.not", whole=whole)}
        inner = [document_of(c, types, place=f"{place}.not.all.{n}", whole=whole) for n, c in enumerate(parts)]
        return {"not": {"all": inner}}
    fewest = {"union": 1, "intersect": 1, "except": 2}.get(node.kind, 0)
    kind = "all" if len(parts) < fewest and not whole else node.kind
    return {kind: [document_of(c, types, place=f"{place}.{kind}.{n}", whole=whole) for n, c in enumerate(parts)]}


def _node(condition: Any) -> Node:
    match condition:
        case AllOf(all=parts):
            return Node("all", children=[_node(c) for c in parts])
        case AnyOf(any=parts):
            return Node("any", children=[_node(c) for c in parts])
        case Union(union=parts):
            return Node("union", children=[_node(c) for c in parts])
        case Intersect(intersect=parts):
            return Node("intersect", children=[_node(c) for c in parts])
        case Except(groups=parts):
            return Node("except", children=[_node(c) for c in parts])
        case Not():
            inner = _node(condition.negated)
            return Node("not", children=inner.children if inner.kind == "all" else [inner])
        case TagTest():
            return Node("tag", test=_test(condition.tag, condition), as_of=condition.as_of or "")
        case MemberOf(segment=name, as_of=day):
            return Node("segment", ref=name, as_of=day or "")
        case OnList(list=name):
            return Node("list", ref=name)
        case Cluster(cluster=cluster):
            return Node("cluster", ref=cluster.set, test=ValueTest("", "in", list(cluster.any_of)))
        case Did(did=did):
            return _did(did)
        case Sequence(sequence=order):
            return _sequence(order)
        case Trend(trend=movement):
            return _trend(movement)
        case Change():
            return _change(condition)
        case Rank():
            return _rank(condition)
    raise TypeError(type(condition).__name__)


def _did(did: Behaviour) -> Node:
    return Node(
        "did", rows=_rows(did), window=_window(did), at_least=str(did.at_least), sum_of=did.sum_of or "",
        sum_at_least=_amount(did.sum_at_least), other=_rows(did.not_since) if did.not_since else RowsForm(),
    )  # fmt: skip


def _sequence(order: Order) -> Node:
    return Node(
        "sequence", rows=_rows(order.first), then=_rows(order.then), gap=str(order.gap_days), window=_window(order),
        other=_rows(order.without) if order.without else RowsForm(),
    )  # fmt: skip


def _trend(movement: Movement) -> Node:
    return Node(
        "trend", rows=_rows(movement), sum_of=movement.sum_of or "", window=movement.during, against=movement.against,
        test=ValueTest(op=movement.op), **_compared(movement),
    )  # fmt: skip


def _change(condition: Change) -> Node:
    change = condition.change
    return Node("change", test=ValueTest(change.tag, change.op), as_of=change.since, **_compared(change))


def _rank(condition: Rank) -> Node:
    place = condition.rank
    node = Node("rank", test=ValueTest(place.tag))
    if place.percentile is not None:
        node.by, (low, high) = "percentile", place.percentile
        node.amount, node.second_amount = _amount(low), _amount(high)
    else:
        said = {
            "top": place.top,
            "bottom": place.bottom,
            "top_percent": place.top_percent,
            "bottom_percent": place.bottom_percent,
        }
        node.by, node.amount = next((by, _amount(value)) for by, value in said.items() if value is not None)
    if place.among is not None:
        among = _node(place.among)
        node.children = [among if among.is_group else Node("all", children=[among])]
    return node


def _compared(comparison: Any) -> dict[str, str]:
    if comparison.ratio is not None:
        return {"how": "ratio", "amount": _amount(comparison.ratio)}
    return {"how": "difference", "amount": _amount(comparison.difference)}


def _rows(rows: Rows) -> RowsForm:
    return RowsForm(rows.table, [_test(t.column, t) for t in rows.where])


def _window(window: Any) -> str:
    return window.during or f"last {window.within_days} days"


def _test(name: str, written: Any) -> ValueTest:
    value = written.value
    values = [] if value is None else [_text(v) for v in value] if isinstance(value, tuple) else [_text(value)]
    return ValueTest(name, written.op, values)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _amount(value: Any) -> str:
    return "" if value is None else f"{value:f}" if hasattr(value, "as_tuple") else str(value)


# -- to the spec --------------------------------------------------------------------------------------------------------


def _leaf(node: Node, types: Mapping[str, str], *, whole: bool) -> dict[str, Any]:
    as_of = {"as_of": node.as_of} if node.as_of else {}
    match node.kind:
        case "tag":
            return node.test.document("tag", types) | as_of
        case "segment":
            return {"segment": node.ref} | as_of
        case "list":
            return {"list": node.ref}
        case "cluster":
            return {"cluster": {"set": node.ref, "in": node.test.values}}
        case "did":
            return {"did": _did_document(node, types)}
        case "sequence":
            return {"sequence": _sequence_document(node, types)}
        case "trend":
            return {"trend": _trend_document(node, types)}
        case "change":
            return {"change": {"tag": node.test.name, "since": node.as_of} | _comparison(node)}
        case _:
            return {"rank": _rank_document(node, types, whole=whole)}


def _did_document(node: Node, types: Mapping[str, str]) -> dict[str, Any]:
    did = _rows_document(node.rows, types) | _window_document(node.window) | {"at_least": number(node.at_least or "1")}
    if node.sum_of and node.sum_at_least:
        did |= {"sum_of": node.sum_of, "sum_at_least": number(node.sum_at_least)}
    if node.other.table:
        did["not_since"] = _rows_document(node.other, types)
    return did


def _sequence_document(node: Node, types: Mapping[str, str]) -> dict[str, Any]:
    order = {"first": _rows_document(node.rows, types), "then": _rows_document(node.then, types)}
    order |= {"gap_days": number(node.gap)} | _window_document(node.window)
    return order | ({"without": _rows_document(node.other, types)} if node.other.table else {})


def _trend_document(node: Node, types: Mapping[str, str]) -> dict[str, Any]:
    trend = _rows_document(node.rows, types) | {"during": node.window} | _comparison(node)
    if node.sum_of:
        trend["sum_of"] = node.sum_of
    return trend | ({"against": node.against} if node.against != AGAINST[0] else {})


def _rank_document(node: Node, types: Mapping[str, str], *, whole: bool) -> dict[str, Any]:
    amounts = [number(node.amount), number(node.second_amount)]
    rank: dict[str, Any] = {"tag": node.test.name, node.by: amounts if node.by == "percentile" else amounts[0]}
    if node.children and (whole or node.children[0].complete):
        group, place = node.children[0], f"{node.place}.rank.among"
        if group.kind == "all" and len(group.children) == 1:
            group, group.place = group.children[0], place
        rank["among"] = document_of(group, types, place=place, whole=whole)
    return rank


def _comparison(node: Node) -> dict[str, Any]:
    return {"op": node.test.op, node.how if node.how in ("ratio", "difference") else "ratio": number(node.amount)}


def _window_document(window: str) -> dict[str, Any]:
    found = LAST_DAYS.fullmatch(window)
    return {"within_days": int(found[1])} if found else {"during": window}


def _rows_document(rows: RowsForm, types: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"table": rows.table}
    if rows.tests:
        of_table = {k.partition(".")[2]: v for k, v in types.items() if k.startswith(f"{rows.table}.")}
        made["where"] = [test.document("column", of_table) for test in rows.tests]
    return made
