"""`kequn wecom …`: which customer each WeCom contact is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from kequn.cli.data import acting
from kequn.cli.output import As, Json, show_rows
from kequn.cli.start import start
from kequn.core.errors import InvalidSpec, Where

wecom = typer.Typer(no_args_is_help=True, help="WeCom's contacts. 企业微信联系人。")
COLUMNS = ("external_userid", "customer_id")


@wecom.command("link")
def link(
    path: Annotated[Path, typer.Argument(help="CSV: external_userid, customer_id. 对照表。")],
    actor: As = "system",
    json: Json = False,
) -> None:
    """Keep which customer each contact is; the latest word counts. 登记企微联系人。

    Example: kequn wecom link contacts.csv
    """
    start()
    from kequn.ops.wecom.services import link_contacts

    if not path.is_file():
        raise InvalidSpec("The file is not there.", where=Where(file=str(path)))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not set(COLUMNS) <= set(rows.fieldnames or ()):
            raise InvalidSpec(f"The file needs the columns {', '.join(COLUMNS)}.", where=Where(file=str(path)))
        pairs = [(row["external_userid"] or "", row["customer_id"] or "") for row in rows]
    show_rows(("linked", "rows"), [(link_contacts(acting(actor), pairs), len(pairs))], json=json)
