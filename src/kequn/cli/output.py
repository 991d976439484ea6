"""What a command prints: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kequn.api.shapes import plain

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table. 输出 JSON。")]
As = Annotated[
    str, typer.Option("--as", help="Login name of the member of staff who acts. 操作人登录名。", show_default=True)
]

out = Console()


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=1, default=str))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Print a table; numbers to the right."""
    rows = [tuple(r) for r in rows]
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for n, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(r[n], int | float | Decimal) or r[n] is None for r in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(v) for v in row))
    out.print(table)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, json: bool) -> None:
    """Print rows as a table, or as JSON objects keyed by column."""
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_rows(columns, rows)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}"
        case _:
            return escape(str(value))  # brackets in a bank's words are no markup
