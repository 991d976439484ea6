"""`kequn tag …` and `kequn segment …`: what is known of customers, and who belongs where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from kequn.cli.data import acting
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start

tag = typer.Typer(no_args_is_help=True, help="The tag catalogue and its values. 标签目录与加工。")
segment = typer.Typer(no_args_is_help=True, help="Segments: size, members' rule in SQL, profile. 客群。")

Day = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Business date; the latest by default. 业务日期。"),
]


@tag.command("list")
def list_tags(actor: As = "system", json: Json = False) -> None:
    """Show the catalogue with coverage. 标签目录与覆盖率。

    Example: kequn tag list --json
    """
    start()
    from kequn.ops.tags.queries import tag_rows_for

    rows = tag_rows_for(acting(actor))
    if json:
        print_json([{"name": r.spec.name, "title": r.spec.title, "type": r.spec.type, "sensitivity": r.spec.sensitivity,
                     "coverage": r.coverage, "missing": r.missing} for r in rows])  # fmt: skip
    else:
        print_rows(
            ("tag", "title", "type", "class", "coverage", "not computed because"),
            [
                (r.spec.name, str(r.spec.title), r.spec.type, r.spec.sensitivity, r.coverage, str(r.missing or ""))
                for r in rows
            ],
        )


@tag.command("refresh")
def refresh(
    as_of: Day = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A tag to compute, again for each; all that can be without it. 只加工这些标签。"),
    ] = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Compute tags for a business date and publish them together. 加工标签。

    With --only the date keeps the tags it has and gains these: for a date that some of the data do not cover.

    Example: kequn tag refresh --as-of 2026-06-30
    """
    start()
    from kequn.ops.tags.services import refresh_tags

    with out.status("…"):
        row = refresh_tags(acting(actor), as_of=as_of.date() if as_of else None, only=only or None)
    facts = {"as_of": row.as_of, "tags": row.n_tags, "customers": row.n_customers, "seconds": round(row.seconds, 2),
             "failed": row.failed, "unavailable": row.unavailable}  # fmt: skip
    if json:
        print_json(facts)
    else:
        print_rows(tuple(facts), [tuple(str(v) if isinstance(v, dict) else v for v in facts.values())])


@tag.command("fold")
def fold(
    everything: Annotated[bool, typer.Option("--all", help="Of all tags that have any. 所有有变更的标签。")] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Put the daily changes of tags into their columns: same values, faster questions; the worker does it by itself. 归并标签变更。

    Example: kequn tag fold --all
    """
    start()
    from kequn.ops.tags.services import fold_tags

    with out.status("…"):
        names = fold_tags(acting(actor), everything=everything)
    show_rows(("tag",), [(name,) for name in names], json=json)


@tag.command("backfill")
def backfill(
    tags: Annotated[list[str], typer.Argument(help="The tags to compute. 要加工的标签。")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First date. 起始日期。")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last date. 截止日期。")],
    monthly: Annotated[bool, typer.Option("--monthly", help="Month ends only. 只算月末。")] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Compute tags for past dates, as of each: rows after a date are not seen on it. 回填标签历史。

    Example: kequn tag backfill txn_inflow_30d --from 2026-01-01 --to 2026-06-30 --monthly
    """
    start()
    from kequn.ops.tags.backfill import backfill_tags

    with out.status("…"):
        rows = backfill_tags(acting(actor), tags, first=first.date(), last=last.date(), monthly=monthly)
    if json:
        print_json([{"as_of": r.as_of, "customers": r.n_customers, "failed": r.failed} for r in rows])
    else:
        print_rows(("as_of", "customers", "failed"), [(r.as_of, r.n_customers, ", ".join(r.failed)) for r in rows])


@tag.command("show")
def show_tag(name: str, as_of: Day = None, actor: As = "system") -> None:
    """Show one tag: definition, users, lineage, distribution (JSON). 标签详情。

    Example: kequn tag show asset_tier
    """
    start()
    from kequn.ops.sources.queries import data_date
    from kequn.ops.tags.queries import lineage_for, statistics_for, tag_for, users_for

    who = acting(actor)
    day = as_of.date() if as_of else data_date()
    print_json({
        "tag": tag_for(who, name),
        "users": users_for(who, name),
        "lineage": lineage_for(who, name),
        "statistics": statistics_for(who, name, day) if day else None,
    })  # fmt: skip


@segment.command("list")
def list_segments(actor: As = "system", json: Json = False) -> None:
    """Show segments with their state. 客群列表。

    Example: kequn segment list
    """
    start()
    from kequn.ops.audiences.queries import latest_segments

    rows = [(v.name, str(v.spec.title), v.fingerprint, v.state, v.owner_name) for v in latest_segments(acting(actor))]
    columns = ("segment", "title", "version", "state", "owner")
    if json:
        print_json([dict(zip(columns, r, strict=True)) for r in rows])
    else:
        print_rows(columns, rows)


@segment.command("count")
def count(name: str, as_of: Day = None, actor: As = "system", json: Json = False) -> None:
    """Count the members exactly, with what each condition costs. 客群规模与漏斗。

    Example: kequn segment count maturity --as-of 2026-06-30
    """
    start()
    from kequn.ops.audiences.queries import preview_segment, segment_named

    who = acting(actor)
    found = preview_segment(who, segment_named(who, name).pk, as_of=as_of.date() if as_of else None)
    if json:
        print_json(found)
    else:
        out.print(found.words_zh, markup=False)
        print_rows(("members", "customers", "share", "as of"), [(found.size, found.bank, found.share, found.as_of)])
        print_rows(
            ("condition", "alone", "left after it", "unknown"),
            [(s.path, s.alone, s.left, s.unknown) for s in found.steps],
        )


@segment.command("sql")
def sql(
    name: str,
    dialect: Annotated[
        str, typer.Option(help="duckdb, postgres, spark, hive, doris or starrocks. 数据库引擎。")
    ] = "duckdb",
    as_of: Day = None,
    actor: As = "system",
) -> None:
    """Show the rule as SQL over the logical tables. 客群的 SQL。

    Example: kequn segment sql payroll --dialect postgres
    """
    start()
    from kequn.ops.audiences.queries import segment_named, sql_for

    who = acting(actor)
    typer.echo(sql_for(who, segment_named(who, name).pk, as_of=as_of.date() if as_of else None, dialect=dialect))


@segment.command("profile")
def profile(name: str, as_of: Day = None, actor: As = "system", json: Json = False) -> None:
    """Show what is different about the members: TGI with intervals. 客群画像。

    Example: kequn segment profile senior
    """
    start()
    from kequn.ops.audiences.queries import latest_date, segment_named
    from kequn.ops.audiences.services import compute_profile

    who = acting(actor)
    found = compute_profile(who, segment_named(who, name).pk, as_of=as_of.date() if as_of else latest_date())
    if json:
        print_json(found.as_json())
    else:
        print_rows(("members", "customers", "share"), [(found.size, found.customers, found.share)])
        print_rows(
            ("tag", "value", "n", "share", "bank", "TGI", "95 %"),
            [
                (
                    d.tag,
                    d.cell.zh,
                    d.cell.n,
                    d.cell.share,
                    d.cell.bank_share,
                    d.cell.tgi,
                    f"{d.cell.low:.0f}–{d.cell.high:.0f}",
                )
                for d in found.top_differences
            ],
        )
