"""The cast at their desks, on a bank where everything that a page can show is there once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from kequn.channels.wecom.gateway import SimulatedWecom
from kequn.core.spec.campaign import PlaybookSpec
from kequn.core.spec.discovery import ClusterSearch
from kequn.core.spec.ownership import PoolSpec
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.source import SourceSpec
from kequn.ops.audiences import services as audiences
from kequn.ops.board import services as board
from kequn.ops.books import services as books
from kequn.ops.campaigns import services as campaigns
from kequn.ops.catalog import services as catalog
from kequn.ops.catalog.models import DefinitionVersion
from kequn.ops.customers.models import Person
from kequn.ops.delivery import services as delivery
from kequn.ops.feedback import services as feedback
from kequn.ops.governance.models import Approval
from kequn.ops.insights import services as insights
from kequn.ops.jobs.models import Job
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import User
from kequn.ops.ownership import services as ownership
from kequn.ops.reviews import services as reviews
from kequn.ops.sources import services as sources
from kequn.ops.sources.models import Load
from kequn.ops.wecom.services import Panel, install_panel
from kequn.ops.workbench import services as workbench
from kequn.ops.workbench.models import Task
from tests.ops.bank import *  # noqa: F403 - fixtures
from tests.ops.bank import Cast, approved_campaign, customer_id, taken_out
from tests.ops.conftest import NOW, bank_runtime, cast, delivery_wiring  # noqa: F401 - fixtures
from tests.ops.remembering import remembered

HOSTILE = '<script>alert("x")</script>\' OR 1=1 --'
SOURCE = SourceSpec.model_validate(
    {
        "name": "customers",
        "title": "客户",
        "table": "customer",
        "input": {"format": "csv", "path": "c.csv"},
        "columns": {"customer_no": "no", "opened_on": "opened"},
    }
)
PLAYBOOK = PlaybookSpec.model_validate(
    {
        "name": "funds", "title": "基金打法", "why": {"metric": "fund_interest", "hypothesis": "有人讲清楚就会看"}, "where": "rich",
        "who": "客户经理", "what": "闲钱较多", "how": [{"channel": "sms", "template": "fund_sms"}], "offer": "fund_offer",
        "how_much_cny": 5000, "when": "月初",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Things:
    """One of everything, by the name that addresses use."""

    values: dict[str, Any]
    """URL parameter -> value, for what is not told by the route's own name."""
    by_route: dict[str, dict[str, Any]]
    """Route -> its parameters, where the general ones do not fit."""


