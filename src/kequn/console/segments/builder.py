"""What the builder shows beside the tree: live size, funnel, words, SQL, and what is wrong and where."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import get_language

from kequn.console.errors import Said, said
from kequn.console.segments import when
from kequn.console.segments.pinyin import initials
from kequn.console.segments.tree import AGAINST, PERIODIC, PLACES, Node, RowsForm, ValueTest
from kequn.console.segments.written import document_of, tree_of
from kequn.core.data.tables import TABLES
from kequn.core.errors import KequnError, SeveralErrors
from kequn.core.segments import COLUMN_OPERATORS, DIALECTS, EXECUTED, OPERATORS
from kequn.core.segments.columns import TABLE_WORDS, code_words, column_title
from kequn.core.segments.typed import MONTH_DAY
from kequn.core.spec import reading
from kequn.core.spec.reading import dump_spec
from kequn.core.spec.segment import SegmentSpec, cluster_tag
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.contracts import SegmentPreview
from kequn.ops.audiences.queries import draft_sql, preview_segment, segment_specs, usable_lists
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.queries import catalogue

BEHAVIOURS = ("transaction", "event", "contact", "service", "holding")
NAMELESS = "draft_segment"
COMPARISONS = (">=", ">", "<=", "<")
ENGINE_TITLES = {
    "duckdb": "DuckDB", "postgres": "PostgreSQL", "spark": "Spark", "hive": "Hive", "doris": "Doris",
    "starrocks": "StarRocks",
}  # fmt: skip
TEXTS = (("yaml", "YAML"), *((name, f"SQL · {ENGINE_TITLES[name]}") for name in DIALECTS))
"""The texts of a rule that can be shown beside it: name, title."""


@dataclass(slots=True)
class Panel:
    """What the editor says about the rule as it stands."""

    preview: SegmentPreview | None = None
    milliseconds: int = 0
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    words: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    """The texts there are of the rule: name, title."""
    shows: str = ""
    text: str = ""
    is_untried: bool = False
    """Whether the text is SQL for an engine on which it was not executed."""
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
    return reading.spec_of(document)  # type: ignore[return-value]


def look(actor: Actor, root: Node, labels: dict[str, Any], *, shows: str = "") -> Panel:
    """Return the panel for a tree, and note figures and faults at its nodes; ``shows`` is the text to see (`TEXTS`)."""
    panel = Panel(texts=TEXTS, shows=shows, is_untried=shows in DIALECTS and shows not in EXECUTED)
    panel.left_out = sum(not n.complete for n in root.walk() if not n.is_group)
    started = time.perf_counter()
    try:
        spec = spec_of(root, {"name": NAMELESS, "title": "-"} | {k: v for k, v in labels.items() if v}, whole=False)
        panel.preview = preview_segment(actor, spec)
        panel.text = _text_of(actor, spec, shows)
    except KequnError as error:
        panel.faults = pinned(root, error)
    panel.milliseconds = round(1000 * (time.perf_counter() - started))
    if panel.preview:
        panel.words = panel.preview.words_en if _language().startswith("en") else panel.preview.words_zh
        panel.steps = _funnel(root, panel.preview)
    return panel


def _text_of(actor: Actor, spec: SegmentSpec, shows: str) -> str:
    if shows == "yaml":
        return dump_spec(spec)
    return draft_sql(actor, spec, dialect=shows) if shows in DIALECTS else ""


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
        if node.kind in ("tag", "change", "rank"):
            node.spec = _of_tag(tags.get(node.test.name), node)
        elif node.kind in ("did", "sequence", "trend"):
            node.spec = _of_rows(node)
        elif node.kind == "cluster":
            node.spec = _of_clusters(node, tags)
        elif node.kind == "segment":
            node.spec = {"as_of": _day_choice(node.as_of)}
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


def references(root: Node, except_name: str = "") -> dict[str, list[tuple[str, str]]]:
    """Return the segments and lists that the conditions of a tree may name: (name, title); none of a kind that no condition is of."""
    kinds, found = {node.kind for node in root.walk()}, {}
    if "segment" in kinds:
        specs = sorted(segment_specs().items())
        found["segments"] = [(n, s.title.to(_language())) for n, s in specs if n != except_name]
    if "list" in kinds:
        found["lists"] = [(n, n) for n in sorted(usable_lists())]
    return found


def types() -> dict[str, str]:
    """Return the type of every tag, and of every behaviour's column as ``table.column``."""
    columns = {f"{t}.{c.name}": c.type for t in BEHAVIOURS for c in TABLES[t].columns}
    return {name: spec.type for name, spec in catalogue().items()} | columns


