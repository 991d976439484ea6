"""`kequn demo`: the starter bank, the whole loop, and what came out against the known truth."""

from __future__ import annotations

import json
import math
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from kequn.api.shapes import plain
from kequn.channels.loopback import MailServer, SmsGateway
from kequn.cli import demo_desk
from kequn.cli.data import apply_specs
from kequn.cli.output import out
from kequn.cli.serving import serve
from kequn.cli.start import migrate, start
from kequn.core.data.starter import CAST, Contacted, Outcome, generate, respond
from kequn.core.spec.base import Definition
from kequn.core.spec.campaign import CampaignSpec
from kequn.core.spec.reading import read_specs

ZONE = ZoneInfo("Asia/Shanghai")
USUAL = 50_000
"""Customers of the bank for which the example's budgets are written."""
LAUNCH = datetime(2026, 7, 1, 10, 0, tzinfo=ZONE)
"""The bank's morning on which the demo's campaign starts; the data are those of the evening before."""
GIVEN_OUT = 200
"""Customers whom the head of one branch gives to her relationship managers, so that their days are worth looking at."""
PASSWORD = "kequn-demo-2026"  # noqa: S105 - of made-up people, on this machine, printed at the end
GROWING = ("transactions", "holdings", "events", "contacts", "service", "consents")


def starter_bank(
    folder: Annotated[Path, typer.Argument(help="Where to write the bank's files. 输出目录。")],
    customers: Annotated[int, typer.Option(min=100, max=10_000_000, help="How many customers. 客户数。")] = USUAL,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bank, byte for byte. 随机种子。")] = 20260630,
) -> None:
    """Write the raw files of the starter bank. 生成示例银行。

    Example: kequn starter-bank data --customers 5000
    """
    with out.status("…"):
        truth = generate(folder, customers=customers, seed=seed)
    for name, rows in truth.rows.items():
        out.print(f"{name:14} {rows:>12,}", highlight=False)


def demo(
    serve_: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the console afterwards. 结束后启动控制台。")
    ] = True,
    customers: Annotated[int, typer.Option(min=1_000, max=10_000_000, help="How many customers. 客户数。")] = USUAL,
    seed: Annotated[int, typer.Option(help="Seed of bank and answers. 随机种子。")] = 20260630,
    home: Annotated[Path, typer.Option(help="Where the demo lives; made anew each time. 演示目录。")] = Path(
        "var/demo"
    ),
    port: Annotated[int, typer.Option(help="Port of the console. 端口。")] = 8000,
) -> None:
    """Run the whole loop once on the starter bank and say what came out. 在示例银行上跑完整个闭环。

    Example: kequn demo --no-serve --customers 5000
    """
    _clear(home)
    secret, hook = secrets.token_hex(16), _free_port()
    receipts = f"http://127.0.0.1:{port if serve_ else hook}/api/v1/receipts/sms"
    loop = Loop(home.resolve(), customers=customers, seed=seed, show=_shown)
    with (
        SmsGateway(secret, receipt_url=receipts, receipt_secret=secret, undelivered_rate=0.02, clock=loop.now) as sms,
        SmsGateway(secret, clock=loop.now) as wecom,
        MailServer() as mail,
    ):
        start(
            KEQUN_HOME=str(home.resolve()),
            KEQUN_SMTP_HOST="127.0.0.1",
            KEQUN_SMTP_PORT=str(mail.port),
            KEQUN_SMS_URL=sms.url,
            KEQUN_SMS_SECRET=secret,
            KEQUN_WECOM_MESSAGES_URL=wecom.url,
            KEQUN_WECOM_MESSAGES_SECRET=secret,
            KEQUN_RECEIPT_SECRET=secret,
        )
        with _listening(port if serve_ else hook):
            summary = loop.run(gateway=sms, mail=mail)
        text = json.dumps(plain(summary), ensure_ascii=False, indent=1, default=str)
        (home / "summary.json").write_text(text + "\n", encoding="utf-8")
        out.print(f"\n{home / 'summary.json'}", highlight=False)
        if serve_:
            _say_logins(port)
            serve(port=port)


