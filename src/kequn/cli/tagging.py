"""`kequn tag drift | users | transitions | tiers | remove` and `kequn group …`: a tag over time, and the shipped groups."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from kequn.cli.data import acting
from kequn.cli.knowing import tag
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start

group = typer.Typer(no_args_is_help=True, help="The customer groups that ship with kequn. 客群包。")

Earlier = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="The earlier date; the one before the later. 较早日期。"),
]
Later = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The later date; the latest. 较晚日期。")
]


@tag.command("drift")
def drift(name: str, earlier: Earlier = None, later: Later = None, actor: As = "system", json: Json = False) -> None:
    """Show how far a tag's distribution moved between two dates (PSI; lines at 0.1 and 0.25). 标签漂移。

    Example: kequn tag drift asset_tier --from 2026-05-31 --to 2026-06-30
    """
    start()
    from kequn.ops.tags.history import drift_for

    found = drift_for(acting(actor), name, **_dates(earlier, later))
    if json:
        print_json(found)
        return
    print_rows(("tag", "from", "to", "PSI", "grade"), [(name, found.earlier, found.later, found.index, found.grade)])
    print_rows(("value", "then", "now"), [(s.code, s.then, s.now) for s in found.shifts])


@tag.command("users")
def users(name: str, actor: As = "system", json: Json = False) -> None:
    """Show what reads a tag: tags, segments, metrics, playbooks, campaigns. 谁在用这个标签。

    Example: kequn tag users asset_tier
    """
    start()
    from kequn.ops.tags.queries import users_for

    rows = [(u.kind, u.name, str(u.title)) for u in users_for(acting(actor), name)]
    show_rows(("kind", "name", "title"), rows, json=json)


@tag.command("transitions")
def transitions(
    name: str = typer.Argument("asset_tier"),
    earlier: Earlier = None,
    later: Later = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Show how many customers moved from which value to which between two dates. 迁移矩阵。

    Example: kequn tag transitions asset_tier --from 2026-05-31 --to 2026-06-30
    """
    start()
    from kequn.ops.tags.history import transitions_for

    found = transitions_for(acting(actor), name, **_dates(earlier, later))
    if json:
        print_json(found)
        return
    out.print(f"{found.earlier} → {found.later}", highlight=False)
    print_rows(("from \\ to", *found.states), [(s, *row) for s, row in zip(found.states, found.n, strict=True)])


@tag.command("tiers")
def tiers(actor: As = "system", json: Json = False) -> None:
    """Show customers by tier month by month, with how many rose and fell. 层级逐月。

    Example: kequn tag tiers
    """
    start()
    from kequn.ops.tags.history import tier_months_for

    months = tier_months_for(acting(actor))
    if json:
        print_json(months)
        return
    levels = len(months[0].by_tier) if months else 0
    columns = ("month", *(f"T{i}" for i in range(levels)), "risen", "fallen", "watch")
    print_rows(columns, [(m.month, *m.by_tier, m.risen, m.fallen, m.watched) for m in months])


@tag.command("remove")
def remove(name: str, actor: As = "system") -> None:
    """Take a tag of the bank's own out of the catalogue; refused while something uses it. 删除自有标签。

    Example: kequn tag remove txn_coffee --as sunli
    """
    start()
    from kequn.ops.tags.services import remove_tag

    remove_tag(acting(actor), name)
    out.print(name, highlight=False)


@group.command("list")
def list_groups(actor: As = "system", json: Json = False) -> None:
    """Show the groups with their sizes on the bank's data, and what each one lacks. 客群包列表。

    Example: kequn group list
    """
    start()
    from kequn.ops.audiences.groups import group_rows_for

    rows = [
        (r.group.spec.name, str(r.group.spec.title), r.part.size, f"{r.loaded}/{len(r.group.segments)}",
         " ".join(r.part.missing))
        for r in group_rows_for(acting(actor))
    ]  # fmt: skip
    show_rows(("group", "title", "members", "loaded", "tags missing"), rows, json=json)


@group.command("show")
def show_group(name: str, actor: As = "system", json: Json = False) -> None:
    """Show one group: its card, sub-groups, and what it shares with the others. 客群包详情。

    Example: kequn group show seg_merchant
    """
    start()
    from kequn.ops.audiences.groups import group_for

    found = group_for(acting(actor), name)
    if json:
        print_json(found)
        return
    card = found.group.spec.card
    out.print(f"{found.group.spec.title}  {card.needs}\n{card.timing}\n{card.talk}\n{card.avoid}", highlight=False)
    print_rows(
        ("segment", "title", "members", "tags missing"),
        [(p.spec.name, str(p.spec.title), p.size, " ".join(p.missing)) for p in found.parts],
    )
    print_rows(("other group", "members", "in common"), [(g.spec.name, size, n) for g, size, n in found.shared])


@group.command("load")
def load(
    names: Annotated[list[str] | None, typer.Argument(help="Groups; all without a name. 缺省为全部。")] = None,
    submit: Annotated[bool, typer.Option(help="Submit for approval as well. 同时提交审批。")] = False,
    renew: Annotated[
        bool, typer.Option(help="Also those of an earlier kequn that nobody edited. 更新旧版客群。")
    ] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Save the segments of shipped groups as the bank's own; those edited at the bank stay as they are. 加载客群包。

    Example: kequn group load seg_merchant --submit --as zhaomin
    """
    start()
    from kequn.ops.audiences.groups import load_groups

    found = load_groups(acting(actor), names or (), submit=submit, renew=renew)
    rows = [(v.name, str(v.spec.title), v.fingerprint, v.state) for v in found.saved]
    show_rows(("segment", "title", "version", "state"), rows, json=json)
    if found.older and not json:
        out.print(f"From an earlier kequn, and not edited since (--renew): {', '.join(found.older)}", markup=False)
    if found.edited and not json:
        out.print(f"Edited at the bank, left as they are: {', '.join(found.edited)}", markup=False)


def _dates(earlier: datetime | None, later: datetime | None) -> dict[str, Any]:
    return {"earlier": earlier.date() if earlier else None, "later": later.date() if later else None}
