"""The condition tree as a form: every node is a row of fields named by its path, and the form is the whole state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from kequn.core.spec.segment import AllOf, AnyOf, Condition, Did, MemberOf, Not, OnList, TagTest

GROUPS = ("all", "any", "not")
LEAVES = ("tag", "did", "segment", "list")
SINGLE = {"known": 0, "unknown": 0, "between": 2}
"""Values that an operator takes; one where it is not named, several for ``in``."""
SEVERAL = re.compile(r"[,，、;；\s]+")


@dataclass(slots=True)
class ValueTest:
    """One test on a tag or a column: what the fields hold, as text."""

    name: str = ""
    op: str = "="
    values: list[str] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The first value, for a single field."""
        return self.values[0] if self.values else ""

    @property
    def second(self) -> str:
        """The second value of ``between``."""
        return self.values[1] if len(self.values) > 1 else ""

    @property
    def complete(self) -> bool:
        """Whether everything is filled that the operator needs."""
        need = SINGLE.get(self.op, 1)
        return bool(self.name) and len([v for v in self.values if v]) >= need

    def document(self, key: str, types: Mapping[str, str]) -> dict[str, Any]:
        """Return the test as the spec has it; numbers and truth values by the type."""
        made: dict[str, Any] = {key: self.name, "op": self.op}
        values = [_typed(v, types.get(self.name, "text")) for v in self.values if v]
        if self.op == "between":
            made["value"] = values[:2]
        elif self.op == "in":
            made["value"] = values
        elif self.op not in SINGLE:
            made["value"] = values[0] if values else ""
        return made


