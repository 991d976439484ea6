"""The bank's KPIs and the notes on segments that an actor may read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, get_args

from kequn.core.data.tables import TABLES
from kequn.core.errors import NotAllowed, NotMeasurable
from kequn.core.insight import TIERS, Cube, Figure, Kpi, definition, definitions, figure, tier_number, withheld
from kequn.core.spec.base import Text
from kequn.ops.analysis import cubes, notes
from kequn.ops.analysis.contracts import BLOCKS, BankTable, By, NoteBlock, Row, SegmentNote
from kequn.ops.audiences.queries import latest_date, preview_segment, scope_key, segment_for, segment_named
from kequn.ops.audiences.services import data_of
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branches_for
from kequn.ops.runtime import engine

TIER_TITLES = {
    "T0": Text(zh="T0 零余额/睡眠", en="T0 no balance"),
    "T1": Text(zh="T1 大众", en="T1 mass"),
    "T2": Text(zh="T2 大众富裕", en="T2 mass affluent"),
    "T3": Text(zh="T3 财富", en="T3 wealth"),
    "T4": Text(zh="T4 贵宾", en="T4 premier"),
    "T5": Text(zh="T5 私行", en="T5 private"),
    "T6": Text(zh="T6 超高净值", en="T6 ultra high"),
}
WHOLE = Text(zh="合计", en="Total")
OWN = Text(zh="直属", en="Its own")
UNKNOWN = Text(zh="未归属机构", en="No known branch")


def kpis_for(actor: Actor, *, family: str = "") -> list[Kpi]:
    """Return the definitions of the KPIs, those of one family or all."""
    actor.must("insight.view")
    return [kpi for kpi in definitions().values() if family in ("", kpi.family)]


def segment_note(
    actor: Actor, name: str, *, version_id: int | None = None, as_of: date | None = None, blocks: Sequence[str] = BLOCKS
) -> SegmentNote:
    """Return a segment's note within the actor's scope; some blocks or all.

    A block that cannot be told (no such table, no such right) is left out of none: its sentence says why.
    """
    version = segment_for(actor, version_id) if version_id else segment_named(actor, name)
    day = as_of or latest_date()
    preview = preview_segment(actor, version.pk, as_of=day)
    return SegmentNote(
        version.name, version.spec.title, day, bool(scope_key(actor)), Text(zh=preview.words_zh, en=preview.words_en),
        tuple(note_block(actor, version.pk, block, as_of=day) for block in blocks),
    )  # fmt: skip


def note_block(actor: Actor, version_id: int, block: str, *, as_of: date | None = None) -> NoteBlock:
    """Return one block of a segment's note; what was computed last is kept until the data change.

    Raises:
        NotMeasurable: there is no such block.
    """
    if block not in BLOCKS:
        raise NotMeasurable(
            f"There is no block {block!r}.", hint=f"One of {', '.join(BLOCKS)}.", reason="unknown_block"
        )
    version = segment_for(actor, version_id)
    return notes.block_of(actor, version, block, as_of or latest_date())


# -- the bank -----------------------------------------------------------------------------------------------------------


def bank_cube(actor: Actor, *, group: str = "") -> Cube | None:
    """Return the cube of what the actor reaches, where it was computed for the data as they are."""
    actor.must("insight.view")
    return cubes.find(engine(), cube_part(actor, group))


def cube_part(actor: Actor, group: str) -> str:
    """Return what names the customers a cube is about: a book of one's own, the members of a segment, or the whole bank."""
    own = scope_key(actor) if actor.role == "rm" or group else ""
    if not group:
        return own
    version, day = segment_named(actor, group), latest_date()
    return f"{own}|{notes.pinned(version.spec)}|{data_of(version.spec, day)}|{day}"


