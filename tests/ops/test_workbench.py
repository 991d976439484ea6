"""An RM's day: her tasks, what she records, and what follows from it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kequn.channels.base import Accepted, Message
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.ops import runtime
from kequn.ops.campaigns import services as campaigns
from kequn.ops.customers.models import Person
from kequn.ops.delivery import services as delivery
from kequn.ops.delivery.models import Contact, Outcome, Ready, Touch
from kequn.ops.governance.models import AuditEntry, ConsentEntry, Suppression
from kequn.ops.governance.services import record_consent, suppress
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import User
from kequn.ops.ownership.models import RemoteCase
from kequn.ops.ownership.queries import capacity_until
from kequn.ops.workbench import portrait, queries, recording, services
from kequn.ops.workbench.contracts import TagValue
from kequn.ops.workbench.models import FollowUp, Task
from tests.ops.bank import Cast, approved_campaign, customer_id
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db


@pytest.fixture
@remembered
def tasks(definitions: None, cast: Cast) -> Cast:
    """Launch the campaign and hand its RM tasks over."""
    campaign = approved_campaign(cast)
    campaigns.freeze_campaign(cast["zhaomin"], campaign.pk)
    campaigns.launch_campaign(cast["zhaomin"], campaign.pk)
    delivery.dispatch_once()
    return cast


def first(cast: Cast, name: str = "wangfang") -> Task:
    found = queries.tasks_for(cast[name]).first()
    assert found is not None
    return found


def outcome(cast: Cast, task: Task, key: str = "k1", **fields: object) -> FollowUp:
    return services.record_outcome(cast["wangfang"], task.pk, key=key, **{"contact": "connected", **fields})


def test_a_launched_campaign_puts_tasks_before_the_rm_of_each_customer(tasks: Cast) -> None:
    assert Task.objects.count() == Touch.objects.filter(channel="rm_task").count() == Outcome.objects.count() > 0
    mine = list(queries.tasks_for(tasks["wangfang"]))
    assert mine
    assert {t.staff_no for t in mine} == {"R001"}
    assert mine[0].title_zh == "七月基金"
    assert mine[0].title_en == "Funds in July"
    assert "资产较高" in mine[0].why_zh
    assert "时点 AUM" in mine[0].why_zh
    assert "Assets under management" in mine[0].why_en
    assert queries.talk_track_of(mine[0]) is not None
    assert queries.offer_of(mine[0]) is not None


def test_the_rm_of_another_branch_sees_nothing_of_this_one(tasks: Cast) -> None:
    task = first(tasks)
    assert not queries.tasks_for(tasks["chenjing"], state=None).filter(staff_no="R001").exists()
    with pytest.raises(NotAllowed):
        queries.task_for(tasks["chenjing"], task.pk)
    with pytest.raises(NotAllowed):
        services.record_outcome(tasks["chenjing"], task.pk, key="k", contact="no_answer")
    with pytest.raises(NotAllowed):
        services.customer_360(tasks["chenjing"], task.customer_id)
    with pytest.raises(NotAllowed):
        services.start_contact(tasks["chenjing"], task.customer_id, key="k", why="回访")


def test_a_branch_head_sees_her_branch_and_hands_tasks_over(tasks: Cast) -> None:
    assert {t.branch_code for t in queries.tasks_for(tasks["liqiang"])} == {"0001"}
    with pytest.raises(NotAllowed):
        services.assign_task(tasks["liqiang"], first(tasks).pk, staff_no="R002")
    assert services.assign_task(tasks["liqiang"], first(tasks).pk, staff_no="R001").staff_no == "R001"


def test_an_outcome_is_recorded_once_and_closes_the_task(tasks: Cast) -> None:
    task = first(tasks)
    one = outcome(tasks, task, intent="deal", amount_cny=Decimal(50_000))
    assert outcome(tasks, task, intent="deal", amount_cny=Decimal(50_000)) == one
    task.refresh_from_db()
    assert task.state == "done"
    assert FollowUp.objects.count() == 1
    with pytest.raises(Conflict):
        outcome(tasks, task, key="k2", intent="not_interested")


def test_a_task_stays_open_while_nobody_answers_or_there_is_a_next_time(tasks: Cast) -> None:
    task = first(tasks)
    outcome(tasks, task, contact="no_answer")
    later = NOW + timedelta(days=2)
    outcome(tasks, task, key="k2", intent="appointment", next_at=later)
    task.refresh_from_db()
    assert (task.state, task.attempts, task.due_at) == ("open", 2, later)


@pytest.mark.parametrize(
    "fields",
    [
        {"contact": "waved"},
        {"intent": ""},
        {"contact": "no_answer", "intent": "deal"},
        {"intent": "deal"},
        {"intent": "deal", "amount_cny": Decimal(0)},
        {"intent": "appointment"},
        {"intent": "appointment", "next_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"intent": "appointment", "next_at": NOW + timedelta(days=367)},
        {"intent": "appointment", "next_at": datetime(9999, 12, 31, tzinfo=UTC)},
        {"contact": "no_answer", "note": "长" * 501},
    ],
)
def test_an_outcome_that_says_nothing_is_refused(tasks: Cast, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidSpec):
        outcome(tasks, first(tasks), **fields)
    assert FollowUp.objects.count() == 0


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("1e9", "not an amount"),
        ("一万", "not an amount"),
        ("1,5", "not an amount"),
        ("NaN", "not an amount"),
        (Decimal("Infinity"), "not an amount"),
        ("0.005", "two decimals"),
        (Decimal("12.345"), "two decimals"),
        ("-5", "above 0"),
        ("0", "above 0"),
        ("99999999999999999999", "at most 10,000,000,000"),
        (Decimal("10000000000.01"), "at most 10,000,000,000"),
    ],
)
def test_an_amount_is_written_in_digits_and_within_bounds(tasks: Cast, amount: str | Decimal, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as fault:
        outcome(tasks, first(tasks), intent="deal", amount_cny=amount)
    assert fault.value.where.field == "amount_cny"


@pytest.mark.parametrize("amount", ["12,000.50", "１２０００.5", " 12000.50 ", Decimal("12000.500")])
def test_an_amount_is_kept_as_written_and_a_year_ahead_is_not_too_far(tasks: Cast, amount: str | Decimal) -> None:
    kept = outcome(tasks, first(tasks), intent="deal", amount_cny=amount, next_at=NOW + timedelta(days=366))
    kept.refresh_from_db()
    assert kept.amount_cny == Decimal("12000.50")


def test_an_outcome_can_be_taken_back_for_ten_seconds(tasks: Cast, bank_runtime: runtime.Runtime) -> None:
    task = first(tasks)
    one = outcome(tasks, task, intent="not_interested")
    assert services.undo_outcome(tasks["wangfang"], one.pk).state == "open"
    assert not queries.follow_ups_for(tasks["wangfang"]).exists()
    two = outcome(tasks, task, key="k2", intent="not_interested")
    bank_runtime.clock = lambda: NOW + timedelta(seconds=11)
    with pytest.raises(Conflict, match="too late"):
        services.undo_outcome(tasks["wangfang"], two.pk)


def test_a_call_that_was_taken_back_counts_against_no_cap(definitions: None, cast: Cast) -> None:
    task = services.start_contact(cast["wangfang"], customer_id(12), key="k", why="回访")
    before = Contact.objects.filter(customer_id=customer_id(12)).count()
    one = outcome(cast, task, intent="interested", next_at=NOW + timedelta(days=1))
    assert Contact.objects.filter(customer_id=customer_id(12)).count() == before + 1
    services.undo_outcome(cast["wangfang"], one.pk)
    assert Contact.objects.filter(customer_id=customer_id(12)).count() == before


def test_a_refusal_withdraws_consent_everywhere_and_stops_what_is_queued(tasks: Cast) -> None:
    task = first(tasks)
    delivery.create_touches(
        tasks["zhaomin"],
        "another-wave",
        [
            delivery.NewTouch(
                customer_id=task.customer_id, channel="sms", campaign="another", template="t", body="text",
                expires_at=NOW + timedelta(days=1),
            )
        ],
    )  # fmt: skip
    one = outcome(tasks, task, intent="opt_out")
    assert not Ready.objects.filter(touch__customer_id=task.customer_id).exists()
    words = ConsentEntry.objects.filter(customer_id=task.customer_id)
    assert {w.granted for w in words} == {False}
    assert {w.channel for w in words} >= {"sms", "email", "app_push", "wecom", "call", "rm_task"}
    with pytest.raises(Conflict, match="at once"):
        services.undo_outcome(tasks["wangfang"], one.pk)
    channels = services.advice_for(tasks["wangfang"], task.customer_id).channels
    assert not any(c.is_allowed for c in channels)
    assert all("OPTED_OUT" in c.codes for c in channels)


def test_a_complaint_stops_marketing_for_the_cooling_off(tasks: Cast) -> None:
    task = first(tasks)
    outcome(tasks, task, intent="complaint")
    row = Suppression.objects.get(customer_id=task.customer_id)
    assert (row.reason, row.until) == ("complaint", NOW + timedelta(days=90))
    codes = {code for c in services.advice_for(tasks["wangfang"], task.customer_id).channels for code in c.codes}
    assert {"SUPPRESSED", "COMPLAINT"} <= codes


def test_a_contact_of_ones_own_passes_the_gate_or_says_every_reason(tasks: Cast) -> None:
    mine = customer_id(12)
    task = services.start_contact(tasks["wangfang"], mine, key="a", why="到期提醒 13912345678", offer="fund_offer")
    assert task.kind == "contact"
    assert "13912345678" not in task.why_zh
    assert services.start_contact(tasks["wangfang"], mine, key="a", why="again").pk == task.pk
    with pytest.raises(services.Blocked) as blocked:
        services.start_contact(tasks["wangfang"], customer_id(100), key="b", why="推荐", offer="fund_offer")
    assert blocked.value.facts["codes"] == "UNSUITABLE"


def test_nobody_is_called_at_night(tasks: Cast, bank_runtime: runtime.Runtime) -> None:
    bank_runtime.clock = lambda: NOW + timedelta(hours=12)
    with pytest.raises(services.Blocked, match=r"Quiet hours\. Wait until 07-02 08:00"):
        services.start_contact(tasks["wangfang"], customer_id(12), key="a", why="回访")


def test_a_contact_made_counts_against_the_caps(tasks: Cast) -> None:
    task = services.start_contact(tasks["wangfang"], customer_id(12), key="a", why="回访")
    before = Contact.objects.filter(customer_id=task.customer_id).count()
    outcome(tasks, task, intent="not_interested")
    assert Contact.objects.filter(customer_id=task.customer_id).count() == before + 1


@pytest.mark.parametrize("intent", ["opt_out", "complaint"])
def test_a_refusal_said_at_night_without_a_task_is_kept_and_stops_what_is_queued(
    tasks: Cast, bank_runtime: runtime.Runtime, intent: str
) -> None:
    mine = Person.objects.filter(rm_no="R001").exclude(pk__in=Task.objects.values("customer_id"))
    who = mine.values_list("pk", flat=True)[0]
    bank_runtime.clock = lambda: NOW + timedelta(hours=12)
    with pytest.raises(services.Blocked):
        services.start_contact(tasks["wangfang"], who, key="a", why="回访", channel="wecom")
    said = {"key": "b", "channel": "wecom", "contact": "connected", "intent": intent}
    touch = delivery.NewTouch(
        customer_id=who,
        channel="sms",
        campaign="another",
        template="t",
        body="text",
        expires_at=NOW + timedelta(days=2),
    )
    delivery.create_touches(tasks["zhaomin"], "another-wave", [touch])
    assert Ready.objects.filter(touch__customer_id=who).exists()
    made = services.record_without_task(tasks["wangfang"], who, **said)
    assert not Ready.objects.filter(touch__customer_id=who).exists()
    assert services.record_without_task(tasks["wangfang"], who, **said).pk == made.pk
    assert (made.detail.channel, Task.objects.get(customer_id=who).state) == ("wecom", "done")


def test_a_contact_without_a_task_is_hers_to_record_and_leaves_nothing_where_it_says_nothing(tasks: Cast) -> None:
    before = Task.objects.count()
    with pytest.raises(InvalidSpec, match="amount"):
        services.record_without_task(
            tasks["wangfang"], customer_id(12), key="a", contact="connected", intent="deal", channel="visit"
        )
    with pytest.raises(NotAllowed):
        services.record_without_task(tasks["chenjing"], customer_id(12), key="a", contact="no_answer")
    with pytest.raises(InvalidSpec, match="by call"):
        services.record_without_task(tasks["wangfang"], customer_id(12), key="a", contact="no_answer", channel="sms")
    assert Task.objects.count() == before
    services.record_without_task(tasks["wangfang"], customer_id(12), key="a", contact="no_answer")
    with pytest.raises(Conflict, match="recorded before"):
        services.record_without_task(tasks["wangfang"], customer_id(14), key="a", contact="no_answer")


@pytest.mark.parametrize(
    ("kind", "purpose"), [("churn", "marketing"), ("maturing", "maturity_notice"), ("risk_expiry", "service")]
)
def test_a_call_on_an_occasion_counts_with_its_purpose_until_it_is_taken_back(
    definitions: None, cast: Cast, kind: str, purpose: str
) -> None:
    task = made(kind)
    one = outcome(cast, task, intent="considering", next_at=NOW + timedelta(days=1))
    rows = Contact.objects.filter(customer_id=task.customer_id)
    assert [(c.channel, c.purpose, c.on) for c in rows] == [("call", purpose, date(2026, 7, 1))]
    services.undo_outcome(cast["wangfang"], one.pk)
    assert not rows.all().exists()
    outcome(cast, task, key="k2", contact="no_answer")
    assert not rows.all().exists()


def test_each_contact_counts_and_one_that_was_agreed_on_is_a_service(definitions: None, cast: Cast) -> None:
    task = made("churn")
    outcome(cast, task, intent="considering", next_at=NOW + timedelta(days=1))
    second = outcome(cast, task, key="k2", intent="considering", next_at=NOW + timedelta(days=2))
    purposes = Contact.objects.filter(customer_id=task.customer_id).order_by("pk").values_list("purpose", flat=True)
    assert list(purposes) == ["marketing", "service"]
    services.undo_outcome(cast["wangfang"], second.pk)
    assert list(purposes.all()) == ["marketing"]


def test_of_a_list_sent_down_the_first_contact_was_counted_when_it_was_sent(tasks: Cast) -> None:
    task = first(tasks)
    before = Contact.objects.filter(customer_id=task.customer_id).count()
    outcome(tasks, task, intent="considering", next_at=NOW + timedelta(days=1))
    assert Contact.objects.filter(customer_id=task.customer_id).count() == before
    outcome(tasks, task, key="k2", intent="not_interested")
    assert Contact.objects.filter(customer_id=task.customer_id).count() == before + 1


def test_a_list_in_one_piece_fills_each_manager_to_her_room_and_asks_little(definitions: None, cast: Cast) -> None:
    User.objects.filter(staff_no="R002").update(role="remote_agent")
    User.objects.filter(staff_no="R001").update(capacity=2)
    ids = [customer_id(n) for n in range(0, 40, 2)]
    messages = [
        Message(
            key=f"{n:032}",
            channel="rm_task",
            to=c,
            body="为什么\n—\nwhy",
            customer_ref=c,
            campaign="c",
            offer="fund_offer",
        )
        for n, c in enumerate(ids)
    ]
    with CaptureQueriesContext(connection) as asked:
        answers = services.RmTaskTransport().send_batch(messages)
    assert all(isinstance(a, Accepted) for a in answers)
    hers = Task.objects.filter(staff_no="R001").count()
    assert 0 < hers == capacity_until("R001", NOW.date(), (NOW + timedelta(days=7)).date()) < len(ids)
    over = RemoteCase.objects.filter(reason="over_capacity").values_list("customer_id", flat=True)
    assert set(over) == set(Task.objects.filter(staff_no="").values_list("customer_id", flat=True))
    assert len(over) == len(ids) - hers
    assert len(asked) < 12 * len(ids)
    again = services.RmTaskTransport().send_batch(messages[:5])
    assert again == answers[:5]


def made(kind: str) -> Task:
    """A task of 王芳's that the morning would have made."""
    return Task.objects.create(
        key=kind, customer_id=customer_id(12), staff_no="R001", branch_code="0001", kind=kind, title_zh="时机",
        due_at=NOW + timedelta(hours=3), created_at=NOW,
    )  # fmt: skip


