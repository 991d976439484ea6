"""One customer as a whole, masked, in parts that a page loads one after the other (客户全景)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.queries import bank_today, customer_ids, ordinals
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import people_by_id, person_for
from kequn.ops.customers.services import REVEALS_A_DAY, reveals_within_a_day
from kequn.ops.delivery.contracts import BY_HAND, NOTICE
from kequn.ops.delivery.queries import NOT_SENT, touches_of, why_not
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branches_numbered, staff_numbered
from kequn.ops.runtime import now
from kequn.ops.tags.queries import catalogue
from kequn.ops.workbench.briefing import briefs_of
from kequn.ops.workbench.contracts import (
    Advice,
    Contacted,
    Customer360,
    Household,
    Matter,
    Money,
    Past,
    Standing,
    TagValue,
)
from kequn.ops.workbench.customer import (
    CONTACTS_SHOWN,
    contacts_of,
    document_expiry,
    household_of,
    service_of,
    tags_shown,
)
from kequn.ops.workbench.models import FollowUp
from kequn.ops.workbench.money import missing_of, money_of, yuan_of
from kequn.ops.workbench.queries import bank_day, tasks_for
from kequn.ops.workbench.recording import masked_note
from kequn.ops.workbench.steps import Known, advice_of
from kequn.ops.workbench.working import open_matters

SOON = timedelta(days=30)
WITHOUT_WORDS = frozenset({"acct_payroll_corp", "demo_household_id", "txn_mcc_top", "asset_tier_gap_up"})
"""Tags that are mere codes to a banker, and one whose figure stands in words where she stands."""
LEFT = frozenset({"closed", "deceased"})
Tags = Mapping[str, TagValue]
BY_STAFF = {
    BY_HAND: Text(zh="客户经理发送素材", en="Material sent by the RM"),
    NOTICE: Text(zh="换管户告知", en="Notice of a new manager"),
}
Due = Literal["risk_test", "document", "maturing"]


def customer_360(actor: Actor, customer_id: str) -> Customer360:
    """Return the head of one customer's page and why to contact her now; that she looked is recorded.

    Raises:
        NotAllowed: not there, or not in her book or branches; the two look the same.
    """
    person, ordinal = _reached(actor, customer_id)
    specs = catalogue()
    as_of, tags = tags_shown(ordinal, specs)
    page = Customer360(
        person=person,
        as_of=as_of,
        standing=standing_of(tags, as_of, bank_today(), specs),
        tasks=list(tasks_for(actor, customer_id=customer_id, held=False)[:CONTACTS_SHOWN])
        if actor.may("task.view")
        else [],
        reveals=reveals_within_a_day(actor),
        reveals_limit=REVEALS_A_DAY,
    )
    record(actor, "customer.viewed", ("customer", customer_id))
    return page


def money_for(actor: Actor, customer_id: str) -> Money:
    """Return what a customer has, had and moves. Raises as `customer_360`."""
    _person, ordinal = _reached(actor, customer_id)
    return money_of(ordinal, tags_shown(ordinal, catalogue())[1])


def advice_for(actor: Actor, customer_id: str) -> Advice:
    """Return how a customer may be reached now, and the next best steps. Raises as `customer_360`."""
    _person, ordinal = _reached(actor, customer_id)
    if ordinal < 0:
        return Advice((), ())
    specs, today = catalogue(), bank_today()
    as_of, tags = tags_shown(ordinal, specs)
    known = Known(
        ordinal=ordinal,
        tags=tags,
        standing=standing_of(tags, as_of, today, specs),
        missing=missing_of(ordinal, tags),
        has_complaint=any(kind == "complaint" and status == "open" for _on, kind, _t, status in service_of(ordinal)),
        document_on=document_expiry(ordinal),
        today=today,
        now=now(),
    )
    return advice_of(known)


def past_for(actor: Actor, customer_id: str) -> Past:
    """Return every contact of every post, what is open, complaints, household and tags. Raises as `customer_360`."""
    _person, ordinal = _reached(actor, customer_id)
    tags = tags_shown(ordinal, catalogue())[1]
    follow_ups = list(
        FollowUp.objects.filter(customer_id=customer_id, undone_at__isnull=True).select_related("task", "detail")[
            :CONTACTS_SHOWN
        ]
    )
    service = service_of(ordinal) if ordinal >= 0 else []
    complaints = [(on, topic, status) for on, kind, topic, status in service if kind == "complaint"]
    complaints += [(bank_day(f.at), "", "recorded") for f in follow_ups if f.intent == "complaint"]
    by_family: dict[str, tuple[TagValue, ...]] = {}
    for tag in _in_words(tags):
        by_family[tag.family] = (*by_family.get(tag.family, ()), tag)
    return Past(
        contacts=_contacts(customer_id, ordinal, follow_ups),
        matters=tuple(open_matters([customer_id]).get(customer_id, ())),
        ending=_ending(ordinal, tags),
        complaints=tuple(sorted(complaints, reverse=True)),
        household=_household(actor, ordinal),
        tags=by_family,
    )


def _reached(actor: Actor, customer_id: str) -> tuple[MaskedPerson, int]:
    actor.must("customer.view")
    return person_for(actor, customer_id), int(ordinals([customer_id])[0])


# -- where she stands ---------------------------------------------------------------------------------------------------


def standing_of(tags: Tags, as_of: date | None, today: date, specs: Mapping[str, TagSpec]) -> Standing:
    """Return where a customer stands, from her tags of one day; the distance to the next tier is of this month's average."""

    def value(name: str) -> Any:
        return tags[name].value if name in tags else None

    def money(name: str) -> Decimal | None:
        return yuan_of(value(name)) if name in tags else None

    expires = value("risk_c_expire")
    tier, average = tags.get("asset_tier"), value("asset_aum_mavg")
    daily = value("asset_tier_gap_up")
    above = _above(tier, specs) if daily is not None else None
    return Standing(
        tier=tier,
        next_tier=above,
        gap_cny=yuan_of(_lacking(daily, average, as_of)) if above and as_of and average is not None else None,
        daily_cny=money("asset_tier_gap_up"),
        may_fall=bool(value("asset_near_downgrade")),
        stage=tags.get("life_stage"),
        days_in_stage=value("life_days_in_stage"),
        risk=tags.get("risk_c_level"),
        risk_state=_risk_state("risk_c_level" in tags, expires, today),
        risk_expires_on=expires,
        aum_cny=money("asset_aum_eod"),
        change_cny=money("asset_aum_chg_30d"),
        has_left=value("acct_status") in LEFT,
    )


