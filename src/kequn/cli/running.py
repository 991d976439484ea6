"""`kequn approval … | campaign … | review | dispatch`: from a plan to what it was worth."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from kequn.cli.data import acting
from kequn.cli.knowing import Day
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start

approval = typer.Typer(no_args_is_help=True, help="What waits for a second person. 审批。")
campaign = typer.Typer(no_args_is_help=True, help="Campaigns: design, approval, freeze, launch, state. 营销活动。")

UNITS = {"points": ("%", 100), "cny": ("¥", 0.01), "number": ("", 1)}
"""Unit of a result -> how it is shown, and by what its stored value is multiplied."""


@approval.command("list")
def list_approvals(
    actor: As = "system",
    state: Annotated[str, typer.Option(help="waiting, approved, refused, withdrawn; empty for all.")] = "waiting",
    json: Json = False,
) -> None:
    """Show approvals. 审批列表。

    Example: kequn approval list --as zhoulv
    """
    start()
    from kequn.ops.governance.queries import approvals_for

    rows = [
        (a.pk, a.kind, a.name, a.fingerprint, a.state, a.maker_name, a.checker_name)
        for a in approvals_for(acting(actor), state=state or None)
    ]
    show_rows(("id", "kind", "name", "fingerprint", "state", "maker", "checker"), rows, json=json)


@approval.command("decide")
def decide(
    ids: Annotated[list[int], typer.Argument(help="Numbers of approvals; `approval list` shows them.")],
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="The decision.")] = True,
    reason: Annotated[str, typer.Option(help="Required for a refusal. 拒绝须写原因。")] = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Approve or refuse what another person made. 复核。

    Example: kequn approval decide 3 4 --approve --as zhoulv
    """
    start()
    from kequn.ops.governance.services import decide as decide_one

    done = [decide_one(acting(actor), i, approve=approve, reason=reason) for i in ids]
    show_rows(("id", "kind", "name", "state"), [(a.pk, a.kind, a.name, a.state) for a in done], json=json)


@campaign.command("list")
def list_campaigns(actor: As = "system", json: Json = False) -> None:
    """Show campaigns with their state. 活动列表。

    Example: kequn campaign list
    """
    start()
    from kequn.ops.campaigns.queries import campaigns_for

    rows = [
        (c.name, str(c.spec.title), c.state, c.spec.start_on, c.spec.end_on, c.owner_name)
        for c in campaigns_for(acting(actor))
    ]
    show_rows(("campaign", "title", "state", "from", "to", "owner"), rows, json=json)


@campaign.command("design")
def design(name: str, as_of: Day = None, actor: As = "system", json: Json = False) -> None:
    """Show what a campaign will be: sizes, who may be contacted, cost, detectable lift. 活动设计。

    Example: kequn campaign design maturity_july
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named, design_campaign

    who = acting(actor)
    found = design_campaign(who, campaign_named(who, name).pk, as_of=_day(as_of))
    if json:
        print_json(found)
        return
    print_rows(
        ("segment", "excluded", "members", "treated", "control", "cost ¥", "budget ¥"),
        [
            (
                found.segment_size,
                found.excluded,
                found.members,
                found.n_treated,
                found.n_control,
                found.expected_cost_cny,
                found.budget_cny,
            )
        ],
    )
    print_rows(("channel", "customers"), sorted(found.by_channel.items()))
    for finding in found.findings:
        out.print(
            f"[{'red' if finding.grade == 'block' else 'yellow'}]{finding.grade}[/] {escape(finding.zh)} / {escape(finding.en)}",
            highlight=False,
        )


@campaign.command("submit")
def submit(
    name: str,
    reason: Annotated[str, typer.Option(help="What the checker should know.")] = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Ask for approval. 提交审批。

    Example: kequn campaign submit maturity_july --as zhaomin
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named
    from kequn.ops.campaigns.services import submit_campaign

    who = acting(actor)
    _state(submit_campaign(who, campaign_named(who, name).pk, reason=reason), json=json)


@campaign.command("freeze")
def freeze(name: str, as_of: Day = None, actor: As = "system", json: Json = False) -> None:
    """Fix the audience and draw the control group; twice gives the same. 冻结名单。

    Example: kequn campaign freeze maturity_july --as-of 2026-06-30 --as zhaomin
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named
    from kequn.ops.campaigns.services import freeze_campaign

    who = acting(actor)
    found = freeze_campaign(who, campaign_named(who, name).pk, as_of=_day(as_of))
    rows = [(name, found.as_of, found.members, found.passed, found.treated, found.control)]
    show_rows(("campaign", "as of", "members", "passed the gate", "treated", "control"), rows, json=json)


