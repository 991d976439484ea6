"""`kequn segment history | members | changes | migration | snapshot`: the time machine from the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from kequn.cli.data import acting
from kequn.cli.knowing import Day, segment
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start

At = Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="Business date. 业务日期。")]
From = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The earlier date. 起始日期。")]
To = Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The later date. 结束日期。")]


@segment.command("history")
def show_history(name: str, actor: As = "system", json: Json = False) -> None:
    """Show a segment's size on each date it is kept for, and where its definition changed. 客群规模历史。

    Example: kequn segment history senior
    """
    start()
    from kequn.ops.audiences.history import history_for

    found = history_for(acting(actor), name)
    changed = {change.as_of: ", ".join(n for _, n in change.what) for change in found.definition_changes}
    rows = [(s.as_of, s.size, s.joined, s.left, changed.get(s.as_of, "")) for s in found.snapshots]
    show_rows(("as_of", "members", "joined", "left", "definition_changed"), rows, json=json)


@segment.command("members")
def show_members(
    name: str,
    on: At,
    actor: As = "system",
    page: Annotated[int, typer.Option(help="Page, from 1. 页码。")] = 1,
    json: Json = False,
) -> None:
    """Show who belonged on a date, as it was kept. 某日的成员。

    Example: kequn segment members senior --on 2026-06-30
    """
    start()
    from kequn.ops.audiences.history import members_on_page

    found = members_on_page(acting(actor), name, on.date(), page=page, size=200)
    rows = [(m.customer_id, m.person.name if m.person else None) for m in found.members]
    if json:
        columns = ("customer_id", "name")
        members = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json({"as_of": found.as_of, "total": found.total, "page": found.page, "members": members})
        return
    print_rows(("customer", "name"), rows, title=f"{found.total:,} on {found.as_of}")


@segment.command("changes")
def show_changes(name: str, from_: From, to: To, actor: As = "system", json: Json = False) -> None:
    """Show who joined and left between two dates, and by which condition. 加入与离开的原因。

    Example: kequn segment changes senior --from 2026-05-31 --to 2026-06-30
    """
    start()
    from kequn.ops.audiences.history import changes_for

    found = changes_for(acting(actor), name, from_.date(), to.date())
    if json:
        print_json(found)
        return
    print_rows(
        ("from", "members", "joined", "left", "to", "members"),
        [(found.before, found.size_before, found.joined, found.left, found.after, found.size_after)],
    )
    if found.why is None:
        out.print(f"Why is not known: {found.not_told_because}", markup=False)
        return
    for what, movement in (("joined", found.why.joined), ("left", found.why.left)):
        rows: list[tuple[object, ...]] = [
            (found.words[c.path].en or found.words[c.path].zh, c.alone, c.mattered) for c in movement.causes
        ]
        rows += [
            ("several conditions together", movement.several, None),
            ("new or closed customers", movement.customers, None),
        ]
        rows += [
            ("the definition was changed", movement.definition, None),
            ("data were corrected since", movement.corrected, None),
        ]
        print_rows((f"{what} {movement.total:,}: by", "alone", "mattered"), rows)


@segment.command("migration")
def show_migration(
    names: Annotated[
        list[str] | None, typer.Argument(help="Segments; the first named counts. 客群，重叠时取先写的。")
    ] = None,
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The earlier date. 起始日期。")
    ] = None,
    to: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The later date. 结束日期。")
    ] = None,
    tag: Annotated[str, typer.Option(help="A tag of codes instead of segments. 按标签的取值。")] = "",
    actor: As = "system",
    months: Annotated[
        int, typer.Option(min=0, max=36, help="With --tag, instead of dates: so many month ends. 按月。")
    ] = 0,
    json: Json = False,
) -> None:
    """Show how many customers went from which group to which. 客群迁移。

    Example: kequn segment migration --tag asset_tier --from 2026-05-31 --to 2026-06-30
    """
    start()
    from kequn.ops.audiences.history import migration_of_segments, migration_of_tag, migrations_by_month

    who = acting(actor)
    if tag and months:
        every = migrations_by_month(who, tag, months=months)
    elif from_ is None or to is None:
        raise typer.BadParameter("name --from and --to, or --tag with --months")
    elif tag:
        every = [migration_of_tag(who, tag, from_.date(), to.date())]
    else:
        every = [migration_of_segments(who, names or (), from_.date(), to.date())]
    if json:
        print_json(every)
        return
    for found in every:
        titles = [str(group.title) for group in found.groups]
        rows = [(title, *row, sum(row)) for title, row in zip(titles, found.matrix, strict=True)]
        print_rows((f"{found.before} ↓  {found.after} →", *titles, "all"), rows)


@segment.command("snapshot")
def snapshot(
    name: Annotated[
        str, typer.Argument(help="A segment; every approved one without it. 客群，缺省为全部已批准的。")
    ] = "",
    as_of: Day = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Keep the members of approved segments for a date, or for every computed date not kept yet. 保存成员快照。

    The worker does it after each refresh.

    Example: kequn segment snapshot --as-of 2026-06-30
    """
    start()
    from kequn.ops.audiences.services import take_snapshots

    with out.status("…"):
        taken = take_snapshots(acting(actor), as_of=as_of.date() if as_of else None, name=name or None)
    if json:
        print_json(taken)
    else:
        print_rows(("kept", "could not be kept"), [(taken.kept, len(taken.failed))])
        if taken.failed:
            print_rows(("segment", "why not"), sorted(taken.failed.items()))