def test_an_open_opportunity_keeps_other_campaigns_away_but_not_the_rm(tasks: Cast) -> None:
    task = first(tasks)
    outcome(tasks, task, intent="interested")
    channels = services.advice_for(tasks["wangfang"], task.customer_id).channels
    assert all("IN_PROGRESS" in c.codes for c in channels)
    assert services.start_contact(tasks["wangfang"], task.customer_id, key="again", why="约面谈").kind == "contact"


def test_the_customers_page_is_masked_and_the_look_is_recorded(tasks: Cast) -> None:
    page = services.customer_360(tasks["wangfang"], customer_id(12))
    assert page.person.name.startswith("张*")
    assert page.person.phone == "139****0012"
    assert page.standing.aum_cny == Decimal("11200.00")
    assert services.money_for(tasks["wangfang"], customer_id(12)).positions[0].balance_cny == Decimal("11200.00")
    tags = services.past_for(tasks["wangfang"], customer_id(12)).tags
    assert [(t.tag, t.shown_zh) for t in tags["asset"]] == [("asset_aum_eod", "11,200 元")]
    assert [(t.tag, t.shown_zh, t.shown_en) for t in tags["acct"]] == [("acct_branch", "网点0001", "网点0001")]
    assert AuditEntry.objects.filter(act="customer.viewed", object_id=customer_id(12)).count() == 1


