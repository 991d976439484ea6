"""Persons within an actor's scope, masked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from kequn.core.errors import NotAllowed
from kequn.ops.chunks import chunks
from kequn.ops.customers import masking
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.crypto import blind, unseal
from kequn.ops.customers.models import BranchChange, Person, Reveal
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.orgs.rights import OWN_BOOK

PERSONAL = ("customer_no", "name", "phone", "document_no", "email", "address")


Reach = Callable[[Actor], QuerySet[Any, tuple[str, str]] | None]
_reaches: dict[str, Reach] = {}
BOOK, CUSTOMER = "book", "customer"


def tell_reach(name: str, reach: Reach) -> None:
    """Say whom an actor works beside her own book, such as those of a colleague on leave; called by an app when it is ready.

    Rows of (what, value): ``BOOK`` and whose book it is, or ``CUSTOMER`` and one surrogate id; ``None`` for nobody.
    """
    _reaches[name] = reach


def people_for(actor: Actor) -> QuerySet[Person]:
    """Return the persons an actor reaches: who has a book that and what is entrusted to her, others their branches.

    Nobody without ``customer.view``.
    """
    if actor.role != "system" and not actor.may("customer.view"):
        return Person.objects.none()
    if actor.role in OWN_BOOK:
        mine = Q(rm_no=actor.staff_no) if actor.role == "rm" and actor.staff_no else Q(pk__in=[])
        return Person.objects.filter(mine | _entrusted(actor))
    codes = branch_codes_for(actor)
    return Person.objects.all() if codes is None else Person.objects.filter(branch_code__in=codes)


def _entrusted(actor: Actor) -> Q:
    """Return whom an actor works beside her own book, from all who know of somebody in one question."""
    asked = [rows.order_by() for reach in _reaches.values() if (rows := reach(actor)) is not None]
    found: dict[str, list[str]] = {BOOK: [], CUSTOMER: []}
    for what, value in asked[0].union(*asked[1:], all=True) if asked else ():
        found[what].append(value)
    return Q(rm_no__in=[owner for owner in found[BOOK] if owner]) | Q(pk__in=found[CUSTOMER])


def owners_of(customer_ids: Iterable[str]) -> dict[str, str]:
    """Return the owner of each customer there is, "" for nobody, for other services."""
    ids = list(customer_ids)
    found: dict[str, str] = {}
    for some in chunks(ids):
        found.update(Person.objects.filter(pk__in=some).values_list("customer_id", "rm_no"))
    return found


def unowned_in(branch_codes: Iterable[str] | None) -> QuerySet[Person]:
    """Return the persons without an owner, of some branches or (``None``) of all, for ``ownership``."""
    rows = Person.objects.filter(rm_no="")
    return rows if branch_codes is None else rows.filter(branch_code__in=[c for c in branch_codes if c])


def place_of(customer_id: str) -> tuple[str, str] | None:
    """Return a customer's branch and owner, each "" for none, for ``ownership``; ``None`` where there is no such customer."""
    return Person.objects.filter(pk=customer_id).values_list("branch_code", "rm_no").first()


def branches_of(customer_ids: Iterable[str]) -> dict[str, str]:
    """Return the branch of each customer there is, for other services."""
    ids = list(customer_ids)
    found: dict[str, str] = {}
    for some in chunks(ids):
        found.update(Person.objects.filter(pk__in=some).values_list("customer_id", "branch_code"))
    return found


def branches_before(moment: datetime) -> dict[str, str]:
    """Return the branch that each customer had at a moment, of those whose branch changed since; for other services.

    A load writes no history of the time before the first one: the earliest branch known stands for it.
    """
    rows = BranchChange.objects.filter(at__gte=moment).order_by("-id")  # the earliest has the last word
    return dict(rows.values_list("customer_id", "from_branch"))


def branch_changes_for(actor: Actor, customer_id: str) -> QuerySet[BranchChange]:
    """Return the changes of a customer's branch, the latest first.

    Raises:
        NotAllowed: as `person_for`.
    """
    person_for(actor, customer_id)
    return BranchChange.objects.filter(customer_id=customer_id)


def owned_by(staff_nos: Sequence[str]) -> QuerySet[Person]:
    """Return the persons in some books, for other services."""
    return Person.objects.filter(rm_no__in=[s for s in staff_nos if s])


def book_sizes(staff_nos: Iterable[str] | None = None) -> dict[str, int]:
    """Return how many customers each of some owners has (or each owner there is); who has none is absent."""
    rows = Person.objects.exclude(rm_no="")
    if staff_nos is not None:
        rows = rows.filter(rm_no__in=[s for s in staff_nos if s])
    return dict(rows.order_by().values_list("rm_no").annotate(n=Count("pk")))


def owners_in(branch_codes: Iterable[str] | None) -> dict[str, int]:
    """Return how many customers of some branches (``None``: of all) each owner has."""
    rows = Person.objects.exclude(rm_no="")
    rows = rows if branch_codes is None else rows.filter(branch_code__in=[c for c in branch_codes if c])
    return dict(rows.order_by().values_list("rm_no").annotate(n=Count("pk")))