def bank_table(
    actor: Actor,
    cube: Cube,
    *,
    by: str = "branch",
    month: str = "",
    branch: str = "",
    tier: str = "",
    group: str = "",
    family: str = "",
    kpis: Sequence[str] = (),
) -> BankTable:
    """Return KPIs in parts: the branches below one, the tiers, or the months; ``month`` is 2026-06, the latest by default.

    Nobody counts customers out of her scope: a branch head starts at her own branch, and an RM's cube holds her book alone.
    Where one part is too small to be shown, the next smallest is withheld too.

    Raises:
        NotAllowed: a branch that is not within the scope.
        NotMeasurable: no such month, or no such way to part.
        UnknownDefinition: no such KPI or tier.
    """
    actor.must("insight.view")
    if by not in get_args(By) or by == "group":
        raise NotMeasurable(f"The bank is not parted by {by!r}.", hint="branch, tier or month.", reason="unknown_parts")
    wanted = [definition(name) for name in kpis] or kpis_for(actor, family=family)
    tree = _Tree(actor, cube)
    at = tree.node(branch)
    labels = [p.label for p in cube.periods]
    if month and month not in labels:
        raise NotMeasurable(
            f"There are no figures for {month}.", hint=f"{labels[0]} … {labels[-1]}.", reason="no_such_month"
        )
    period = labels.index(month) if month else len(labels) - 1
    number = tier_number(tier) if tier else None
    inside = tree.below(at)
    trend = tuple(
        Row(label, Text(zh=label, en=label), _figures(cube, wanted, m, inside, number))
        for m, label in enumerate(labels)
    )
    whole = Row("", WHOLE, trend[period].figures)
    match by:
        case "month":
            rows = trend
        case "tier":
            parts = [(code, TIER_TITLES[code], inside, n, "") for n, code in enumerate(TIERS)]
            rows = _rows(cube, wanted, period, parts)
        case _:
            parts = [(key, title, some, number, opens) for key, title, some, opens in tree.parts(at)]
            rows = _rows(cube, wanted, period, parts)
    return BankTable(
        "branch" if by == "branch" else "tier" if by == "tier" else "month", cube.periods[-1].end, cube.periods[period],
        tuple(labels), tuple(k.name for k in wanted), whole, rows, tree.path(at), trend, tree.is_scoped, tier, group,
    )  # fmt: skip


def _rows(
    cube: Cube, wanted: Sequence[Kpi], period: int, parts: Sequence[tuple[str, Text, list[int], int | None, str]]
) -> tuple[Row, ...]:
    counts = [cube.total("customers", period, some, tier) for _, _, some, tier, _ in parts]
    hidden = withheld(counts)
    made = []
    for n, (key, title, some, tier, opens) in enumerate(parts):
        figures = (
            {k.name: Figure(k.name, None, None, None, None, "small") for k in wanted}
            if n in hidden
            else _figures(cube, wanted, period, some, tier)
        )
        if counts[n] or any(f.value for f in figures.values()):
            made.append(Row(key, title, figures, opens))
    return tuple(made)


def _figures(
    cube: Cube, wanted: Sequence[Kpi], period: int, branches: list[int], tier: int | None
) -> dict[str, Figure]:
    return {kpi.name: figure(cube, kpi, period, branches=branches, tier=tier) for kpi in wanted}


