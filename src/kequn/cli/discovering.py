"""`kequn discover …`: clusters and look-alikes, found, shown and published."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from kequn.cli.data import acting
from kequn.cli.knowing import Day
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start

discover = typer.Typer(no_args_is_help=True, help="Clusters and look-alikes. 客群发现：聚类与相似扩展。")
Tags = Annotated[list[str], typer.Option("--tag", help="A tag to look at, again for each. 参与的标签，可多次。")]
Name = Annotated[str, typer.Argument(help="Name of the set: lower case letters, digits, underscores. 标识。")]
Title = Annotated[str, typer.Option(help="What people call it. 名称。")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same answer. 随机种子。")]


@discover.command("clusters")
def clusters(
    name: Name,
    tag: Tags,
    title: Title = "",
    fewest: Annotated[int, typer.Option(help="Fewest clusters. 最少几群。")] = 2,
    most: Annotated[int, typer.Option(help="Most clusters. 最多几群。")] = 12,
    rows: Annotated[int, typer.Option(help="Customers of the sample. 抽样客户数。")] = 50_000,
    seed: Seed = 1,
    as_of: Day = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Look for clusters; "none that are stable" is an answer. 聚类。

    Example: kequn discover clusters value --tag asset_time --tag asset_fund --tag chan_login_days_30d
    """
    start()
    from kequn.core.spec.discovery import ClusterSearch

    search = ClusterSearch(tags=tuple(tag), fewest=fewest, most=most, rows=rows, seed=seed)
    _run(search, name, title, as_of, actor, json=json)


@discover.command("lookalike")
def lookalike(
    name: Name,
    tag: Tags,
    segment: Annotated[str, typer.Option(help="Seeds: members of a segment. 种子：客群。")] = "",
    list_: Annotated[str, typer.Option("--list", help="Seeds: an uploaded list. 种子：上传名单。")] = "",
    title: Title = "",
    seed: Seed = 1,
    as_of: Day = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Look for customers like some seeds, with what an expansion is worth. 相似扩展。

    Example: kequn discover lookalike like_payroll --segment payroll --tag demo_age --tag asset_demand
    """
    start()
    from kequn.core.spec.discovery import LookAlikeSearch

    search = LookAlikeSearch(tags=tuple(tag), segment=segment or None, list=list_ or None, seed=seed)
    _run(search, name, title, as_of, actor, json=json)


@discover.command("list")
def list_discoveries(actor: As = "system", json: Json = False) -> None:
    """Show discoveries, the newest first. 发现列表。

    Example: kequn discover list
    """
    start()
    from kequn.ops.insights.queries import discoveries_for

    rows = [
        (r.pk, r.name, r.title, r.kind, r.state, str(r.as_of), r.owner_name, r.is_current)
        for r in discoveries_for(acting(actor))
    ]
    show_rows(("id", "name", "title", "kind", "state", "as of", "owner", "published"), rows, json=json)


@discover.command("show")
def show(discovery: int, actor: As = "system", json: Json = False) -> None:
    """Show what a discovery found. 发现结果。

    Example: kequn discover show 1
    """
    start()
    from kequn.ops.insights.queries import discovery_for

    _print(acting(actor), discovery_for(acting(actor), discovery), json=json)


@discover.command("publish")
def publish(
    discovery: int,
    basis: Annotated[str, typer.Option(help="rules or centres. 按规则或最近中心归群。")] = "",
    as_of: Day = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Make the clusters a tag of every customer on a date. 发布为标签。

    Example: kequn discover publish 1
    """
    start()
    from kequn.ops.insights.services import publish_clusters

    with out.status("…"):
        row = publish_clusters(acting(actor), discovery, basis=basis, as_of=as_of.date() if as_of else None)
    show_rows(("tag", "basis", "published by"), [(row.tag, row.basis, row.published_by)], json=json)


@discover.command("expand")
def expand(
    discovery: int,
    n: Annotated[int, typer.Option(help="How many of the most alike. 取最相似的多少户。")],
    name: Annotated[str, typer.Option(help="Name of the list and the draft segment. 名单与客群标识。")],
    purpose: Annotated[str, typer.Option(help="What for. 用途。")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day of the list. 有效至。")],
    title: Title = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Keep the customers most like the seeds as a list and a draft segment. 保存相似客户。

    Example: kequn discover expand 2 --n 500 --name like_payroll_500 --purpose "payroll drive" --until 2026-12-31
    """
    start()
    from kequn.ops.insights.services import save_expansion

    with out.status("…"):
        version = save_expansion(
            acting(actor), discovery, n=n, name=name, title=title, purpose=purpose, expires_on=until.date()
        )
    show_rows(("segment", "version", "state"), [(version.name, version.fingerprint, version.state)], json=json)


def _run(search: Any, name: str, title: str, as_of: datetime | None, actor: str, *, json: bool) -> None:
    from kequn.ops.insights.services import create_discovery, run_discovery

    who = acting(actor)
    row = create_discovery(who, search, name=name, title=title, as_of=as_of.date() if as_of else None)
    with out.status("…"):
        row = run_discovery(who, row.pk)
    _print(who, row, json=json)


def _print(who: Any, row: Any, *, json: bool) -> None:
    from kequn.ops.insights.queries import answer_for, sizes_for

    answer = answer_for(who, row)
    clusters = (answer or {}).get("clusters", [])
    if json:
        print_json({
            "id": row.pk, "name": row.name, "title": row.title, "kind": row.kind, "state": row.state, "as_of": row.as_of,
            "search": row.search, "result": answer, "clusters": clusters, "sizes": sizes_for(who, row),
        })  # fmt: skip
        return
    result = answer or {}
    out.print(f"{row.title} · {row.kind} · {row.as_of} · #{row.pk} · {result.get('finding', row.state)}", markup=False)
    if row.kind == "lookalike":
        print_rows(
            ("expansion", "held-out seeds found", "recall", "95 %", "lift", "precision"),
            [
                (
                    p["n"],
                    p["found"],
                    p["recall"],
                    f"{p['recall_low']:.3f}–{p['recall_high']:.3f}",
                    p["lift"],
                    p["precision"],
                )
                for p in result.get("curve", [])
            ],
        )
        return
    print_rows(
        ("k", "stability", "silhouette", "without groups", "smallest", "usable"),
        [
            (p["k"], p["stability"], p["silhouette"], p["reference"], p["smallest"], p["is_shortlisted"])
            for p in result.get("curve", [])
        ],
    )
    if clusters:
        out.print(f"rules agree with clusters for {result['fidelity']:.1%} (depth {result['depth']})", markup=False)
        print_rows(
            ("cluster", "title", "customers", "share", "precision", "recall"),
            [(c["code"], c["title"]["zh"], c["size"], c["share"], c["precision"], c["recall"]) for c in clusters],
        )
