"""What the builder shows beside the tree: live size, funnel, words, SQL, and what is wrong and where."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import get_language

from kequn.console.errors import Said, said
from kequn.console.segments.pinyin import initials
from kequn.console.segments.tree import Node, ValueTest, document_of, tree_of
from kequn.core.data.tables import TABLES
from kequn.core.errors import KequnError, SeveralErrors
from kequn.core.segments import OPERATORS, in_words
from kequn.core.segments.columns import TABLE_WORDS, code_words, column_title
from kequn.core.spec.reading import parse_spec
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.contracts import SegmentPreview
from kequn.ops.audiences.queries import draft_sql, preview_segment, segment_specs, usable_lists
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.queries import catalogue

BEHAVIOURS = ("transaction", "event", "contact", "service", "holding")
NAMELESS = "draft_segment"


@dataclass(slots=True)
class Panel:
    """What the editor says about the rule as it stands."""

    preview: SegmentPreview | None = None
    milliseconds: int = 0
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    words: str = ""
    sql: str = ""
    faults: list[Said] = field(default_factory=list)
    """What is wrong and cannot be said of one condition."""
    left_out: int = 0
    """Conditions that are not filled in yet and do not count."""


def spec_of(root: Node, labels: dict[str, Any], *, whole: bool) -> SegmentSpec:
    """Return the spec that form and labels make.

    Raises:
        KequnError: as the reader of specs says; with the place in the document.
    """
    document = {"kind": "segment", **labels, "where": document_of(root, types(), whole=whole)}
    return parse_spec(json.dumps(document, ensure_ascii=False))[0]  # type: ignore[return-value]


def look(actor: Actor, root: Node, labels: dict[str, Any]) -> Panel:
    """Return the panel for a tree, and note figures and faults at its nodes."""
    panel = Panel(left_out=sum(not n.complete for n in root.walk() if not n.is_group))
    started = time.perf_counter()
    try:
        spec = spec_of(root, {"name": NAMELESS, "title": "-"} | {k: v for k, v in labels.items() if v}, whole=False)
        panel.preview = preview_segment(actor, spec)
        panel.sql = draft_sql(actor, spec)
    except KequnError as error:
        panel.faults = pinned(root, error)
    panel.milliseconds = round(1000 * (time.perf_counter() - started))
    if panel.preview:
        panel.words = panel.preview.words_en if _language().startswith("en") else panel.preview.words_zh
        panel.steps = _funnel(root, panel.preview)
    return panel


def pinned(root: Node, error: KequnError) -> list[Said]:
    """Put each fault at the condition it is about; return those that are about none."""
    rest: list[Said] = []
    for fault in error.errors if isinstance(error, SeveralErrors) else (error,):
        place = fault.where.field
        homes = [n for n in root.walk() if n.place and not n.is_group and (place + ".").startswith(n.place + ".")]
        for part in said(fault):
            (homes[-1].faults if homes else rest).append(part)
    return rest


def dressed(root: Node) -> Node:
    """Give each node what the page needs to show it: the tag's title, type, operators and values."""
    tags = catalogue()
    for node in root.walk():
        if node.kind == "tag":
            node.spec = _of_tag(tags.get(node.test.name))
        elif node.kind == "did":
            node.spec = _of_table(node)
    return root


def tree_for(spec: SegmentSpec) -> Node:
    """Return the tree of a saved segment."""
    return tree_of(spec.where)


def picker() -> list[dict[str, str]]:
    """Return the tags that may be tested, for the picker in the page: name, title, and what a search matches."""
    english = _language().startswith("en")
    return [
        {
            "n": f"{spec.title.to('en' if english else 'zh')} · {name}",
            "t": spec.title.to("en" if english else "zh"),
            "s": f"{name} {spec.title.zh} {spec.title.en} {initials(spec.title.zh)}".lower(),
        }
        for name, spec in catalogue().items()
        if spec.sensitivity != "X"
    ]


def references(except_name: str = "") -> dict[str, list[tuple[str, str]]]:
    """Return the segments and lists that a condition may name: (name, title)."""
    segments = [(n, s.title.to(_language())) for n, s in sorted(segment_specs().items()) if n != except_name]
    return {"segments": segments, "lists": [(n, n) for n in sorted(usable_lists())]}


def types() -> dict[str, str]:
    """Return the type of every tag, and of every behaviour's column as ``table.column``."""
    columns = {f"{t}.{c.name}": c.type for t in BEHAVIOURS for c in TABLES[t].columns}
    return {name: spec.type for name, spec in catalogue().items()} | columns


def _funnel(root: Node, preview: SegmentPreview) -> list[tuple[str, int, int]]:
    found = {step.path: step for step in preview.steps}
    steps = []
    for node in root.walk():
        step = found.get(node.place)
        if step:
            node.alone, node.left, node.unknown = step.alone, step.left, step.unknown
            steps.append((_said_node(node), step.left, preview.bank))
        elif node.place in preview.unknown:
            node.unknown = preview.unknown[node.place]
    return steps


def _said_node(node: Node) -> str:
    spec = _part(node)
    try:
        return in_words(spec, tags=catalogue(), segments=segment_specs(), language=_language())
    except KequnError:
        return node.path


def _part(node: Node) -> Any:
    """Return one node's condition as a spec."""
    text = json.dumps(
        {"kind": "segment", "name": NAMELESS, "title": "-", "where": document_of(deepcopy(node), types())}
    )
    return parse_spec(text)[0].where  # type: ignore[attr-defined]


def _of_tag(spec: TagSpec | None) -> dict[str, Any]:
    if spec is None:
        return {"ops": ("=",), "type": "text", "values": [], "shown": "", "unit": ""}
    language = _language()
    return {
        "ops": OPERATORS[spec.type],
        "type": spec.type,
        "values": [(code, word.to(language)) for code, word in spec.values.items()],
        "shown": f"{spec.title.to(language)} · {spec.name}",
        "unit": spec.unit.to(language) if spec.unit else "",
    }


def _of_table(node: Node) -> dict[str, Any]:
    table = TABLES[node.table]
    return {
        "tables": [(t, TABLE_WORDS[t].to(_language())) for t in BEHAVIOURS],
        "columns": _columns(node.table),
        "sums": [
            (c.name, column_title(c.name).to(_language())) for c in table.columns if c.type in ("money", "number")
        ],
        "tests": [(n, f"{node.path}.{n}", test, _of_column(node.table, test)) for n, test in enumerate(node.tests)],
        "not_columns": _columns(node.not_table) if node.not_table else [],
        "not_test": (node.not_tests[0] if node.not_tests else ValueTest()),
        "not_shown": _of_column(node.not_table, node.not_tests[0] if node.not_tests else ValueTest())
        if node.not_table
        else None,
    }


def _columns(table: str) -> list[tuple[str, str]]:
    hidden = ("customer", "ref", "person")
    return [(c.name, column_title(c.name).to(_language())) for c in TABLES[table].columns if c.type not in hidden]


def _of_column(table: str, test: ValueTest) -> dict[str, Any]:
    column = TABLES[table].by_name.get(test.name)
    if column is None:
        return {"ops": ("=",), "type": "text", "values": []}
    words = code_words(table, column)
    values = [(c, words[c].to(_language()) if c in words else c) for c in column.codes or words]
    return {"ops": OPERATORS.get(column.type, ("=",)), "type": column.type, "values": values}


def _language() -> str:
    return get_language() or "zh"