class _Tree:
    """The branches an actor reaches, over the cube's axis of branches."""

    def __init__(self, actor: Actor, cube: Cube) -> None:
        self.rows = list(branches_for(actor))
        self.by_code = {b.code: b for b in self.rows}
        self.axis = {code: n for n, code in enumerate(cube.branches)}
        self.sees_all = actor.sees_all_branches or actor.role == "rm"
        """An RM's cube holds her book alone, wherever its customers are kept."""
        self.is_scoped = bool(scope_key(actor))
        self.is_book = actor.role == "rm"
        self.top = "" if self.sees_all else actor.branch_code
        roots = [b for b in self.rows if b.path.count("/") == 2]
        if actor.sees_all_branches and len(roots) == 1:
            self.top = roots[0].code

    def node(self, code: str) -> str:
        """Return the branch asked for, the top by default."""
        if code and code not in self.by_code:
            raise NotAllowed("There is no such branch in your scope.", branch=code)
        return code or self.top

    def below(self, code: str) -> list[int]:
        """Return the cube's branches at and below one; at the top of all also those nobody knows."""
        if self.sees_all and code in ("", self.top):
            return list(self.axis.values())
        branch = self.by_code.get(code)
        if branch is None:
            return []
        return [self.axis[b.code] for b in self.rows if b.path.startswith(branch.path) and b.code in self.axis]

    def parts(self, code: str) -> list[tuple[str, Text, list[int], str]]:
        """Return what lies directly below a branch: (code, title, the cube's branches, code to open)."""
        if self.is_book:
            return [(c, self._title(c), [n], "") for c, n in self.axis.items()]
        path = self.by_code[code].path if code in self.by_code else "/"
        depth = path.count("/") + 1
        found = []
        for b in self.rows:
            if b.path.startswith(path) and b.path.count("/") == depth:
                inner = any(x.path.startswith(b.path) and x.path != b.path for x in self.rows)
                found.append((b.code, self._title(b.code), self.below(b.code), b.code if inner else ""))
        if code in self.axis:
            found.append((code, OWN if found else self._title(code), [self.axis[code]], ""))
        if self.sees_all and code in ("", self.top):
            known = {n for _, _, some, _ in found for n in some}
            rest = [n for n in self.axis.values() if n not in known]
            found += [("", UNKNOWN, rest, "")] if rest else []
        return found

    def _title(self, code: str) -> Text:
        branch = self.by_code.get(code)
        if branch is None:
            return Text.model_construct(zh=code, en=code) if code else UNKNOWN
        return Text.model_construct(zh=branch.name, en=branch.name_en or "")

    def path(self, code: str) -> tuple[tuple[str, Text], ...]:
        """Return the branches from the top of the scope down to one."""
        here = self.by_code.get(code)
        if here is None:
            return ()
        above = [b for b in self.rows if here.path.startswith(b.path)]
        return tuple(
            (b.code, Text.model_construct(zh=b.name, en=b.name_en or ""))
            for b in sorted(above, key=lambda b: len(b.path))
        )


def _named_table(detail: str) -> tuple[str, str]:
    """Return what a missing table, or the column of one, is called."""
    name, _, column = detail.partition(".")
    table = TABLES.get(name)
    if table is None:
        return detail, detail
    more = f" {column}" if column else ""
    return f"“{table.zh}”{more}", f"{table.en.lower()}{more}"


def plain_table(table: BankTable) -> dict[str, Any]:
    """Return a table as plain values for JSON, each KPI with its definition."""
    rows = [{"key": r.key, "title": r.title, "figures": list(r.figures.values())} for r in (*table.rows, table.whole)]
    return {
        "by": table.by, "data_date": table.data_date, "month": table.period.label, "from": table.period.start,
        "to": table.period.end, "is_partial": table.period.is_partial, "is_scoped": table.is_scoped, "tier": table.tier,
        "group": table.group, "branch": table.path[-1][0] if table.path else "",
        "definitions": [definition(name).model_dump() for name in table.kpis], "rows": rows,
    }  # fmt: skip


def why(kpi: Kpi, found: Figure) -> Text:
    """Return in words why a figure has no value."""
    zh, en = _named_table(found.detail)
    words = {
        "lacks": Text(zh=kpi.lacks_zh or "–", en=kpi.lacks_en or "–"),
        "not_loaded": Text(zh=f"没有接入{zh}", en=f"{en} not loaded"),
        "no_history": Text(zh=f"{zh}的历史不够长", en=f"Too short a history: {en}"),
        "too_early": Text(zh=f"{zh}还没到能给数的日子", en=f"Not told yet: {en} must reach further"),
        "no_earlier_month": Text(zh="没有更早的月份可比", en="There is no earlier month to compare with"),
        "nothing_below": Text(zh="分母为 0 或太小", en="Nothing, or too little, to divide by"),
        "small": Text(zh="不足 5 户，不显示", en="Fewer than 5, withheld"),
    }
    return words.get(found.missing, Text(zh="–", en="–"))
