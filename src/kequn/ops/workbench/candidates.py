"""What may stand in the day's list: occasions that were found, and the tasks that are open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kequn.core.desk import Found, balances_by_family, words_for
from kequn.core.spec.base import Text
from kequn.core.spec.desk import DeskPolicySpec
from kequn.core.spec.offer import OfferSpec
from kequn.ops.audiences.queries import customer_ids, ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.catalog.contracts import Product
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import branches_of, owners_of
from kequn.ops.runtime import engine
from kequn.ops.workbench import states
from kequn.ops.workbench.models import FollowUp, Task

AT_ONCE = 5_000
"""Keys a statement."""


@dataclass(slots=True)
class Candidate:
    """One row of the plan: a task that is open, or an occasion that may become one."""

    key: str
    kind: str
    customer_id: str
    ordinal: int
    priority: int
    value: int
    """Fen."""
    due: date
    pk: int | None = None
    staff_no: str = ""
    moved_from: str = ""
    branch: str = ""
    owner: str = ""
    worker: str = ""
    is_remote: bool = False
    campaign: str = ""
    offer: str = ""
    talk_track: str = ""
    """Fingerprint."""
    due_at: datetime | None = None
    expires_at: datetime | None = None
    promised_on: date | None = None
    planned_for: date | None = None
    waits_since: date | None = None
    is_main: bool = False
    is_held: bool = False
    score: int = 0
    channel: str = "call"
    blocked: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, str, str, str, str, str] = ("", "", "", "", "", "")
    """Title, why and what may be said, each Chinese and English; of a new one."""
    before: tuple[Any, ...] = ()
    """What of an open task the plan may change, as it was read."""

    def state(self) -> tuple[Any, ...]:
        """Return what of a task the plan may change."""
        return (
            self.worker, self.moved_from, self.score, self.planned_for, self.waits_since, self.is_main, self.is_held,
            self.blocked, self.channel,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offered:
    """What a kind of occasion offers, as far as it is in use."""

    name: str = ""
    spec: OfferSpec | None = None
    product: Product | None = None
    talk_track: str = ""


def offered(policy: DeskPolicySpec, kinds: Iterable[str]) -> dict[str, Offered]:
    """Return by kind what is offered; an offer or talk track that is not approved is not offered."""
    products = catalog.products()
    found = {}
    for kind in kinds:
        rule = policy.of(kind)
        offer = catalog.current("offer", rule.offer) if rule.offer else None
        talk = catalog.current("talk_track", rule.talk_track) if rule.talk_track else None
        found[kind] = Offered(
            offer.name if offer else "", offer.spec if offer else None,
            products.get(offer.spec.product) if offer else None, talk.fingerprint if talk else "",
        )  # fmt: skip
    return found


def from_found(found: Mapping[str, Found], policy: DeskPolicySpec, *, as_of: date, zone: ZoneInfo) -> list[Candidate]:
    """Return the occasions that are no tasks yet, with their words."""
    rows: list[Candidate] = []
    products, offers = catalog.products(), offered(policy, found)
    for kind, each in found.items():
        ids = customer_ids(each.ordinals)
        about, rule = offers[kind], policy.of(kind)
        for customer_id, *each_one in zip(
            ids, each.ordinals.tolist(), each.on.tolist(), each.due.tolist(), each.until.tolist(), each.value.tolist(),
            each.product.tolist(), each.n.tolist(), each.habit.tolist(), strict=True,
        ):  # fmt: skip
            ordinal, on, due, until, value, code, n, habit = each_one
            facts = {"on": on.isoformat(), "as_of": as_of.isoformat(), "fen": value, "n": n}
            facts |= {"habit": habit} if habit else {}
            facts |= {"position": code} if code else {}
            facts |= {"offer": about.spec.title.model_dump()} if about.spec else {}
            rows.append(
                Candidate(
                    key=f"{kind}:{customer_id}:{on:%Y%m%d}", kind=kind, customer_id=customer_id, ordinal=ordinal,
                    priority=rule.priority, value=value, due=due, offer=about.name, talk_track=about.talk_track,
                    due_at=evening(due, zone), expires_at=evening(until, zone), facts=facts,
                )
            )  # fmt: skip
    rows = _without_known(rows)
    _base(rows, offers, as_of)
    for row in rows:
        row.words = _said(row, products, as_of)
    return rows


def open_candidates(policy: DeskPolicySpec, *, zone: ZoneInfo) -> list[Candidate]:
    """Return the open tasks; one whose customer was promised a call keeps the day of the promise, and its order."""
    promised = _promises()
    columns = (
        "pk", "key", "kind", "customer_id", "staff_no", "moved_from", "branch_code", "campaign", "offer", "priority",
        "value_cny", "due_at", "planned_for", "waits_since", "is_main", "is_held", "score", "blocked", "channel", "facts",
    )  # fmt: skip
    rows = []
    for (
        pk, key, kind, customer_id, staff_no, moved_from, branch, campaign, offer, priority, value, due_at, planned_for,
        waits_since, is_main, is_held, score, blocked, channel, facts,
    ) in Task.objects.filter(state=states.OPEN).order_by("pk").values_list(*columns):  # fmt: skip
        intent, next_at = promised.get(pk, ("", None))
        rule = policy.of("appointment" if intent == "appointment" else "promise")
        is_promise = next_at is not None and next_at == due_at
        rows.append(
            Candidate(
                key=key, kind=kind, customer_id=customer_id, ordinal=-1, priority=max(priority, rule.priority) if is_promise else priority,
                value=int((value or 0) * 100), due=due_at.astimezone(zone).date(), pk=pk, staff_no=staff_no,
                moved_from=moved_from, branch=branch, campaign=campaign, offer=offer, due_at=due_at,
                promised_on=due_at.astimezone(zone).date() if is_promise else None, waits_since=waits_since, facts=facts,
                channel=channel, blocked=blocked,
                before=(staff_no, moved_from, score, planned_for, waits_since, is_main, is_held, blocked, channel),
            )
        )  # fmt: skip
    for row, ordinal in zip(rows, ordinals([r.customer_id for r in rows]).tolist(), strict=True):
        row.ordinal = ordinal
    return rows


def owners_with_branches(ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return owner ("" for nobody) and branch of each customer there is."""
    owners, branches = owners_of(ids), branches_of(ids)
    return {c: (owner, branches.get(c, "")) for c, owner in owners.items()}


