"""A bank of 600 customers with consents, persons and tags, approved definitions and a campaign on them.

Two branches: even ordinals belong to 0001 (王芳's book), odd ones to 0002 (陈静's). Every fifth customer never consented to
SMS; the first ten of each hundred may not be offered funds (risk level 1).
"""

from __future__ import annotations

import shutil
import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from kequn.core.spec.campaign import CampaignSpec, Cap, ContactPolicySpec, Holdout, Play
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec, TemplateSpec
from kequn.core.spec.segment import SegmentSpec
from kequn.core.tags import catalogue
from kequn.ops import runtime
from kequn.ops.audiences import services as audiences
from kequn.ops.audiences.models import Export
from kequn.ops.board import services as board
from kequn.ops.board.models import DeskExport
from kequn.ops.campaigns import services as campaigns
from kequn.ops.campaigns.models import Campaign
from kequn.ops.catalog import services as catalog
from kequn.ops.customers.services import store_people
from kequn.ops.governance import services as governance
from kequn.ops.governance.models import Approval
from kequn.ops.orgs.actor import Actor, system_actor
from tests.core.small_bank import SmallBank
from tests.ops.remembering import remembered

Cast = dict[str, Actor]
AS_OF = date(2026, 6, 30)
N = 600
TAGS = ("asset_aum_eod", "demo_age", "acct_branch", "demo_gender")


def customer_id(ordinal: int) -> str:
    return uuid.UUID(int=ordinal + 1).hex


def build(root: Path) -> None:
    bank = SmallBank(root)
    for i in range(N):
        bank.customer(
            birth_on=date(1985, 3, 1), gender="M" if i % 3 else "F", branch_code="0001" if i % 2 == 0 else "0002",
            rm_no="R001" if i % 2 == 0 else "R002", risk_level=1 if i % 100 < 10 else 3, risk_expires_on=date(2027, 1, 1),
            is_deceased=False, is_staff=False, is_suppressed=False, is_vulnerable=False, personalisation_off=False,
        )  # fmt: skip
        bank.hold(i, AS_OF, "demand", 1_000_000 + i * 10_000)
        for channel in ("sms", "call"):
            if channel == "call" or i % 5:
                bank.add("consent", i, purpose="marketing", channel=channel, granted=True, given_on=date(2025, 1, 1))
        if i % 7 == 0:
            bank.add("event", i, event_no=i, happened_on=date(2026, 6, 10), kind="fund_page")
    bank.refresh(catalogue(), AS_OF, only=TAGS)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the store once."""
    root = tmp_path_factory.mktemp("bank")
    build(root)
    return root / "store"


@pytest.fixture
@remembered
def people(db: None, bank_runtime: runtime.Runtime) -> None:
    """Store a person for each customer: everybody has a phone."""
    del db, bank_runtime
    make_people()


def make_people() -> None:
    """Store a person for each customer: everybody has a phone."""
    store_people(system_actor(), [person(i) for i in range(N)], load_id="test")


def person(i: int) -> dict[str, str | None]:
    """Return a customer as the bank's table has her; every other one is of each branch."""
    return {
        "customer_id": customer_id(i), "customer_no": f"C{i:07}", "branch_code": "0001" if i % 2 == 0 else "0002",
        "rm_no": "R001" if i % 2 == 0 else "R002", "name": f"张{i}", "phone": f"1390000{i:04}",
    }  # fmt: skip


@pytest.fixture
def bank(built: Path, bank_runtime: runtime.Runtime, people: None) -> runtime.Runtime:
    """Put a copy of the store and the persons into the runtime."""
    shutil.copytree(built, bank_runtime.store.root, dirs_exist_ok=True)
    return bank_runtime