@campaign.command("launch")
def launch(
    name: str,
    share: Annotated[str, typer.Option(help="Up to how much of the audience; 0.01 is 1%. 发到名单的多少。")] = "1",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Put the touches of the treated in line, a share first or all; the worker sends them. 启动，或扩大。

    Example: kequn campaign launch maturity_july --share 0.01 --as zhaomin
    """
    start()
    from decimal import Decimal, InvalidOperation

    from kequn.core.errors import InvalidSpec
    from kequn.ops.campaigns.queries import campaign_named
    from kequn.ops.campaigns.services import launch_campaign

    who = acting(actor)
    try:
        until = Decimal(share)
    except InvalidOperation:
        raise InvalidSpec("A share lies above 0 and up to 1.", hint="Write 0.01 for 1%.", share=share) from None
    added = launch_campaign(who, campaign_named(who, name).pk, share=until)
    show_rows(("campaign", "touches"), [(name, added)], json=json)


@campaign.command("pause")
def pause(
    name: str,
    branch: str,
    reason: Annotated[str, typer.Option(help="Why. 原因。")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Lift the pause. 恢复。")] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Pause a campaign in one branch and all below it, or lift that. 一家机构暂停。

    Example: kequn campaign pause maturity_july 0001 --reason 额度用完 --as zhaomin
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named
    from kequn.ops.campaigns.services import pause_branch, resume_branch

    who = acting(actor)
    row = campaign_named(who, name)
    if lift:
        resume_branch(who, row.pk, branch)
    else:
        pause_branch(who, row.pk, branch, reason=reason)
    show_rows(("campaign", "branch", "paused"), [(name, branch, not lift)], json=json)


@campaign.command("copy")
def copy(name: str, actor: As = "system", json: Json = False) -> None:
    """Draft the next campaign from one there is. 起草下一期。

    Example: kequn campaign copy maturity_july --as zhaomin
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named
    from kequn.ops.campaigns.services import copy_campaign

    who = acting(actor)
    _state(copy_campaign(who, campaign_named(who, name).pk), json=json)


@campaign.command("reproduce")
def reproduce(name: str, actor: As = "system", json: Json = False) -> None:
    """Make a frozen audience again from its pinned versions, and compare. 按冻结时的版本重算名单。

    Example: kequn campaign reproduce fund_july
    """
    start()
    from kequn.ops.campaigns.reproducing import reproduce_audience

    found = reproduce_audience(acting(actor), name)
    if json:
        print_json({"is_equal": found.is_equal, "reproduction": found})
        return
    rows = [(found.is_equal, found.as_of, found.members, found.again, found.gone, found.added, found.arms_differ)]
    print_rows(("equal", "as of", "frozen", "again", "gone", "added", "other arm"), rows)
    for finding in found.findings:
        out.print(f"{finding.zh} / {finding.en}", markup=False)


@campaign.command("stop")
def stop(
    name: str, reason: Annotated[str, typer.Option(help="Why. 原因。")], actor: As = "system", json: Json = False
) -> None:
    """Stop a running campaign at once. 立即停止。

    Example: kequn campaign stop maturity_july --reason 投诉过多 --as zhaomin
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named
    from kequn.ops.campaigns.services import stop_campaign

    who = acting(actor)
    _state(stop_campaign(who, campaign_named(who, name).pk, reason=reason), json=json)


@campaign.command("show")
def show(name: str, actor: As = "system", json: Json = False) -> None:
    """Show how far a campaign is: audience, arms, touches by state, refusals by reason. 活动进展。

    Example: kequn campaign show maturity_july
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named, funnel_for

    who = acting(actor)
    row = campaign_named(who, name)
    funnel = funnel_for(who, row.pk)
    if json:
        print_json({"campaign": name, "state": row.state, "funnel": funnel})
        return
    print_rows(("campaign", "state"), [(name, row.state)])
    if funnel is not None:
        print_rows(
            ("members", "passed", "treated", "control"),
            [(funnel.members, funnel.passed, funnel.treated, funnel.control)],
        )
        print_rows(("touches", "n"), sorted(funnel.touches.items()))
        print_rows(
            ("channel", "refused because", "customers"),
            [(c, r, n) for c, reasons in sorted(funnel.blocks.items()) for r, n in reasons.items()],
        )
        print_rows(("refused when sending because", "touches"), sorted(funnel.blocked_later.items()))


def dispatch(json: Json = False) -> None:
    """Send what is due now, once, and find out about unknown outcomes. 立即投递一轮。

    Example: kequn dispatch
    """
    start()
    from kequn.ops.delivery.services import dispatch_once, settle_unknown

    sent, settled = dispatch_once(), settle_unknown()
    if json:
        print_json({"sent": sent, "settled": settled})
    else:
        out.print(sent, settled)


def review(
    name: Annotated[str, typer.Argument(help="A campaign, or an experiment whose arms were loaded. 活动或实验名称。")],
    as_of: Day = None,
    control: Annotated[str, typer.Option(help="For loaded arms: the arm that serves as control. 对照组名称。")] = "",
    metric: Annotated[list[str] | None, typer.Option(help="For loaded arms: metrics to compare. 指标。")] = None,
    days: Annotated[int, typer.Option(help="For loaded arms: length of the window. 观察天数。")] = 30,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Say what a campaign was worth: lift with interval, cost, return, and one plain sentence. 后评估。

    Example: kequn review july_steady_wealth --json
    Example: kequn review email_test --control "No E-Mail" --metric visit --metric spend --days 14
    """
    start()
    from kequn.ops.campaigns.queries import campaign_named
    from kequn.ops.reviews.queries import as_json, result_of
    from kequn.ops.reviews.services import review_experiment, run_review

    who = acting(actor)
    if control:
        row = review_experiment(who, name, metric or [], control=control, days=days)
    else:
        row = run_review(who, campaign_named(who, name).pk, as_of=_day(as_of))
    result: Any = result_of(row)
    if json:
        print_json(as_json(result))
        return
    results = result.results if control else (result.goal, *result.guardrails)
    print_rows(
        ("metric", "arm", "unit", "assigned", "control", "lift", "s.e.", "95 %"), [_measured(r) for r in results]
    )
    for r in results:
        out.print(r.conclusion.text.zh, style="bold", markup=False, highlight=False)
        out.print(r.conclusion.text.to("en"), markup=False, highlight=False)


def _measured(result: Any) -> tuple[Any, ...]:
    """One line of a review, in the unit of its sentence: percentage points, yuan, or the number itself."""
    found, (unit, times) = result.lift, UNITS[result.unit]
    if found is None:
        return (result.metric, result.arm, unit, None, None, None, None, result.conclusion.code)
    figures = (found.treated.mean, found.control.mean, found.point, found.se)
    interval = f"{found.low * times:.4g} … {found.high * times:.4g}"
    return (result.metric, result.arm, unit, *(x * times for x in figures), interval)


def _state(row: Any, *, json: bool) -> None:
    show_rows(("campaign", "state", "fingerprint"), [(row.name, row.state, row.fingerprint)], json=json)


def _day(value: datetime | None) -> date | None:
    return value.date() if value else None