class Loop:
    """The loop once, step by step; each step says how long it took and what came out."""

    def __init__(self, home: Path, *, customers: int, seed: int, show: Callable[[str, str, float], None]) -> None:
        self.home, self.customers, self.seed, self.show = home, customers, seed, show
        self.seconds: dict[str, float] = {}
        self.clock = LAUNCH
        self.ended_at: datetime | None = None
        self.data, self.later = home / "data", home / "later"

    def now(self) -> datetime:
        """Return the bank's time: it stands while the loop runs, and goes on where the loop ended."""
        return self.clock + (datetime.now(ZONE) - self.ended_at if self.ended_at else timedelta())

    def run(self, *, gateway: SmsGateway, mail: MailServer) -> dict[str, Any]:
        """Run all steps and return the summary."""
        from kequn.ops import runtime

        runtime.runtime().clock = lambda: self.clock
        with self._step("prepare") as say:
            migrate()
            say("database")
        with self._step("generate") as say:
            self.truth = generate(self.data, customers=self.customers, seed=self.seed)
            say(f"{self.truth.rows['customers']:,} customers, {self.truth.rows['transactions']:,} transactions")
        loads = self._load_all(self.data)
        self._logins()
        tags = self._refresh()
        segments = self._define()
        campaign = self._campaign()
        sent = self._deliver(campaign)
        outcome = self._live(campaign)
        later = self._load_all(self.later, only=GROWING, step="load what happened")
        again = self._refresh(step="tag again")
        review = self._review(campaign, outcome)
        books = self._books()
        following = self._next_campaigns()
        day = self._morning()
        self._settle_clock()
        return {
            "customers": self.customers, "seed": self.seed, "seconds": self.seconds,
            "loads": [*loads, *later], "tags": {"first": tags, "last": again}, "segments": segments,
            "campaign": campaign["summary"],
            "delivery": sent | {"sms_at_gateway": len(gateway.messages), "sms_twice": gateway.duplicates, "mails": len(mail.mails)},
            "review": review,
            "books": books,
            "next": following,
            "day": day,
        }  # fmt: skip

    # -- steps ----------------------------------------------------------------------------------------------------------

    def _load_all(self, folder: Path, *, only: tuple[str, ...] = (), step: str = "load") -> list[dict[str, Any]]:
        from kequn.ops.orgs.actor import system_actor
        from kequn.ops.sources import queries, services

        actor = system_actor()
        with self._step(step) as say:
            specs = self._specs("source")
            apply_specs(actor, specs)
            # what did not change since is read again from where it was, and found unchanged
            loads = [
                services.run_load(actor, s.name, folder=folder if not only or s.name in only else self.data)
                for s in queries.sources_for(actor)
            ]
            read, rejected = sum(d.n_read for d in loads), sum(d.n_rejected for d in loads)
            say(f"{len(loads)} sources, {read:,} rows read, {rejected:,} rejected")
        return [
            {"source": d.source, "table": d.table, "state": d.state, "read": d.n_read, "loaded": d.n_loaded,
             "rejected": d.n_rejected, "skipped": d.n_skipped, "reasons": d.reasons,
             "adds_up": d.n_read == d.n_loaded + d.n_rejected + d.n_skipped, "seconds": round(d.seconds, 2)}
            for d in loads
        ]  # fmt: skip

    def _logins(self) -> None:
        from kequn.ops.orgs.actor import system_actor
        from kequn.ops.orgs.services import rename_login, set_password

        with self._step("logins") as say:
            for username, staff_no in CAST.items():
                rename_login(system_actor(), staff_no, username)
                set_password(system_actor(), username, PASSWORD)
            say(f"{len(CAST)} people of the demo can log in")

    def _refresh(self, *, step: str = "tag") -> dict[str, Any]:
        from kequn.ops.orgs.actor import system_actor
        from kequn.ops.tags.services import refresh_tags

        with self._step(step) as say:
            row = refresh_tags(system_actor())
            say(f"{row.n_tags} tags of {row.n_customers:,} customers as of {row.as_of}")
        return {
            "as_of": row.as_of,
            "tags": row.n_tags,
            "customers": row.n_customers,
            "unavailable": row.unavailable,
            "failed": row.failed,
        }

    def _define(self) -> dict[str, int]:
        """Save what the marketers wrote, have it approved by a second person, and count the segments."""
        from kequn.ops.audiences.groups import load_groups
        from kequn.ops.audiences.queries import latest_segments, preview_segment
        from kequn.ops.governance.queries import approvals_for
        from kequn.ops.governance.services import decide

        maker, checker = self._actor("zhaomin"), self._actor("zhoulv")
        with self._step("define and approve") as say:
            kinds = (
                "segment",
                "metric",
                "contact_policy",
                "offer",
                "template",
                "talk_track",
                "playbook",
                "desk_policy",
                "ownership_policy",
                "assignment",
                "pool",
            )
            load_groups(maker, submit=True, whole=False)
            apply_specs(maker, self._specs(*kinds), submit=True)
            waiting = list(approvals_for(checker, state="waiting"))
            for approval in waiting:
                decide(checker, approval.pk, approve=True)
            say(f"{len(waiting)} definitions, made by {maker.display_name}, approved by {checker.display_name}")
        with self._step("count segments") as say:
            sizes = {v.name: preview_segment(maker, v.pk).size for v in latest_segments(maker)}
            say(f"{len(sizes)} segments, the largest {max(sizes.values()):,}")
        return sizes

    def _campaign(self) -> dict[str, Any]:
        from kequn.ops.campaigns import queries, services
        from kequn.ops.governance.queries import approvals_for
        from kequn.ops.governance.services import decide

        maker, checker = self._actor("zhaomin"), self._actor("zhoulv")
        specs = [self._budgeted(s) for s in self._specs("campaign") if isinstance(s, CampaignSpec)]
        with self._step("plan") as say:
            apply_specs(maker, specs)
            main = next(s for s in specs if s.evaluation == "holdout")
            row = queries.campaign_named(maker, main.name)
            design = queries.design_campaign(maker, row.pk)
            say(
                f"{main.title}: {design.members:,} members, {design.n_treated:,} to treat, {design.n_control:,} control"
            )
        with self._step("approve and freeze") as say:
            services.submit_campaign(maker, row.pk)
            for approval in approvals_for(checker, state="waiting").filter(kind="campaign", name=main.name):
                decide(checker, approval.pk, approve=True)
            audience = services.freeze_campaign(maker, row.pk)
            say(f"{audience.passed:,} pass the gate: {audience.treated:,} treated, {audience.control:,} control")
        summary = {
            "name": main.name, "as_of": audience.as_of, "members": audience.members, "excluded": audience.excluded,
            "passed": audience.passed, "treated": audience.treated, "control": audience.control,
            "by_channel": audience.by_channel, "gate": audience.blocks, "design": design,
        }  # fmt: skip
        return {"spec": main, "id": row.pk, "summary": summary}

    def _deliver(self, campaign: dict[str, Any]) -> dict[str, Any]:
        from kequn.ops.campaigns import queries, services
        from kequn.ops.delivery.queries import is_finished
        from kequn.ops.delivery.services import dispatch_once, settle_unknown

        maker = self._actor("zhaomin")
        with self._step("deliver") as say:
            made = services.launch_campaign(maker, campaign["id"])
            for _ in range(200):
                dispatch_once()
                settle_unknown()
                if is_finished(campaign["spec"].name):
                    break
                self.clock += timedelta(minutes=1)
            funnel = self._receipts_in(lambda: queries.funnel_for(maker, campaign["id"]))
            say(f"{made:,} touches: " + ", ".join(f"{n:,} {state}" for state, n in sorted(funnel.touches.items())))
        return {
            "touches": made,
            "by_state": funnel.touches,
            "by_channel": funnel.by_channel,
            "blocked_later": funnel.blocked_later,
        }

    def _receipts_in(self, look: Callable[[], Any]) -> Any:
        """Return the funnel when the gateway has reported everything, or after ten seconds what is known by then."""
        found = look()
        for _ in range(50):
            if not found.by_channel.get("sms", {}).get("accepted"):
                break
            time.sleep(0.2)
            found = look()
        return found

    def _live(self, campaign: dict[str, Any]) -> Outcome:
        """Let the bank's customers live through the window and answer those contacts that were really made."""
        from kequn.ops.customers.services import numbers_of
        from kequn.ops.delivery.queries import handed_over
        from kequn.ops.orgs.actor import system_actor

        spec: CampaignSpec = campaign["spec"]
        with self._step("a month passes") as say:
            product = next(s.product for s in self._specs("offer") if s.name == spec.offer)  # type: ignore[attr-defined]
            made = [(o.touch.customer_id, o.touch.channel) for o in handed_over(spec.name)]
            numbers = numbers_of(system_actor(), {c for c, _ in made})
            contacts = [
                Contacted(numbers[c], channel, product, self.clock, campaign=spec.name)
                for c, channel in made
                if c in numbers
            ]
            start_on = date.fromisoformat(str(campaign["summary"]["as_of"])) + timedelta(days=1)
            outcome = respond(
                self.data, contacts, seed=self.seed, start_on=start_on, days=spec.window_days, out=self.later
            )
            self.clock = datetime.combine(outcome.as_of + timedelta(days=1), LAUNCH.timetz())
            say(f"{len(contacts):,} contacts answered; today is {self.clock:%Y-%m-%d}")
        return outcome

    def _review(self, campaign: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
        from kequn.ops.audiences.queries import customer_ids
        from kequn.ops.campaigns.queries import frozen_audience
        from kequn.ops.campaigns.services import finish_campaign
        from kequn.ops.customers.services import numbers_of
        from kequn.ops.orgs.actor import system_actor
        from kequn.ops.reviews.queries import as_json, result_of
        from kequn.ops.reviews.services import run_review

        maker = self._actor("zhaomin")
        with self._step("review") as say:
            finish_campaign(maker, campaign["id"])
            row = run_review(maker, campaign["id"])
            audience = frozen_audience(maker, campaign["id"])
            ids = customer_ids(audience.ordinals[audience.treated])
            truth = outcome.effect(list(numbers_of(system_actor(), ids).values()))
            result: Any = result_of(row)
            lift = result.goal.lift
            covered = lift is not None and lift.low <= truth.realised <= lift.high
            say(result.sentence_zh)
        return {
            "sentence_zh": result.sentence_zh,
            "sentence_en": result.sentence_en,
            "lift": lift and {"point": lift.point, "low": lift.low, "high": lift.high, "se": lift.se},
            "truth": truth,
            "covers_truth": covered,
            "result": as_json(result),
        }

    def _books(self) -> dict[str, Any]:
        """Let a branch head give her relationship managers the most valuable of those who have none."""
        from kequn.ops.jobs.services import run_waiting
        from kequn.ops.ownership.services import apply_assignment, draw_assignment

        head = self._actor("liqiang")
        with self._step("give out customers") as say:
            plan = draw_assignment(head, rules_name="by_need", most=GIVEN_OUT, note="三季度分户")
            job = apply_assignment(head, plan.pk)
            run_waiting()
            job.refresh_from_db()
            given = int(job.result.get("applied", 0))
            say(f"{given:,} customers of branch {head.branch_code} have a relationship manager now")
        return {"given": given}

    def _next_campaigns(self) -> dict[str, Any]:
        """Leave the bank at work: a campaign whose tasks wait for the RMs, and one that waits for the checker."""
        from kequn.ops.campaigns import queries, services
        from kequn.ops.delivery.services import dispatch_once
        from kequn.ops.governance.queries import approvals_for
        from kequn.ops.governance.services import decide

        maker, checker = self._actor("zhaomin"), self._actor("zhoulv")
        with self._step("the next campaigns") as say:
            desk, waiting = (
                queries.campaign_named(maker, name) for name in ("q3_keep_in_touch", "july_maturity_notice")
            )
            services.submit_campaign(maker, desk.pk)
            for approval in approvals_for(checker, state="waiting").filter(kind="campaign", name=desk.name):
                decide(checker, approval.pk, approve=True)
            services.freeze_campaign(maker, desk.pk)
            made = services.launch_campaign(maker, desk.pk)
            dispatch_once()
            services.submit_campaign(maker, waiting.pk, reason="到期提醒，属于服务通知")
            say(f"{desk.spec.title}: {made:,} tasks for relationship managers; {waiting.spec.title} waits for approval")
        return {"tasks": made, "waiting": waiting.name}

    def _morning(self) -> dict[str, Any]:
        """Give everybody her day, as the job after each refresh does: also by the lists that were just sent down."""
        from kequn.ops.jobs.services import run_waiting
        from kequn.ops.orgs.actor import system_actor
        from kequn.ops.workbench.services import plan_day, settle_tasks

        head, rm, maker = (self._actor(name) for name in ("liqiang", "wangfang", "zhaomin"))
        with self._step("the morning") as say:
            demo_desk.fill_book(head, rm)
            demo_desk.set_targets(maker, head)
            owed = demo_desk.hand_over(head, rm)
            agent = demo_desk.open_remote_centre(maker.branch_code, PASSWORD)
            taken = demo_desk.fill_queue(agent)
            settled, plan = settle_tasks(system_actor()), plan_day(system_actor())
            demo_desk.agree(rm, self.clock)
            run_waiting()
            say(
                f"{sum(plan.found.values()):,} occasions; {plan.counts.get('today', 0):,} customers to call on {plan.day}; "
                f"{taken} with the remote centre's agent"
            )
        days = {"rm_day": demo_desk.kinds_of_day(rm), "agent_day": demo_desk.kinds_of_day(agent)}
        return {"found": plan.found, "counts": plan.counts, "settled": settled, "notices_owed": owed, **days}

    def _settle_clock(self) -> None:
        """Let the served demo's clock go on from where the loop ended, so that its data are a day old and not months."""
        self.ended_at = datetime.now(ZONE)
        offset = (self.clock - self.ended_at).total_seconds()
        (self.home / "clock").write_text(f"{offset:.0f}\n")

    # -- parts ----------------------------------------------------------------------------------------------------------

    def _specs(self, *kinds: str) -> list[Definition]:
        return [spec for _, spec in read_specs(specs_folder()) if spec.kind in kinds]  # type: ignore[attr-defined]

    def _budgeted(self, spec: CampaignSpec) -> CampaignSpec:
        """A larger bank plans with more money; the budgets as written are for the usual one."""
        return spec.model_copy(update={"budget_cny": spec.budget_cny * max(1, math.ceil(self.customers / USUAL))})

    def _actor(self, username: str) -> Any:
        from kequn.ops.orgs.queries import actor_named

        return actor_named(username)

    @contextmanager
    def _step(self, name: str) -> Iterator[Callable[[str], None]]:
        said: list[str] = []
        started = time.monotonic()
        yield said.append
        self.seconds[name] = round(time.monotonic() - started, 2)
        self.show(name, said[-1] if said else "", self.seconds[name])


def specs_folder() -> Path:
    """Return the starter bank's definitions: beside the package in a wheel, in the repository otherwise."""
    packed = Path(__file__).parent / "starter_bank"
    return packed if packed.exists() else Path(__file__).parents[3] / "examples" / "starter_bank"


def _shown(step: str, words: str, seconds: float) -> None:
    out.print(f"[green]✓[/] {step:22} {seconds:6.1f} s  {words}", highlight=False)


def _clear(home: Path) -> None:
    """Make the demo's folder anew; a folder that is not a demo's is left alone."""
    if home.exists():
        if any(home.iterdir()) and not (home / ".demo").exists():
            raise typer.BadParameter(f"{home} is not empty and was not made by the demo; choose another --home.")
        shutil.rmtree(home)
    home.mkdir(parents=True)
    (home / ".demo").touch()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _listening(port: int) -> Iterator[None]:
    """Let the gateway's receipts come in over HTTP while the loop runs."""
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    from django.core.wsgi import get_wsgi_application

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    server = make_server("127.0.0.1", port, get_wsgi_application(), handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _say_logins(port: int) -> None:
    out.print(f"\n[bold]http://127.0.0.1:{port}[/]  密码 password: [bold]{PASSWORD}[/]", highlight=False)
    roles = {
        "zhaomin": "营销经理 marketer",
        "zhoulv": "复核 checker",
        "wangfang": "客户经理 RM (0001)",
        "liqiang": "网点负责人 branch head (0001)",
        "chenjing": "客户经理 RM (0002)",
        "yuanfang": "远程坐席 remote agent",
        "sunli": "数据分析 analyst",
        "admin": "系统管理 admin",
    }
    for username, role in roles.items():
        out.print(f"  {username:10} {role}", highlight=False)
    out.print("Ctrl+C 结束 / stops\n", highlight=False)