def test_of_her_tags_staff_is_named_and_mere_codes_are_left_out(tasks: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        name: TagValue(name, "acct", name, name, value, str(value), str(value))
        for name, value in (
            ("acct_rm_id", "R001"), ("acct_payroll_corp", "9f3c"), ("txn_mcc_top", "5399"), ("acct_kinds", ["fund"]),
        )
    }  # fmt: skip
    monkeypatch.setattr(portrait, "tags_shown", lambda *_asked: (NOW.date(), told))
    tags = services.past_for(tasks["wangfang"], customer_id(12)).tags
    assert [(t.tag, t.shown_zh) for each in tags.values() for t in each] == [
        ("acct_rm_id", "王芳"), ("acct_kinds", "['fund']"),
    ]  # fmt: skip


def test_tasks_that_are_not_done_in_time_expire(tasks: Cast, bank_runtime: runtime.Runtime) -> None:
    n = Task.objects.filter(state="open").count()
    bank_runtime.clock = lambda: NOW + timedelta(days=8)
    assert services.expire_tasks(system_actor()) == n


def test_tasks_are_found_by_when_they_are_due(tasks: Cast, bank_runtime: runtime.Runtime) -> None:
    counts = queries.task_counts(tasks["wangfang"])
    assert counts["today"] == counts["overdue"] == 0
    assert counts["open"] == queries.tasks_for(tasks["wangfang"], due="later").count()
    bank_runtime.clock = lambda: NOW + timedelta(days=8)
    assert queries.task_counts(tasks["wangfang"])["overdue"] == counts["open"]


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("电话13912345678", "电话***"),
        ("电话139-1234-5678", "电话***"),
        ("卡号 6222 0212 3456 7890 123", "卡号 ***"),
        ("2026-07-15 10:30 到店,约 50000 元", "2026-07-15 10:30 到店,约 50000 元"),
    ],
)
def test_numbers_that_could_be_somebodys_do_not_stand_in_notes(note: str, kept: str) -> None:
    assert recording.masked_note(note) == (kept, kept != note)


