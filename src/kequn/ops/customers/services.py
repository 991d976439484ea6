"""Write persons from a load, reveal one value for a reason, and give a channel the address it sends to."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from kequn.core.errors import Conflict, NotAllowed
from kequn.ops.chunks import chunks
from kequn.ops.customers import masking
from kequn.ops.customers.contracts import BankMove
from kequn.ops.customers.crypto import blind, seal, unseal
from kequn.ops.customers.models import BranchChange, Person, Reveal
from kequn.ops.customers.queries import PERSONAL, people_for
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now, runtime

INDEXED = ("customer_no", "name", "phone", "document_no")
REVEALS_A_DAY = 60
BATCH = 2_000
ADDRESS = {"sms": "phone", "call": "phone", "email": "email", "file_drop": "customer_no"}
"""Channel -> the personal field it is sent to. WeCom, push and the RM's task go by surrogate id."""

OURS = frozenset({"customer_id", "rm_no", "wrong_phone_index"})
"""What a load of the bank's table does not overwrite."""
_WRONG_PHONE = ~Q(wrong_phone_index="") & Q(wrong_phone_index=F("phone_index"))

clean = masking.clean
"""How every app keeps what people type about customers."""

OwnerRule = Callable[[Actor, Sequence[BankMove], str], None]
_owner_rule: dict[str, OwnerRule] = {}


def tell_owner_rule(rule: OwnerRule) -> None:
    """Say what the bank's change of an owner does to the owner here; called by the app that keeps the owners' history.

    The rule runs in the load's transaction with (actor, moves, load id).
    """
    _owner_rule["rule"] = rule


def store_people(actor: Actor, people: Sequence[Mapping[str, str | None]], *, load_id: str) -> int:
    """Insert or update persons as the bank's table has them; return how many changed.

    Each mapping has customer_id, customer_no, branch_code, rm_no, name, phone, document_no, email, address. The owner of
    a person who is here already is not overwritten: what the bank changed of it goes through the owner rule.
    """
    changed = 0
    for some in chunks(people, BATCH):
        rows = [_row(p) for p in some]
        known = Person.objects.only("digest", "bank_rm_no", "branch_code").in_bulk([r.pk for r in rows])
        rows = [
            _sealed(r, p)
            for r, p in zip(rows, some, strict=True)
            if r.pk not in known or known[r.pk].digest != r.digest
        ]
        before = [(r, known[r.pk]) for r in rows if r.pk in known]
        moves = [
            BankMove(r.pk, r.branch_code, was.bank_rm_no, r.bank_rm_no)
            for r, was in before
            if was.bank_rm_no != r.bank_rm_no
        ]
        branches = [
            BranchChange(
                customer_id=r.pk, from_branch=was.branch_code, to_branch=r.branch_code, load_id=load_id, at=r.loaded_at
            )
            for r, was in before
            if was.branch_code != r.branch_code
        ]
        fields = [f.name for f in Person._meta.concrete_fields if f.name not in OURS]
        with transaction.atomic():
            Person.objects.bulk_create(
                rows, batch_size=500, update_conflicts=True, unique_fields=["customer_id"], update_fields=fields
            )
            BranchChange.objects.bulk_create(branches, batch_size=500)
            if moves:
                _owner_rule["rule"](actor, moves, load_id)
        changed += len(rows)
    if changed:
        record(actor, "people.stored", ("load", load_id), changed=changed)
    return changed


def set_owner(customer_ids: Sequence[str], from_staff: str, to_staff: str) -> list[str]:
    """Give customers another owner where they still have the first; return whom it was done for. For ``ownership`` alone.

    One UPDATE a chunk, by compare and set; the caller holds the transaction, and writes the history beside it.
    """
    taken: list[str] = []
    for chunk in chunks(customer_ids):
        rows = Person.objects.filter(pk__in=chunk, rm_no=from_staff)
        # the lock (PostgreSQL) keeps the rows as they are read; on SQLite the transaction is the only writer
        mine = list(rows.select_for_update().order_by("pk").values_list("customer_id", flat=True))
        Person.objects.filter(pk__in=mine, rm_no=from_staff).update(rm_no=to_staff)
        taken += mine
    return taken


def _row(person: Mapping[str, str | None]) -> Person:
    clear = "\x1f".join(person.get(f) or "" for f in (*PERSONAL, "branch_code", "rm_no"))
    return Person(
        customer_id=person["customer_id"],
        branch_code=person.get("branch_code") or "",
        rm_no=person.get("rm_no") or "",
        bank_rm_no=person.get("rm_no") or "",
        digest=hmac.new(runtime().index_key, clear.encode(), hashlib.sha256).hexdigest()[:40],
        loaded_at=now(),
    )


def _sealed(row: Person, person: Mapping[str, str | None]) -> Person:
    for field in PERSONAL:
        value = person.get(field) or ""
        setattr(row, field, seal(value, column=field, customer_id=row.customer_id))
        if field in INDEXED:
            setattr(row, f"{field}_index", blind(value, column=field))
    return row