@dataclass(slots=True)
class Node:
    """One node of the tree with the fields of all kinds; ``kind`` says which count."""

    kind: str
    path: str = "0"
    children: list[Node] = field(default_factory=list)
    test: ValueTest = field(default_factory=ValueTest)
    table: str = "transaction"
    tests: list[ValueTest] = field(default_factory=list)
    days: str = "90"
    at_least: str = "1"
    sum_of: str = ""
    sum_at_least: str = ""
    not_table: str = ""
    not_tests: list[ValueTest] = field(default_factory=list)
    ref: str = ""
    place: str = ""
    """Where it stands in the document, for faults and the funnel."""
    faults: list[Any] = field(default_factory=list)
    alone: int | None = None
    left: int | None = None
    unknown: int | None = None
    spec: Any = None
    """What the page needs of the tag or table: title, type, values."""

    @property
    def is_group(self) -> bool:
        """Whether it holds others."""
        return self.kind in GROUPS

    @property
    def complete(self) -> bool:
        """Whether a leaf says enough to be counted; a group when something in it does."""
        if self.kind == "tag":
            return self.test.complete
        if self.kind == "did":
            return all(t.complete for t in (*self.tests, *self.not_tests))
        return any(c.complete for c in self.children) if self.is_group else bool(self.ref)

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, top down."""
        yield self
        for child in self.children:
            yield from child.walk()

    def numbered(self, path: str = "0") -> Node:
        """Give each node its path; return the node."""
        self.path = path
        for n, child in enumerate(self.children):
            child.numbered(f"{path}.{n}")
        return self


# -- from and to the spec -----------------------------------------------------------------------------------------------


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
        return _leaf(node, types)
    parts = [c for c in node.children if whole or c.complete]
    if node.kind == "not":
        if len(parts) == 1:
            return {"not": document_of(parts[0], types, place=f"{place}.not", whole=whole)}
        inner = [document_of(c, types, place=f"{place}.not.all.{n}", whole=whole) for n, c in enumerate(parts)]
        return {"not": {"all": inner}}
    return {
        node.kind: [document_of(c, types, place=f"{place}.{node.kind}.{n}", whole=whole) for n, c in enumerate(parts)]
    }


def _node(condition: Any) -> Node:
    match condition:
        case AllOf():
            return Node("all", children=[_node(c) for c in condition.all])
        case AnyOf():
            return Node("any", children=[_node(c) for c in condition.any])
        case Not():
            inner = _node(condition.negated)
            return Node("not", children=inner.children if inner.kind == "all" else [inner])
        case TagTest():
            return Node("tag", test=_test(condition.tag, condition))
        case MemberOf():
            return Node("segment", ref=condition.segment)
        case OnList():
            return Node("list", ref=condition.list)
        case Did():
            did = condition.did
            return Node(
                "did", table=did.table, tests=[_test(t.column, t) for t in did.where], days=str(did.within_days),
                at_least=str(did.at_least), sum_of=did.sum_of or "",
                sum_at_least="" if did.sum_at_least is None else _text(did.sum_at_least),
                not_table=did.not_since.table if did.not_since else "",
                not_tests=[_test(t.column, t) for t in did.not_since.where] if did.not_since else [],
            )  # fmt: skip
    raise TypeError(type(condition).__name__)


def _test(name: str, written: Any) -> ValueTest:
    value = written.value
    values = [] if value is None else [_text(v) for v in value] if isinstance(value, tuple) else [_text(value)]
    return ValueTest(name, written.op, values)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leaf(node: Node, types: Mapping[str, str]) -> dict[str, Any]:
    if node.kind == "tag":
        return node.test.document("tag", types)
    if node.kind in ("segment", "list"):
        return {node.kind: node.ref}
    did: dict[str, Any] = {
        "table": node.table,
        "within_days": _number(node.days),
        "at_least": _number(node.at_least or "1"),
    }
    if node.tests:
        did["where"] = [t.document("column", _columns(types, node.table)) for t in node.tests]
    if node.sum_of and node.sum_at_least:
        did |= {"sum_of": node.sum_of, "sum_at_least": _number(node.sum_at_least)}
    if node.not_table:
        did["not_since"] = {"table": node.not_table}
        if node.not_tests:
            did["not_since"]["where"] = [t.document("column", _columns(types, node.not_table)) for t in node.not_tests]
    return {"did": did}


def _columns(types: Mapping[str, str], table: str) -> dict[str, str]:
    return {k.partition(".")[2]: v for k, v in types.items() if k.startswith(f"{table}.")}


def _typed(value: str, type: str) -> Any:
    if type == "boolean" and value in ("true", "false"):
        return value == "true"
    return _number(value) if type in ("integer", "number", "money") else value


def _number(value: str) -> Any:
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return value


# -- from the form, and what its buttons do -----------------------------------------------------------------------------


def tree_from(form: QueryDict) -> Node:
    """Return the tree that a form holds; without one, an empty group."""
    return _read(form, "0") if "kind:0" in form else Node("all")


def apply(root: Node, act: str) -> bool:
    """Do what a button says (``add-tag:0.1``, ``add-any:0``, ``del:0.2``, …) to the tree; return whether it was one of these."""
    verb, _, path = act.partition(":")
    if verb == "del" and path != "0":
        at, _, last = path.rpartition(".")
        del _at(root, at).children[int(last)]
    elif verb == "add-test":
        _at(root, path).tests.append(ValueTest())
    elif verb == "del-test":
        at, _, last = path.rpartition(".")
        del _at(root, at).tests[int(last)]
    elif verb.startswith("add-") and verb[4:] in (*GROUPS, *LEAVES):
        group = verb[4:] in GROUPS
        _at(root, path).children.append(Node(verb[4:], children=[Node("tag")] if group else []))
    else:
        return False
    root.numbered()
    return True


def _at(root: Node, path: str) -> Node:
    node = root
    for step in path.split(".")[1:]:
        node = node.children[int(step)]
    return node


def _read(form: QueryDict, path: str) -> Node:
    kind = form.get(f"kind:{path}", "tag")
    node = Node(kind if kind in (*GROUPS, *LEAVES) else "tag", path)
    if node.is_group:
        n = 0
        while f"kind:{path}.{n}" in form:
            node.children.append(_read(form, f"{path}.{n}"))
            n += 1
    elif node.kind == "tag":
        node.test = _read_test(form, path, "tag")
    elif node.kind == "did":
        get = form.get
        node.table = get(f"table:{path}", "transaction")
        node.days, node.at_least = get(f"days:{path}", "90"), get(f"times:{path}", "1")
        node.sum_of, node.sum_at_least = get(f"sum:{path}", ""), get(f"sumv:{path}", "")
        node.not_table = get(f"nott:{path}", "")
        n = 0
        while f"col:{path}.{n}" in form:
            node.tests.append(_read_test(form, f"{path}.{n}", "col"))
            n += 1
        if node.not_table and f"notcol:{path}" in form and form[f"notcol:{path}"]:
            node.not_tests = [_read_test(form, path, "notcol", prefix="not")]
    else:
        node.ref = form.get(f"ref:{path}", "")
    return node


def _read_test(form: QueryDict, path: str, key: str, *, prefix: str = "") -> ValueTest:
    name = form.get(f"{key}:{path}", "").rpartition("·")[2].strip()
    values = [v.strip() for v in form.getlist(f"{prefix}val:{path}") if v.strip()]
    op = form.get(f"{prefix}cmp:{path}", "=")
    if op == "in" and len(values) == 1:
        values = [v for v in SEVERAL.split(values[0]) if v]
    return ValueTest(name, op, values if op in ("in", "between") else values[:1])