@pytest.mark.parametrize(("channel", "left"), [("call", 0), ("rm_task", 0), ("sms", 1)])
def test_a_refusal_taken_elsewhere_closes_the_tasks_it_concerns(
    definitions: None, cast: Cast, channel: str, left: int
) -> None:
    services.start_contact(cast["wangfang"], customer_id(12), key="k", why="到期")
    record_consent(cast["zhoulv"], customer_id(12), channel=channel, granted=False, source="branch")
    assert queries.tasks_for(cast["wangfang"], customer_id=customer_id(12)).count() == left


def test_a_suppression_closes_all_tasks_of_the_customer_and_no_others(definitions: None, cast: Cast) -> None:
    for i in (12, 14):
        services.start_contact(cast["wangfang"], customer_id(i), key=f"k{i}", why="到期")
    suppress(cast["zhoulv"], customer_id(12), reason="request")
    assert [t.customer_id for t in queries.tasks_for(cast["wangfang"])] == [customer_id(14)]


def test_before_eight_in_the_morning_it_is_the_banks_day_already(
    definitions: None, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    wangfang = cast["wangfang"]
    promised, complained = (services.start_contact(wangfang, customer_id(i), key=f"k{i}", why="回访") for i in (12, 14))
    early = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)  # half past seven of 2 July at the bank
    bank_runtime.clock = lambda: early
    outcome(cast, promised, key="a", intent="considering", next_at=early + timedelta(days=2))
    outcome(cast, complained, key="b", intent="complaint")
    past = services.past_for(wangfang, customer_id(12))
    assert [(m.kind, m.on) for m in past.matters if m.kind == "promise"] == [("promise", date(2026, 7, 4))]
    assert past.contacts[0].on == date(2026, 7, 2)
    assert services.past_for(wangfang, customer_id(14)).complaints[0][0] == date(2026, 7, 2)
    complaints, _worked = queries.said_to_rms([customer_id(14)], early)
    assert complaints == [(customer_id(14), date(2026, 7, 2), False)]


