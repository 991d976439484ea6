"""`kequn feedback …`: what the front line says of lists, its questions and insights, and the answers."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import typer

from kequn.cli.data import acting
from kequn.cli.output import As, Json, show_rows
from kequn.cli.start import start

feedback = typer.Typer(no_args_is_help=True, help="The front line's word, and the answers. 一线反馈。")
Number = Annotated[int, typer.Argument(help="Number of the question or insight. 反馈编号。")]
SMALL = "样本太小，只有条数 / sample too small, counts alone"
COLUMNS = ("id", "kind", "state", "about", "text", "author", "branch", "answer")


@feedback.command("list")
def list_feedback(
    state: Annotated[str, typer.Option(help="new, answered, adopted, declined. 状态。")] = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Show the questions and insights in sight. 反馈列表。

    Example: kequn feedback list --state new --as liqiang
    """
    start()
    from kequn.ops.feedback.queries import feedback_for

    show_rows(COLUMNS, map(_row, feedback_for(acting(actor), state=state)), json=json)


@feedback.command("lists")
def lists(actor: As = "system", json: Json = False) -> None:
    """Show the lists with entries marked as wrong, with Wilson's interval. 各名单的不准占比。

    Example: kequn feedback lists --as liqiang
    """
    start()
    from kequn.ops.feedback.queries import lists_in_doubt

    rows = [
        (
            f.campaign, f.given, f.looked_at, f.wrong, SMALL if f.is_small or f.share is None else f"{f.share.point:.1%}",
            f"{f.share.low:.1%}–{f.share.high:.1%}" if f.share else "–", ", ".join(f"{c} {n}" for c, n in f.reasons),
        )
        for f in lists_in_doubt(acting(actor))
    ]  # fmt: skip
    show_rows(("list", "given", "looked at", "wrong", "share", "95 %", "reasons"), rows, json=json)


@feedback.command("wrong")
def wrong(
    task: Annotated[int, typer.Argument(help="Number of the task. 任务编号。")],
    reason: Annotated[str, typer.Argument(help="Such as moved_away. 原因代码。")],
    text: Annotated[str, typer.Option(help="In words. 说明。")] = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Mark the entry behind a task as wrong; the task closes. 标记名单不准。

    Example: kequn feedback wrong 12 moved_away --text "moved to Hangzhou" --as wangfang
    """
    start()
    from kequn.ops.feedback.services import mark_wrong

    row = mark_wrong(acting(actor), task, reason, key=secrets.token_hex(12), text=text)
    show_rows(("id", "task", "list", "reason"), [(row.pk, row.task_id, row.campaign, row.reason)], json=json)


@feedback.command("send")
def send(
    kind: Annotated[str, typer.Argument(help="question or insight. 类别。")],
    text: Annotated[str, typer.Argument(help="What to say. 内容。")],
    campaign: Annotated[str, typer.Option(help="The list it is about. 名单。")] = "",
    about: Annotated[str, typer.Option(help="The group, in one's own words. 哪些客户。")] = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Ask head office, or propose an insight. 向总行提问或提出判断。

    Example: kequn feedback send question "May the rate be raised?" --campaign july_steady_wealth --as wangfang
    """
    start()
    from kequn.ops.feedback.services import send_feedback

    row = send_feedback(acting(actor), kind, text, key=secrets.token_hex(12), campaign=campaign, about=about)
    show_rows(COLUMNS, [_row(row)], json=json)


@feedback.command("answer")
def answer(
    number: Number,
    words: Annotated[str, typer.Argument(help="The answer. 回复。")],
    state: Annotated[str, typer.Option(help="answered, adopted or declined. 处理结果。")] = "answered",
    segment: Annotated[str, typer.Option(help="Where an adopted insight is noted. 写入的客群。")] = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Answer a question or insight; adopt or decline an insight. 回复、采纳或不采纳。

    Example: kequn feedback answer 3 "From Monday on." --as zhaomin
    """
    start()
    from kequn.ops.feedback.queries import feedback_one
    from kequn.ops.feedback.services import adopt_insight, answer_feedback

    who = acting(actor)
    expected = feedback_one(who, number).state
    if state == "adopted":
        row = adopt_insight(who, number, segment=segment, answer=words, expected=expected)
    else:
        row = answer_feedback(who, number, words, state=state, expected=expected)
    show_rows(COLUMNS, [_row(row)], json=json)


def _row(f: Any) -> tuple[Any, ...]:
    return f.pk, f.kind, f.state, f.about or f.campaign or f.segment, f.text, f.author_name, f.branch_code, f.answer
