"""`kequn contact start | record | import | look`: what an RM does with a customer, from the command line."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from kequn.api.shapes import plain
from kequn.cli.data import acting
from kequn.cli.output import Json, out, print_json, print_rows
from kequn.cli.start import start

contact = typer.Typer(no_args_is_help=True, help="Contacts with customers. 客户联系与登记。")
Who = Annotated[str, typer.Option("--as", help="Whose contact it is. 以谁的身份。")]
Key = Annotated[str, typer.Option(help="Makes a repeated call harmless. 防重复的键。")]


@contact.command("look")
def look(customer_id: str, actor: Who, json: Json = False) -> None:
    """Show what may be done with a customer now. 客户此刻能做什么。

    Example: kequn contact look 5f0c… --as wangfang
    """
    start()
    from kequn.ops.workbench.services import advice_for, customer_360

    who = acting(actor)
    page, advice = customer_360(who, customer_id), advice_for(who, customer_id)
    if json:
        print_json({"person": plain(page.person), "standing": plain(page.standing), "advice": plain(advice)})
        return
    out.print(f"{page.person.name} {page.person.customer_no}", highlight=False)
    rows = [(s.kind, s.title.zh, s.ground.zh, " ".join(s.channels or s.codes)) for s in advice.steps]
    print_rows(("step", "what", "ground", "by / why not"), rows)


@contact.command("start")
def begin(
    customer_id: str,
    actor: Who,
    why: Annotated[str, typer.Option(help="Why. 事由。")],
    channel: Annotated[str, typer.Option(help="call, wecom or visit. 渠道。")] = "call",
    offer: Annotated[str, typer.Option(help="What is offered. 方案。")] = "",
    key: Key = "",
) -> None:
    """Start a contact of one's own: it passes the gate. 主动联系。

    Example: kequn contact start 5f0c… --why "deposit comes due" --channel call --as wangfang
    """
    start()
    from kequn.ops.workbench.services import start_contact

    task = start_contact(acting(actor), customer_id, key=key or uuid.uuid4().hex, why=why, channel=channel, offer=offer)
    out.print(f"task {task.pk}", highlight=False)


@contact.command("record")
def record(
    task: int,
    result: Annotated[
        str, typer.Argument(help="connected, no_answer, declined, dead_number or wrong_person. 联系结果。")
    ],
    actor: Who,
    intent: Annotated[str, typer.Option(help="What the customer wants. 客户意向。")] = "",
    amount: Annotated[str, typer.Option(help="Yuan. 金额（元）。")] = "",
    product: Annotated[str, typer.Option(help="Code. 产品代码。")] = "",
    next_at: Annotated[
        datetime | None, typer.Option("--next", help="Next contact, in the bank's zone. 下次联系。")
    ] = None,
    note: Annotated[str, typer.Option(help="Note. 备注。")] = "",
    key: Key = "",
) -> None:
    """Record what came of a contact, once. 登记联系结果。

    Example: kequn contact record 12 connected --intent appointment --next 2026-08-07T10:00 --as wangfang
    """
    start()
    from django.utils import timezone

    from kequn.ops.workbench.services import record_outcome

    made = record_outcome(
        acting(actor), task, key=key or uuid.uuid4().hex, contact=result, intent=intent, product=product, note=note,
        amount_cny=amount, next_at=timezone.make_aware(next_at) if next_at else None,
    )  # fmt: skip
    out.print(f"recorded {made.pk}" + (f" ({made.detail.flags})" if made.detail.flags else ""), highlight=False)


@contact.command("import")
def import_file(
    file: Path,
    actor: Who,
    look_only: Annotated[bool, typer.Option("--look", help="Record nothing. 只看不录。")] = False,
    json: Json = False,
) -> None:
    """Record the results of a file; each faulty line is told, and the same file again does nothing. 录入结果文件。

    Example: kequn contact import results.xlsx --as wangfang
    """
    start()
    from kequn.ops.workbench.services import import_results, preview_results

    who, content = acting(actor), file.read_bytes()
    found = preview_results(who, content, file.name)
    done = None if look_only else import_results(who, content, file.name)
    if json:
        taken = None if done is None else {"recorded": done.recorded, "refused": done.refused}
        print_json({"rows": len(found.rows), "faults": plain(found.faults), "taken": taken})
        return
    print_rows(("line", "customer", "what to do"), [(f.line, f.customer, f.cure.zh) for f in found.faults])
    n = len(found.rows) if done is None else done.recorded
    out.print(
        f"{n} lines {'could be' if done is None else 'were'} recorded, {len(found.faults)} refused", highlight=False
    )


@contact.command("send")
def send(
    customer_id: str,
    material: str,
    actor: Who,
    confirm: Annotated[
        bool, typer.Option("--yes", help="Send it; without it the text is only shown. 确认发送。")
    ] = False,
    key: Key = "",
) -> None:
    """Show an approved material as the customer would see it; with --yes send it. 发送素材。

    Example: kequn contact send 5f0c… gold_wecom --yes --as wangfang
    """
    start()
    from kequn.ops.workbench.services import preview_material, send_material

    who = acting(actor)
    shown = preview_material(who, customer_id, material)
    out.print(shown.body, highlight=False)
    if shown.codes:
        out.print(" ".join(shown.codes), highlight=False)
    if confirm:
        touch = send_material(
            who, customer_id, material, key=key or uuid.uuid4().hex, fingerprint=shown.material.fingerprint
        )
        out.print(f"sent as {touch.key}", highlight=False)