def _above(tier: TagValue | None, specs: Mapping[str, TagSpec]) -> Text | None:
    """Return the name of the tier above, as the bank's ladder names its tiers from the lowest up."""
    names = list(specs["asset_tier"].values) if "asset_tier" in specs else []
    at = names.index(tier.value) + 1 if tier and tier.value in names else len(names)
    return specs["asset_tier"].values[names[at]] if at < len(names) else None


def _lacking(daily: int, average: int, as_of: date) -> int:
    """Return what the month's average so far lacks to the tier that ``daily`` on each day left would reach (fen)."""
    days = monthrange(as_of.year, as_of.month)[1]
    left = days - as_of.day
    floor = round((daily * left + average * as_of.day) / days) if left else daily
    return max(0, floor - average)


def _risk_state(is_tested: bool, expires: date | None, today: date) -> Literal["valid", "soon", "expired", "missing"]:
    if not is_tested or expires is None:
        return "missing"
    if expires < today:
        return "expired"
    return "soon" if expires <= today + SOON else "valid"


# -- what was and is between them ---------------------------------------------------------------------------------------


def _contacts(customer_id: str, ordinal: int, follow_ups: list[FollowUp]) -> tuple[Contacted, ...]:
    """Return one line of what RMs recorded, what kequn sent and what the bank's systems report."""
    loaded = contacts_of(ordinal) if ordinal >= 0 else ()
    touches = [t for t in touches_of(customer_id)[:CONTACTS_SHOWN] if t.channel != "rm_task"]
    staff_nos = {f.staff_no for f in follow_ups} | {c.staff_no for c in loaded} | {sender_of(t) for t in touches}
    staff = {u.staff_no: u for u in staff_numbered(staff_nos)}
    found = [_recorded(f, staff.get(f.staff_no)) for f in follow_ups]
    briefs = briefs_of({t.sending.campaign for t in touches} | {c.campaign for c in loaded})
    titles = {name: Text(zh=b.title_zh, en=b.title_en) for name, b in briefs.items()} | BY_STAFF
    found += [_sent(t, staff.get(sender_of(t)), titles) for t in touches]
    for c in loaded:
        who = staff[c.staff_no].display_name if c.staff_no in staff else c.staff_no
        what, note = titles.get(c.campaign) or Text(zh=c.campaign or "–"), masked_note(c.note)[0]
        found.append(Contacted(c.on, None, c.channel, c.post, who, what, c.outcome, "reported", note))
    found.sort(key=lambda c: (c.on, c.at is not None, c.at.timestamp() if c.at else 0.0), reverse=True)
    return tuple(found[:CONTACTS_SHOWN])