def evening(day: date, zone: ZoneInfo) -> datetime:
    """Return the last minute of a day at the bank."""
    return datetime.combine(day, time(23, 59), zone)


def known_keys(keys: Sequence[str]) -> set[str]:
    """Return which keys are tasks already, in whatever state."""
    found: set[str] = set()
    for some in chunks(keys, AT_ONCE):
        found.update(Task.objects.filter(key__in=some).values_list("key", flat=True))
    return found


def _without_known(rows: list[Candidate]) -> list[Candidate]:
    known = known_keys([r.key for r in rows])
    return [r for r in rows if r.key not in known]


def _base(rows: list[Candidate], offers: Mapping[str, Offered], as_of: date) -> None:
    """Keep what each customer has of the offered family now: a purchase is what comes on top."""
    families = {kind: o.product.family for kind, o in offers.items() if o.product}
    asking = [r for r in rows if r.kind in families]
    held = balances_by_family(engine(), {r.ordinal for r in asking}, as_of=as_of) if asking else {}
    for row in asking:
        about = offers[row.kind]
        assert about.product is not None
        family = about.product.family
        row.facts |= {"product": about.product.code, "family": family, "base": held.get((row.ordinal, family), 0)}


def _said(row: Candidate, products: Mapping[str, Product], as_of: date) -> tuple[str, str, str, str, str, str]:
    product = products.get(row.facts.get("position", ""))
    found = words_for(
        row.kind, on=date.fromisoformat(row.facts["on"]), as_of=as_of, value=row.value, n=row.facts.get("n", 1),
        habit=row.facts.get("habit", 0), product=Text(zh=product.name, en=product.name_en) if product else None,
    )  # fmt: skip
    return found.title.zh, found.title.en, found.why.zh, found.why.en, found.said.zh, found.said.en


def _promises() -> dict[int, tuple[str, datetime]]:
    """Return the latest next time that was agreed on each open task."""
    rows = FollowUp.objects.filter(task__state=states.OPEN, undone_at__isnull=True, next_at__isnull=False)
    return {
        pk: (intent, next_at)
        for pk, intent, next_at in rows.order_by("at", "id").values_list("task_id", "intent", "next_at")
    }


def yuan(fen: int) -> Decimal | None:
    """Return fen as yuan; nothing at stake is no amount."""
    return Decimal(fen) / 100 if fen else None