def person_for(actor: Actor, customer_id: str) -> MaskedPerson:
    """Return one person, masked.

    Raises:
        NotAllowed: not there, or not within the actor's scope; the two look the same.
    """
    own = Person.objects.filter(pk=customer_id, rm_no=actor.staff_no).first() if has_book(actor) else None
    row = own or people_for(actor).filter(pk=customer_id).first()
    if row is None:
        raise NotAllowed("There is no such customer in your scope.", customer=customer_id)
    return masked(row)


def has_book(actor: Actor) -> bool:
    """Whether an actor has customers of her own: whom she has needs no look at what else is entrusted to her."""
    return actor.role == "rm" and actor.may("customer.view") and bool(actor.staff_no)


def people_by_id(actor: Actor, customer_ids: Iterable[str]) -> dict[str, MaskedPerson]:
    """Return those of the named persons whom the actor reaches, masked, by surrogate id."""
    ids = list(dict.fromkeys(customer_ids))
    found: dict[str, MaskedPerson] = {}
    for some in chunks(ids):
        for row in people_for(actor).filter(pk__in=some):
            found[row.customer_id] = masked(row)
    return found


def revealed_between(since: datetime, until: datetime, *, field: str = "phone") -> QuerySet[Reveal]:
    """Return when a value of whom was shown in clear, for other services; the values themselves are not kept."""
    return Reveal.objects.filter(field=field, at__gte=since, at__lt=until)


def find(actor: Actor, text: str, *, limit: int = 20) -> list[MaskedPerson]:
    """Return persons in scope whose customer number, phone, document or full name is exactly ``text``."""
    return _matching(people_for(actor), text, limit)


def numbered(actor: Actor, numbers: Iterable[str]) -> dict[str, MaskedPerson]:
    """Return the persons in scope behind some of the bank's customer numbers, masked, by number; strangers are absent."""
    by_index = {blind(number, column="customer_no"): number for number in numbers if number.strip()}
    indexes, found = list(by_index), dict[str, MaskedPerson]()
    for some in chunks(indexes):
        for row in people_for(actor).filter(customer_no_index__in=some):
            found[by_index[row.customer_no_index]] = masked(row)
    return found


def people_for_consent(actor: Actor) -> QuerySet[Person]:
    """Return the persons whose consents an actor may look up: her own reach, or with ``consent.view`` her branches."""
    if actor.may("customer.view"):
        return people_for(actor)
    actor.must("consent.view")
    codes = branch_codes_for(actor)
    return Person.objects.all() if codes is None else Person.objects.filter(branch_code__in=codes)


def find_for_consent(actor: Actor, text: str, *, limit: int = 20) -> list[MaskedPerson]:
    """Return persons by exact customer number, phone, document or name, for looking up their consents."""
    return _matching(people_for_consent(actor), text, limit)


def person_for_consent(actor: Actor, customer_id: str) -> MaskedPerson:
    """Return one person whose consents the actor may look up, masked.

    Raises:
        NotAllowed: not there, or not within the actor's scope.
    """
    row = people_for_consent(actor).filter(pk=customer_id).first()
    if row is None:
        raise NotAllowed("There is no such customer in your scope.", customer=customer_id)
    return masked(row)


def masked(row: Person) -> MaskedPerson:
    """Return what may be shown of a person without a reason."""

    def shown(field: str) -> str:
        return masking.BY_FIELD[field](unseal(getattr(row, field), column=field, customer_id=row.customer_id))

    return MaskedPerson(
        customer_id=row.customer_id,
        name=shown("name"),
        phone=shown("phone"),
        document_no=shown("document_no"),
        email=shown("email"),
        customer_no=shown("customer_no"),
        branch_code=row.branch_code,
        rm_no=row.rm_no,
    )


def alike_in_reach(actor: Actor, customer_id: str, *, limit: int = 5) -> list[MaskedPerson]:
    """Return other persons in reach who have a person's phone or document number, masked: perhaps the same recorded twice."""
    rows = people_for(actor)
    row = rows.filter(pk=customer_id).first()
    if row is None:
        return []
    same = Q()
    for column in ("phone_index", "document_no_index"):
        if value := getattr(row, column):
            same |= Q(**{column: value})
    return [masked(r) for r in rows.filter(same).exclude(pk=customer_id).order_by("pk")[:limit]] if same else []


def _matching(rows: QuerySet[Person], text: str, limit: int) -> list[MaskedPerson]:
    if not text.strip():
        return []
    match = Q(customer_no_index=blind(text, column="customer_no"))
    for column in ("phone", "document_no", "name"):
        match |= Q(**{f"{column}_index": blind(text, column=column)})
    return [masked(row) for row in rows.filter(match).order_by("customer_id")[:limit]]
