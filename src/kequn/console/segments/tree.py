"""The condition tree as a form: every node is a row of fields named by its path, and the form is the whole state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from kequn.console.segments.when import When, day_fields, period_fields, read_day_fields, read_period_fields

GROUPS = ("all", "any", "not", "union", "intersect", "except")
LEAVES = ("tag", "did", "sequence", "trend", "change", "rank", "cluster", "segment", "list")
PLACES = ("top", "bottom", "top_percent", "bottom_percent", "percentile")
SINGLE = {"known": 0, "unknown": 0, "between": 2}
"""Values that an operator takes; one where it is not named, several for those below."""
SEVERAL_VALUES = ("in", "contains_all")
PERIODIC = ("during", "anniversary")
LISTED = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,，、;；\n]*))\s*(?:[,，、;；\n]|$)')
"""One value of several in one field: up to a comma or the like, or in quotation marks."""
USUAL_PERIOD = {"did": "last 90 days", "sequence": "last 90 days", "trend": "last 30 days"}
AGAINST = ("period before", "year before")


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
    def listed(self) -> str:
        """All values in one field, as `parted` reads them again: a value may hold blanks, and in quotation marks anything."""
        plain = {value for value in self.values if '"' not in value and parted(value) == [value]}
        return ", ".join(value if value in plain else '"' + value.replace('"', '""') + '"' for value in self.values)

    @property
    def period(self) -> When:
        """The first value as the fields of a period."""
        return period_fields(self.first or "this month")

    @property
    def day(self) -> When:
        """The first value as the fields of a day."""
        return day_fields(self.first)

    @property
    def second_day(self) -> When:
        """The second value as the fields of a day."""
        return day_fields(self.second)

    @property
    def complete(self) -> bool:
        """Whether everything is filled that the operator needs."""
        need = SINGLE.get(self.op, 1)
        return bool(self.name) and len([v for v in self.values if v]) >= need

    def document(self, key: str, types: Mapping[str, str]) -> dict[str, Any]:
        """Return the test as the spec has it; numbers and truth values by the type."""
        made: dict[str, Any] = {key: self.name, "op": self.op}
        values = [typed(v, types.get(self.name, "text")) for v in self.values if v]
        if self.op == "between":
            made["value"] = values[:2]
        elif self.op in SEVERAL_VALUES:
            made["value"] = values
        elif self.op not in SINGLE:
            made["value"] = values[0] if values else ""
        return made


@dataclass(slots=True)
class RowsForm:
    """Rows of a table with tests on them; no table: none such."""

    table: str = ""
    tests: list[ValueTest] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every test is filled in."""
        return all(test.complete for test in self.tests)


@dataclass(slots=True)
class Node:
    """One node of the tree with the fields of all kinds; ``kind`` says which count."""

    kind: str
    path: str = "0"
    children: list[Node] = field(default_factory=list)
    """The parts of a group; of a rank, the one group among whom it is."""
    test: ValueTest = field(default_factory=ValueTest)
    as_of: str = ""
    """The earlier day of a tag's value or of a membership; the day since when a tag changed."""
    rows: RowsForm = field(default_factory=lambda: RowsForm("transaction"))
    then: RowsForm = field(default_factory=lambda: RowsForm("transaction"))
    other: RowsForm = field(default_factory=RowsForm)
    """What did not follow, or did not come between."""
    window: str = "last 90 days"
    against: str = "period before"
    gap: str = "7"
    at_least: str = "1"
    sum_of: str = ""
    sum_at_least: str = ""
    how: str = "ratio"
    amount: str = ""
    second_amount: str = ""
    by: str = "top"
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
        match self.kind:
            case "tag":
                return self.test.complete
            case "did" | "sequence":
                return self.rows.complete and self.then.complete and self.other.complete
            case "trend":
                return bool(self.rows.complete and self.amount)
            case "change":
                return bool(self.test.name and self.as_of and self.amount)
            case "rank":
                return bool(self.test.name and self.amount and (self.by != "percentile" or self.second_amount))
            case "cluster":
                return bool(self.ref and self.test.values)
            case "segment" | "list":
                return bool(self.ref)
            case _:
                return any(c.complete for c in self.children)

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

    def kinds_of_rows(self) -> dict[str, RowsForm]:
        """Return the rows the node is about, by what comes after its path in the names of their fields."""
        many = {"did": ("", "~other"), "sequence": ("", "~then", "~other"), "trend": ("",)}
        all_rows = {"": self.rows, "~then": self.then, "~other": self.other}
        return {name: all_rows[name] for name in many.get(self.kind, ())}


