"""`kequn check | apply | load`: definitions into kequn, the bank's tables into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kequn.cli.checking import check_together, in_order, named
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import migrate, start
from kequn.core.errors import InvalidSpec, KequnError, NoData, Where
from kequn.core.spec.base import Definition
from kequn.core.spec.reading import parse_spec, read_specs
from kequn.ops.orgs.actor import Actor

ORDER = (
    "source",
    "tag",
    "segment",
    "metric",
    "contact_policy",
    "desk_policy",
    "ownership_policy",
    "assignment",
    "pool",
    "offer",
    "template",
    "talk_track",
    "playbook",
    "campaign",
    "group",
)
"""Definitions that others name come first."""


def check(
    path: Annotated[Path, typer.Argument(exists=True, help="A YAML file, or a folder of them. YAML 文件或目录。")],
    json: Json = False,
) -> None:
    """Validate definitions without a server, and print their fingerprints. 校验定义文件。

    Tags and segments are checked against the shipped catalogue and against one another.

    Example: kequn check examples/starter_bank
    """
    from kequn.core.segments import shipped_segments
    from kequn.core.tags import catalogue

    found = read(path)
    check_together(found, tags=catalogue(), segments=shipped_segments())
    rows = [(spec.kind, spec.name, str(spec.title), spec.fingerprint(), str(file)) for file, spec in found]  # type: ignore[attr-defined]
    if json:
        print_json([dict(zip(("kind", "name", "title", "fingerprint", "file"), r, strict=True)) for r in rows])
    else:
        print_rows(("kind", "name", "title", "fingerprint", "file"), rows)


def apply(
    path: Annotated[Path, typer.Argument(exists=True, help="A YAML file, or a folder of them. YAML 文件或目录。")],
    actor: As = "system",
    submit: Annotated[bool, typer.Option(help="Submit for approval what needs it. 同时提交审批。")] = False,
    json: Json = False,
) -> None:
    """Save definitions as versions; the same file twice changes nothing. 保存定义为版本。

    Example: kequn apply examples/starter_bank --as zhaomin --submit
    """
    start()
    migrate()
    from kequn.ops.audiences.queries import segment_specs
    from kequn.ops.tags.queries import catalogue

    who, found = acting(actor), read(path)
    check_together(found, tags=catalogue(), segments=segment_specs())
    saved = apply_specs(who, [spec for _, spec in found], submit=submit)
    if json:
        print_json(saved)
    else:
        print_rows(("kind", "name", "fingerprint"), [(s["kind"], s["name"], s["fingerprint"]) for s in saved])


def load(
    source: Annotated[
        str, typer.Argument(help="Name of a source; all of them without it. 数据源名称，缺省为全部。")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Where the bank's files are. 数据目录。")
    ] = None,
    actor: As = "system",
    list_: Annotated[bool, typer.Option("--list", help="Show how the sources stand. 查看数据源状态。")] = False,
    checks: Annotated[
        str, typer.Option(help="Show what the quality checks of a source found. 查看某数据源的质量检查。")
    ] = "",
    rejects: Annotated[str, typer.Option(help="Show the rejected rows of a load. 查看某次加载的拒绝行。")] = "",
    json: Json = False,
) -> None:
    """Load the bank's tables, as they are, into the store. 加载银行数据。

    A failed load leaves the previous data serving. The same file twice changes nothing.

    Example: kequn load core_customer --folder data --as sunli
    """
    start()
    migrate()
    from kequn.ops.sources import queries, services

    who = acting(actor)
    if rejects:
        found = queries.rejects_for(who, rejects)
        if json:
            print_json(found)
        else:
            print_rows(
                ("file", "line", "column", "value", "reason"),
                [(r.file, r.line, r.column, r.value, r.reason) for r in found],
            )
        return
    if list_:
        statuses = queries.statuses_for(who)
        rows = [
            (s.spec.name, s.spec.table, s.light, s.rows, s.as_of, s.due, s.last.load_id if s.last else None)
            for s in statuses
        ]
        show_rows(("source", "table", "state", "rows", "as_of", "due", "load_id"), rows, json=json)
        return
    if checks:
        found_checks = queries.checks_over_time(who, checks)
        rows_of_checks = [
            (c.check, c.column, c.severity, load.started_at, passed, found_, expected)
            for c in found_checks for load, passed, found_, expected in c.results
        ]  # fmt: skip
        show_rows(("check", "column", "severity", "load", "held", "found", "expected"), rows_of_checks, json=json)
        return
    names = [source] if source else [s.name for s in queries.sources_for(who)]
    if not names:
        raise NoData("No source is defined.", hint="Save their definitions first: `kequn apply FOLDER`.")
    loads = []
    for name in names:
        with out.status(f"{name} …") if not json else _quiet():
            try:
                loads.append(services.run_load(who, name, folder=folder))
            except KequnError as error:
                raise named(error, name, hint=_first_rejects(who, error)) from None
    rows = [
        (d.source, d.state, d.n_read, d.n_loaded, d.n_rejected, d.n_skipped, round(d.seconds, 2), d.load_id)
        for d in loads
    ]
    show_rows(("source", "state", "read", "loaded", "rejected", "skipped", "seconds", "load_id"), rows, json=json)


def read(path: Path) -> list[tuple[Path, Definition]]:
    """Return the definitions of a file or folder.

    Raises:
        InvalidSpec: there is none in it.
    """
    if path.is_file():
        return [(path, spec) for spec in parse_spec(path.read_text(encoding="utf-8"), file=str(path))]
    found = read_specs(path)
    if not found:
        raise InvalidSpec(f"There is no definition below {path}.", hint="Definitions are files that end in .yaml.")
    return found


def apply_specs(actor: Actor, specs: list[Definition], *, submit: bool = False) -> list[dict[str, Any]]:
    """Save definitions through the services of their kind, those first that others name; return what was saved."""
    from kequn.ops.audiences import services as audiences
    from kequn.ops.campaigns import services as campaigns
    from kequn.ops.catalog import services as catalog
    from kequn.ops.sources import services as sources
    from kequn.ops.tags import services as tags

    saved = []
    for spec in in_order(specs, ORDER):
        kind = spec.kind  # type: ignore[attr-defined]
        match kind:
            case "source":
                version: Any = sources.save_source(actor, spec)
            case "tag":
                version = tags.save_tag(actor, spec)
            case "segment":
                version = audiences.save_segment(actor, spec)
                if submit:
                    audiences.submit_segment(actor, version.pk)
            case "group":
                continue  # a card about segments, which are saved as what they are
            case "campaign":
                version = campaigns.save_campaign(actor, spec)
            case _:
                version = catalog.save_definition(actor, spec)
                if submit:
                    catalog.submit_definition(actor, version.pk)
        saved.append({"kind": kind, "name": spec.name, "fingerprint": version.fingerprint, "id": version.pk})
    return saved


def acting(username: str) -> Actor:
    """Return the actor of a login name; ``system`` is the operator at the machine."""
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.orgs.queries import actor_named

    return system_actor() if username == "system" else actor_named(username)


def _first_rejects(actor: Actor, error: KequnError) -> str:
    """Where the first rejects of a failed load are, and how to see them all."""
    from kequn.ops.sources.queries import rejects_for

    load_id = error.facts.get("load_id")
    found = rejects_for(actor, load_id, limit=3) if load_id else []
    places = "; ".join(f"{Where(r.file, r.line, field=r.column or '')} {r.reason}" for r in found)
    return f"First: {places}. All: `kequn load --rejects {load_id}`." if places else ""


class _quiet:  # noqa: N801 - stands where a status line would
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