RICH = SegmentSpec(name="rich", title="资产较高", where={"tag": "asset_aum_eod", "op": ">=", "value": 11_000})
WOMEN = SegmentSpec(name="women", title="女性", where={"tag": "demo_gender", "value": "F"})
POLICY = ContactPolicySpec(
    name="house", title="触达策略", caps=(Cap(days=30, times=4), Cap(channel="sms", days=7, times=2))
)
OFFER = OfferSpec(name="fund_offer", title="稳健基金", product="FD201", unit_cost_cny=Decimal(5))
SMS = TemplateSpec(
    name="fund_sms", title="基金短信", channel="sms", body="【客群银行】{{ family_name }}先生/女士,{{ product_name }}投资有风险。",
    opt_out="拒收请回复R",
)  # fmt: skip
TALK = TalkTrackSpec(
    name="fund_talk", title="基金话术", opening="您好,我是客群银行客户经理", fact="您的活期余额较多", value="可了解稳健型基金",
    disclosure="基金有风险,投资须谨慎", close="您看方便约个时间吗",
)  # fmt: skip
GOAL = MetricSpec(
    name="fund_interest", title="浏览基金", measure="rate", table="event",
    where=({"column": "kind", "value": "fund_page"},), value_cny=Decimal(50),
)  # fmt: skip
GUARD = MetricSpec(
    name="complaints", title="投诉", measure="rate", table="service", where=({"column": "kind", "value": "complaint"},),
    higher_is_better=False,
)  # fmt: skip
CAMPAIGN = CampaignSpec(
    name="fund_july", title={"zh": "七月基金", "en": "Funds in July"}, segment="rich", offer="fund_offer",
    plays=(
        Play(channel="sms", template="fund_sms", unit_cost_cny=Decimal("0.05")),
        Play(channel="rm_task", talk_track="fund_talk", unit_cost_cny=Decimal(30)),
    ),
    holdout=Holdout(rate=0.2, salt="fund_july", strata=("demo_gender",)),
    goal="fund_interest", guardrails=("complaints",), window_days=30, budget_cny=Decimal(50_000),
    start_on=date(2026, 7, 1), end_on=date(2026, 7, 31),
)  # fmt: skip


def approve(cast: Cast, name: str) -> None:
    """Decide all that waits under a name."""
    for approval in Approval.objects.filter(name=name, state="waiting"):
        governance.decide(cast["zhoulv"], approval.pk, approve=True)


def approved_definitions(cast: Cast) -> None:
    """Save, submit and approve all that the campaign refers to."""
    for segment in (RICH, WOMEN):
        version = audiences.save_segment(cast["zhaomin"], segment)
        audiences.submit_segment(cast["zhaomin"], version.pk)
        approve(cast, segment.name)
    for spec in (POLICY, OFFER, SMS, TALK, GOAL, GUARD):
        row = catalog.save_definition(cast["zhaomin"], spec)
        catalog.submit_definition(cast["zhaomin"], row.pk)
        approve(cast, spec.name)


@pytest.fixture
@remembered
def definitions(bank: runtime.Runtime, cast: Cast) -> None:
    """Have everything approved."""
    approved_definitions(cast)


def taken_out(cast: Cast, who: str, what: str, *, purpose: str = "核对", **params: str) -> Export:
    """Ask for a list as a file; where it needs a second person's word, 周律 gives it. The worker has still to write it."""
    row = board.request_desk_export(
        cast[who], what, key=f"k{DeskExport.objects.count()}", purpose=purpose, params=params
    )
    if row.state == "waiting":
        approve(cast, str(row.pk))
        row.refresh_from_db()
    return Export.objects.get(pk=row.export_id)


def approved_campaign(cast: Cast, spec: CampaignSpec = CAMPAIGN, *, reason: str = "") -> Campaign:
    """Return a campaign that another person approved."""
    campaign = campaigns.save_campaign(cast["zhaomin"], spec)
    campaigns.submit_campaign(cast["zhaomin"], campaign.pk, reason=reason)
    approve(cast, spec.name)
    campaign.refresh_from_db()
    return campaign