def parted(text: str) -> list[str]:
    """Return the values that a person wrote in one field, parted by commas: ``2 days ago, today``, ``"Smith, John"、李明``."""
    found = (quoted.replace('""', '"') or plain.strip() for quoted, plain in LISTED.findall(text))
    return [value for value in found if value]


def typed(value: str, type: str) -> Any:
    """Return a field's text as a value of a type: numbers and truth values where they can be read as such."""
    if type == "boolean" and value in ("true", "false"):
        return value == "true"
    return number(value) if type in ("integer", "number", "money") else value


def number(value: str) -> Any:
    """Return text as a number; as it is where it is none, so that the check can say so."""
    for read in (int, float):
        try:
            return read(value)
        except ValueError:
            continue
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
        _rows_at(root, path).tests.append(ValueTest())
    elif verb == "del-test":
        at, _, last = path.rpartition(".")
        del _rows_at(root, at).tests[int(last)]
    elif verb == "add-among":
        _at(root, path).children = [Node("all", children=[Node("tag")])]
    elif verb.startswith("add-") and verb[4:] in (*GROUPS, *LEAVES):
        _at(root, path).children.append(_new(verb[4:]))
    else:
        return False
    root.numbered()
    return True


def _new(kind: str) -> Node:
    node = Node(kind, window=USUAL_PERIOD.get(kind, ""), children=[Node("tag")] if kind in GROUPS else [])
    node.test.op = ">=" if kind in ("trend", "change") else "="
    node.as_of = "30 days ago" if kind == "change" else ""
    return node


def _at(root: Node, path: str) -> Node:
    node = root
    for step in path.split(".")[1:]:
        node = node.children[int(step)]
    return node


def _rows_at(root: Node, path: str) -> RowsForm:
    at, _, which = path.partition("~")
    return _at(root, at).kinds_of_rows()[f"~{which}" if which else ""]


def _read(form: QueryDict, path: str) -> Node:
    kind = form.get(f"kind:{path}", "tag")
    node = Node(kind if kind in (*GROUPS, *LEAVES) else "tag", path)
    n = 0
    while (node.is_group or node.kind == "rank") and f"kind:{path}.{n}" in form:
        node.children.append(_read(form, f"{path}.{n}"))
        n += 1
    if not node.is_group:
        _read_leaf(form, node)
    return node


def _read_leaf(form: QueryDict, node: Node) -> None:
    path, get = node.path, form.get
    node.test = _read_test(form, path, "tag")
    node.ref, node.as_of = get(f"ref:{path}", ""), read_day_fields(form, f"{path}~as_of") or ""
    for name, rows in node.kinds_of_rows().items():
        _read_rows(form, path + name, rows)
    node.window = read_period_fields(form, path, USUAL_PERIOD.get(node.kind, ""))
    node.against = get(f"against:{path}", "period before")
    if node.against not in AGAINST:
        node.against = read_period_fields(form, f"{path}~against", "last month")
    node.gap, node.at_least = get(f"gap:{path}", "7"), get(f"times:{path}", "1")
    node.sum_of, node.sum_at_least = get(f"sum:{path}", ""), get(f"sumv:{path}", "")
    node.how, node.by = get(f"how:{path}", "ratio"), get(f"by:{path}", "top")
    node.amount, node.second_amount = get(f"amt:{path}", "").strip(), get(f"amt2:{path}", "").strip()


def _read_rows(form: QueryDict, at: str, rows: RowsForm) -> None:
    rows.table = form.get(f"table:{at}", rows.table)
    n = 0
    while rows.table and f"col:{at}.{n}" in form:
        rows.tests.append(_read_test(form, f"{at}.{n}", "col"))
        n += 1


def _read_test(form: QueryDict, at: str, key: str) -> ValueTest:
    name, op = form.get(f"{key}:{at}", "").rpartition("·")[2].strip(), form.get(f"cmp:{at}", "=")
    if op in PERIODIC:
        return ValueTest(name, op, [read_period_fields(form, at, "this month")])
    values = [v.strip() for v in form.getlist(f"val:{at}") if v.strip()] or parted(form.get(f"vals:{at}", ""))
    days = [day for day in (read_day_fields(form, at), read_day_fields(form, f"{at}~second")) if day is not None]
    values = values or days
    return ValueTest(name, op, values if op in SEVERAL_VALUES or op == "between" else values[:1])