def test_a_campaigns_message_stands_in_the_line_under_its_title(tasks: Cast) -> None:
    hers = Person.objects.filter(rm_no="R001").values("pk")
    touch = Touch.objects.filter(channel="sms", customer_id__in=hers).earliest("pk")
    said = [c.what for c in services.past_for(tasks["wangfang"], touch.customer_id).contacts if c.channel == "sms"]
    assert [(w.zh, w.en) for w in said] == [("七月基金", "Funds in July")]


def test_what_a_colleague_noted_stands_in_the_line_of_whoever_has_the_customer_now(
    definitions: None, cast: Cast
) -> None:
    task = services.start_contact(cast["wangfang"], customer_id(12), key="k", why="回访")
    outcome(cast, task, intent="considering", next_at=NOW + timedelta(days=2), note="想等利率")
    Person.objects.filter(pk=customer_id(12)).update(rm_no="R002", branch_code="0002")
    past = services.past_for(cast["chenjing"], customer_id(12))
    line = past.contacts[0]
    assert (line.who, line.post, line.result, line.note) == ("王芳", "rm", "considering", "想等利率")
    assert [m.kind for m in past.matters] == ["promise"]
    with pytest.raises(NotAllowed):
        services.past_for(cast["wangfang"], customer_id(14 + 1))