def _funnel(root: Node, preview: SegmentPreview) -> list[tuple[str, int, int]]:
    found = {step.path: step for step in preview.steps}
    said = {step.path: words for step, words in zip(preview.steps, preview.step_words, strict=True)}
    steps = []
    for node in root.walk():
        step = found.get(node.place)
        if step:
            node.alone, node.left, node.unknown = step.alone, step.left, step.unknown
            steps.append((said[step.path].to(_language()), step.left, preview.bank))
        elif node.place in preview.unknown:
            node.unknown = preview.unknown[node.place]
    return steps


def _of_tag(spec: TagSpec | None, node: Node) -> dict[str, Any]:
    as_of = {"as_of": _day_choice(node.as_of), "places": PLACES, "comparisons": COMPARISONS}
    if spec is None:
        return {"ops": ("=",), "type": "text", "values": [], "shown": "", "unit": "", **as_of}
    language = _language()
    monthly = ("anniversary",) if spec.type == "text" and spec.name.endswith(MONTH_DAY) else ()
    return {
        "ops": (*OPERATORS[spec.type], *monthly),
        "type": spec.type,
        "values": [(code, word.to(language)) for code, word in spec.values.items()],
        "shown": f"{spec.title.to(language)} · {spec.name}",
        "unit": spec.unit.to(language) if spec.unit else "",
        **(_choices(node.test) if spec.type in ("date", "timestamp") or node.test.op in PERIODIC else {}),
        **as_of,
    }


def _of_clusters(node: Node, tags: Mapping[str, TagSpec]) -> dict[str, Any]:
    start = cluster_tag("")
    sets = {n.removeprefix(start): t for n, t in tags.items() if n.startswith(start) and t.type == "text"}
    chosen, language = sets.get(node.ref), _language()
    values = [(code, word.to(language)) for code, word in chosen.values.items()] if chosen else []
    return {"sets": [(name, tag.title.to(language)) for name, tag in sets.items()], "values": values, "type": "text"}


def _of_rows(node: Node) -> dict[str, Any]:
    language, sums = _language(), []
    for column in TABLES[node.rows.table].columns if node.rows.table in TABLES else ():
        if column.type in ("money", "number"):
            sums.append((column.name, column_title(column.name).to(language)))
    against = node.against if node.against not in AGAINST else ""
    return {
        "rows": {
            name.lstrip("~") or "rows": _rows_shown(node.path + name, rows)
            for name, rows in node.kinds_of_rows().items()
        },
        "sums": sums,
        "window": when.period_fields(node.window),
        "windows": when.period_options(node.window, language, past_only=True),
        "against": against,
        "against_window": when.period_fields(against or "last month"),
        "against_windows": when.period_options(against or "last month", language, past_only=True),
        "units": when.units(),
        "comparisons": COMPARISONS,
    }


def _rows_shown(place: str, rows: RowsForm) -> dict[str, Any]:
    return {
        "place": place,
        "table": rows.table,
        "tables": [(t, TABLE_WORDS[t].to(_language())) for t in BEHAVIOURS],
        "columns": _columns(rows.table) if rows.table else [],
        "tests": [(f"{place}.{n}", test, _of_column(rows.table, test)) for n, test in enumerate(rows.tests)],
    }


def _choices(test: ValueTest) -> dict[str, Any]:
    """The days and periods that the value of a test on a date may be."""
    language = _language()
    return {
        "periods": when.period_options(test.first or "this month", language, past_only=False),
        "days": when.day_options(test.first, language),
        "second_days": when.day_options(test.second, language),
        "units": when.units(),
    }


def _day_choice(text: str) -> dict[str, Any]:
    return {"when": when.day_fields(text), "days": when.day_options(text, _language()), "units": when.units()}


def _columns(table: str) -> list[tuple[str, str]]:
    hidden = ("customer", "ref", "person")
    return [(c.name, column_title(c.name).to(_language())) for c in TABLES[table].columns if c.type not in hidden]


def _of_column(table: str, test: ValueTest) -> dict[str, Any]:
    column = TABLES[table].by_name.get(test.name) if table in TABLES else None
    if column is None:
        return {"ops": ("=",), "type": "text", "values": []}
    words = code_words(table, column)
    values = [(c, words[c].to(_language()) if c in words else c) for c in column.codes or words]
    ops = COLUMN_OPERATORS.get(column.type, ("=",))
    return {"ops": ops, "type": column.type, "values": values, **_choices(test)}


def _language() -> str:
    return get_language() or "zh"