def sender_of(touch: Any) -> str:
    """Return the staff number of who sent a touch by hand; empty for a campaign's."""
    return touch.sending.ref.split(":")[1] if touch.sending.campaign in (BY_HAND, NOTICE) else ""


def _sent(touch: Any, by: Any, titles: Mapping[str, Text]) -> Contacted:
    moment = touch.at or touch.created_at
    what = titles.get(touch.sending.campaign) or Text(zh=touch.sending.campaign or "–")
    post, who = (by.role, by.display_name) if by else ("", "")
    why = why_not(touch.reason) if touch.state in NOT_SENT else None
    return Contacted(bank_day(moment), moment, touch.channel, post, who, what, touch.state, "state", why=why)


def _recorded(f: FollowUp, by: Any) -> Contacted:
    task, detail = f.task, getattr(f, "detail", None)
    return Contacted(
        on=bank_day(f.at), at=f.at, channel=detail.channel if detail else task.channel,
        post=detail.post if detail else by.role if by else "", who=by.display_name if by else f.staff_no,
        what=Text(zh=task.title_zh, en=task.title_en), result=f.intent or f.contact,
        vocabulary="intent" if f.intent else "contact", note=f.note, amount_cny=f.amount_cny, next_at=f.next_at,
        task_id=task.pk,
    )  # fmt: skip


def _in_words(tags: Tags) -> list[TagValue]:
    """Return the tags that say something to a banker: staff and branches by name, nothing that is a mere code."""
    rm, branch = tags.get("acct_rm_id"), tags.get("acct_branch")
    by_tag = {
        "acct_rm_id": {u.staff_no: u.display_name for u in staff_numbered([rm.value])} if rm else {},
        "acct_branch": branches_numbered([branch.value]) if branch else {},
    }
    told = []
    for name, tag in tags.items():
        if name in WITHOUT_WORDS:
            continue
        called = by_tag[name].get(tag.value) if name in by_tag else None  # another tag's value may be a list
        told.append(replace(tag, shown_zh=called, shown_en=called) if called else tag)
    return told


def _ending(ordinal: int, tags: Tags) -> tuple[Matter, ...]:
    """Return what of hers ends soon, or has ended and was not renewed."""
    found, today = list[Matter](), bank_today()
    dated: tuple[tuple[Due, date | None], ...]
    expires = tags["risk_c_expire"].value if "risk_c_expire" in tags else None
    document = document_expiry(ordinal) if ordinal >= 0 else None
    matures = tags["asset_maturity_next"].value if "asset_maturity_next" in tags else None
    dated = (("risk_test", expires), ("document", document), ("maturing", matures))
    for due, day in dated:
        if day and day <= today + SOON and (due != "maturing" or day >= today):
            found.append(Matter(due, day))
    return tuple(sorted(found, key=lambda m: m.on))


def _household(actor: Actor, ordinal: int) -> Household | None:
    """Of the others only those within the actor's reach: whom she does not reach she does not count either."""
    together = household_of(ordinal) if ordinal >= 0 else None
    if together is None:
        return None
    others = np.array([o for o in together if o != ordinal], dtype=np.uint32)
    return Household(tuple(people_by_id(actor, customer_ids(others)).values()))
