"""`kequn insight …`: a segment's note and the bank's KPIs."""

from __future__ import annotations

from typing import Annotated

import typer

from kequn.cli.data import acting
from kequn.cli.knowing import Day
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start
from kequn.core.insight import Figure

insight = typer.Typer(no_args_is_help=True, help="A segment's note and the bank's KPIs. 洞察。")


@insight.command("segment")
def segment(
    name: str,
    block: Annotated[list[str] | None, typer.Option(help="Only this part; again for each. 只看某一部分。")] = None,
    as_of: Day = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Say in plain sentences who the members are and what they hold, do and answered. 客群洞察。

    Example: kequn insight segment seg_payroll --block products --json
    """
    start()
    from kequn.ops.analysis.contracts import BLOCKS
    from kequn.ops.analysis.queries import segment_note

    found = segment_note(acting(actor), name, as_of=as_of.date() if as_of else None, blocks=tuple(block or BLOCKS))
    if json:
        print_json(found)
        return
    out.print(f"{found.title} · {found.as_of}", markup=False)
    out.print(str(found.words), markup=False)
    for part in found.blocks:
        out.print(f"\n{part.title}\n  {part.sentence}", markup=False, highlight=False)


@insight.command("bank")
def bank(
    by: Annotated[str, typer.Option(help="branch, tier or month. 按机构、层级或月份。")] = "branch",
    month: Annotated[str, typer.Option(help="As 2026-06; the latest by default. 月份。")] = "",
    branch: Annotated[str, typer.Option(help="Look below this branch. 从哪个机构往下看。")] = "",
    tier: Annotated[str, typer.Option(help="One tier only, as T3. 只看某一层级。")] = "",
    group: Annotated[str, typer.Option(help="Members of this segment only. 只看某一客群。")] = "",
    kpi: Annotated[list[str] | None, typer.Option(help="A KPI; again for each. 指标。")] = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Show KPIs in parts, within one's scope; parts under 5 customers are withheld. 全行指标。

    Example: kequn insight bank --by branch --month 2026-06 --kpi aum_eod --kpi payroll_retention
    """
    start()
    from kequn.ops.analysis.queries import plain_table
    from kequn.ops.analysis.services import bank_page

    wanted = kpi or ["cust_total", "aum_eod", "aum_net_new", "cust_effective", "product_per_cust", "dormant_rate"]
    answer = bank_page(acting(actor), by=by, month=month, branch=branch, tier=tier, group=group, kpis=wanted)
    if answer.table is None:
        show_rows(("job", "state"), [(answer.job_id, "queued")], json=json)
    elif json:
        print_json(plain_table(answer.table))
    else:
        table = answer.table
        out.print(f"{table.period.label} · {table.data_date}", highlight=False)
        rows = [(r.key, str(r.title), *(_shown(r.figures[k]) for k in table.kpis)) for r in (*table.rows, table.whole)]
        print_rows((table.by, "", *table.kpis), rows)


@insight.command("kpis")
def kpis(actor: As = "system", json: Json = False) -> None:
    """Show what each KPI means. 指标口径。

    Example: kequn insight kpis --json
    """
    start()
    from kequn.ops.analysis.queries import kpis_for

    found = kpis_for(acting(actor))
    if json:
        print_json(found)
    else:
        print_rows(("kpi", "title", "unit", "formula"), [(k.name, k.zh, k.unit, k.formula_zh) for k in found])


def _shown(figure: Figure) -> float | str:
    return figure.missing if figure.value is None else figure.value