@pytest.fixture
def desk(cast: Cast) -> Callable[[str], Client]:  # noqa: F811
    """Return a browser in which a member of the cast is signed in; nobody for an empty name."""

    def sit(username: str = "") -> Client:
        client = Client()
        if username:
            client.force_login(User.objects.get(username=username), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sit


@pytest.fixture
def things(panel_installed: None, made_things: Things) -> Things:
    """Run the loop: a campaign launched, tasks handed over, one worked, a review run, an approval waiting, one load."""
    return made_things


@pytest.fixture
def panel_installed() -> None:
    """Let a simulator stand in for WeCom."""
    install_panel(Panel(SimulatedWecom(b"k" * 32), "simulated", "1", "/wecom/simulator/door"))


@pytest.fixture
@remembered
def made_things(definitions: None, cast: Cast) -> Things:  # noqa: F811
    return make_things(cast)


def make_things(cast: Cast) -> Things:  # noqa: F811
    """Make one of everything, on the bank with its definitions approved."""
    maker = cast["zhaomin"]
    campaign = approved_campaign(cast)
    campaigns.freeze_campaign(maker, campaign.pk)
    campaigns.launch_campaign(maker, campaign.pk)
    delivery.dispatch_once()
    reviews.run_review(maker, campaign.pk)
    task = Task.objects.filter(staff_no="R001", state="open").first()
    assert task is not None
    worked = Task.objects.filter(staff_no="R001", state="open").exclude(pk=task.pk).first()
    assert worked is not None
    follow_up = workbench.record_outcome(cast["wangfang"], worked.pk, key="k", contact="no_answer")
    doubted = Task.objects.filter(staff_no="R001", state="open").exclude(pk__in=[task.pk, worked.pk]).first()
    assert doubted is not None
    entry = feedback.mark_wrong(cast["wangfang"], doubted.pk, "other", key="w", text=HOSTILE)
    told = feedback.send_feedback(cast["wangfang"], "insight", HOSTILE, key="f", campaign=campaign.name, about=HOSTILE)
    hostile = SegmentSpec.model_validate(
        {"name": "hostile", "title": HOSTILE, "where": {"tag": "asset_aum_eod", "op": ">=", "value": 12_000}}
    )
    audiences.submit_segment(maker, audiences.save_segment(maker, hostile).pk)
    playbook = catalog.save_definition(maker, PLAYBOOK)
    sources.save_source(cast["sunli"], SOURCE)
    load = Load.objects.create(
        load_id="a" * 32, source="customers", fingerprint="f", table="customer", started_by="sunli", started_at=NOW, state="loaded",
        n_read=3, n_loaded=2, n_rejected=1, totals={"balance": ["1", "1"]}, reasons={"UNKNOWN_CODE": 1},
    )  # fmt: skip
    export = taken_out(cast, "zhaomin", "members", segment="rich")
    job = Job.objects.get(pk=export.job_id)
    approval = Approval.objects.filter(state="waiting").first()
    assert approval is not None
    search = ClusterSearch(tags=("asset_aum_eod", "demo_age"), most=3)
    discovery = insights.create_discovery(cast["sunli"], search, name="value", title=HOSTILE)
    circle = books.create_circle(cast["wangfang"], "东门市场", note=HOSTILE)
    books.add_to_circle(cast["wangfang"], circle.pk, [customer_id(0), customer_id(2)])
    stock_take = books.open_stock_take(cast["wangfang"], key="k", title=HOSTILE, deadline=NOW.date())
    day = books.plan_visits(cast["wangfang"], key="k", title=HOSTILE, on=NOW.date(), customer_ids=[customer_id(0)])
    view = books.save_view(cast["wangfang"], HOSTILE, "aum_min=1")
    note = insights.add_note(cast["sunli"], "discovery", str(discovery.pk), HOSTILE)
    Person.objects.filter(pk=customer_id(598)).update(rm_no="", bank_rm_no="")
    drawn_up = ownership.draw_assignment(cast["liqiang"], note=HOSTILE)
    pool = PoolSpec(name="retention", title={"zh": HOSTILE}, segment="rich")
    DefinitionVersion.objects.create(
        kind="pool",
        name=pool.name,
        fingerprint=pool.fingerprint(),
        spec=pool,
        state="approved",
        is_current=True,
        created_at=NOW,
    )
    ownership.refresh_pool(system_actor(), pool)
    goal = board.set_targets(maker, "contacts", "2026-07", {"0001": 10}, note=HOSTILE)[0]
    coached = board.write_note(cast["liqiang"], "R001", HOSTILE, key="k")
    values = {
        "assignment_id": drawn_up.pk, "staff_no": "R001", "code": "0001", "target_id": goal.pk, "reassignment_id": 999_999,
        "feedback_id": told.pk, "entry_id": entry.pk, "discovery_id": discovery.pk, "note_id": note.pk,
        "circle_id": circle.pk, "stock_take_id": stock_take.pk, "line_id": stock_take.lines.get(position=1).pk, "plan_id": day.pk,
        "visit_id": day.visits.get().pk, "view_id": view.pk,
        "customer_id": customer_id(0), "task_id": task.pk, "follow_up_id": follow_up.pk, "approval_id": approval.pk,
        "version_id": playbook.pk, "load_id": load.load_id, "job_id": job.pk, "export_id": export.pk, "kind": "template",
        "username": "wangfang", "block": "products",
    }  # fmt: skip
    names = {
        "tag": "asset_aum_eod",
        "segment": "rich",
        "campaign": "fund_july",
        "review": "fund_july",
        "source": "customers",
        "list": "nothing",
        "group": "seg_county",
        "pool": "retention",
    }
    by_route: dict[str, dict[str, Any]] = {section: {"name": name} for section, name in names.items()}
    return Things(
        values,
        by_route
        | {
            "customer": {"name": "advice"},
            "board": {"name": "tasks"},
            "pool": {"name": "retention"},
            "coaching": {"note_id": coached.pk},
            "discovery": {"kind": "clusters"},
            "feedback": {"name": "fund_july"},
        },
    )