def reveal(actor: Actor, customer_id: str, field: str, *, reason: str) -> str:
    """Return one personal value in clear, counted, logged and limited a day.

    Raises:
        NotAllowed: no right, not in the actor's scope, or no such field.
        Conflict: no reason was given, or today's number of reveals is used up.
    """
    actor.must("customer.reveal")
    if field not in PERSONAL:
        raise NotAllowed(f"There is no personal field {field!r}.", field=field)
    row = people_for(actor).filter(pk=customer_id).first()
    if row is None:
        raise NotAllowed("There is no such customer in your scope.", customer=customer_id)
    # a number typed for a reason is not kept in clear, and is none
    kept = clean(reason, longest=200, field="reason").text
    if not kept.replace(masking.HIDDEN, "").strip():
        raise Conflict("Say why you need it.", hint="The reason is kept with the reveal.")
    moment = now()
    with transaction.atomic():
        used = reveals_within_a_day(actor)
        if used >= REVEALS_A_DAY:
            raise Conflict(
                f"You revealed {used} values within a day, which is the limit.", hint="Ask your branch head.", used=used
            )
        Reveal.objects.create(customer=row, field=field, user_id=actor.user_id, reason=kept, at=moment)
        record(actor, "customer.revealed", ("customer", customer_id), field=field, reason=kept)
    return unseal(getattr(row, field), column=field, customer_id=customer_id)


def reveals_within_a_day(actor: Actor) -> int:
    """Return how many values the actor saw in clear within the last 24 hours."""
    return Reveal.objects.filter(user_id=actor.user_id, at__gt=now() - timedelta(days=1)).count()


def mark_phone(actor: Actor, customer_id: str, *, is_wrong: bool) -> bool:
    """Say that a customer's number is dead or somebody else's, or that it is right after all; return whether that is news.

    A wrong number is no address for a call or a text until the bank's data have another one.
    """
    if not (actor.may("task.work") or actor.may("stocktake.run")):
        raise NotAllowed("Your role may not do this (task.work).", right="task.work")
    rows = Person.objects.filter(pk=customer_id)
    with transaction.atomic():
        if is_wrong:
            n = rows.exclude(phone_index="").exclude(_WRONG_PHONE).update(wrong_phone_index=F("phone_index"))
        else:
            n = rows.filter(_WRONG_PHONE).update(wrong_phone_index="")
        if n:
            record(actor, "phone.wrong" if is_wrong else "phone.right", ("customer", customer_id))
    return bool(n)


def addresses(actor: Actor, customer_ids: Iterable[str], channel: str) -> dict[str, str]:
    """Return where a channel reaches each customer; those without an address are absent. For the dispatcher alone.

    Raises:
        NotAllowed: the actor is not the system.
    """
    if not actor.may("delivery.run"):
        raise NotAllowed("Addresses go to the dispatcher, not to people.", right="delivery.run")
    ids = list(customer_ids)
    field = ADDRESS.get(channel)
    if field is None:
        return {i: i for i in ids}
    found: dict[str, str] = {}
    for some in chunks(ids):
        for row in _with(field).filter(pk__in=some).only("customer_id", field):
            if value := unseal(getattr(row, field), column=field, customer_id=row.customer_id):
                found[row.customer_id] = value
    return found


def reachable(channel: str, customer_ids: Iterable[str] | None = None) -> set[str]:
    """Return the surrogate ids that have an address for a channel, of some customers or of all, without unsealing any."""
    field = ADDRESS.get(channel)
    rows = _with(field) if field else Person.objects.all()
    if customer_ids is None:
        return set(rows.values_list("customer_id", flat=True))
    ids = list(customer_ids)
    found: set[str] = set()
    for some in chunks(ids):
        found.update(rows.filter(pk__in=some).values_list("customer_id", flat=True))
    return found


def reachable_few(customer_ids: Iterable[str]) -> dict[str, set[str]]:
    """Return as ``reachable`` for each channel with an address and for ``wecom``, of a few customers, in one question."""
    fields = sorted(set(ADDRESS.values()))
    asked = Person.objects.filter(pk__in=list(customer_ids)).annotate(is_wrong=_WRONG_PHONE)
    rows = list(asked.values("customer_id", "is_wrong", *fields))
    usable = {f: {r["customer_id"] for r in rows if r[f] and not (f == "phone" and r["is_wrong"])} for f in fields}
    return {channel: usable[field] for channel, field in ADDRESS.items()} | {"wecom": {r["customer_id"] for r in rows}}


def _with(field: str) -> QuerySet[Person]:
    """Return who has something to be reached at; a number that turned out wrong is nothing."""
    rows = Person.objects.exclude(**{field: b""})
    return rows.exclude(_WRONG_PHONE) if field == "phone" else rows


def merge_fields(actor: Actor, customer_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what a template may merge of each customer: her family name and nothing that identifies her further."""
    if not any(actor.may(right) for right in ("delivery.run", "campaign.launch", "material.send", "notice.send")):
        raise NotAllowed("Merge fields go to the dispatcher.", right="delivery.run")
    ids = list(customer_ids)
    fields: dict[str, dict[str, str]] = {}
    for some in chunks(ids):
        for row in Person.objects.filter(pk__in=some).only("customer_id", "name"):
            clear = unseal(row.name, column="name", customer_id=row.customer_id)
            fields[row.customer_id] = {"family_name": clear[:1]}
    return fields


def numbers_of(actor: Actor, customer_ids: Iterable[str]) -> dict[str, str]:
    """Return the bank's own customer numbers, for files that go back to the bank's systems."""
    return addresses(actor, customer_ids, "file_drop")
