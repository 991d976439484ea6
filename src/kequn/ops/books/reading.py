"""A book as columns: its customers out of the database, what is known of them out of the index, at their ordinals alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from kequn.core.engine.index.reading import Values, values_at
from kequn.core.errors import Conflict
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.queries import bank_today, dates, ordinals
from kequn.ops.books.models import Circle
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import masked, people_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.orgs.rights import OWN_BOOK
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue
from kequn.ops.workbench.queries import contacts_and_dues

MOST_IN_SCOPE = 20_000
"""A list is of people one works with; who reaches more chooses a branch or an RM first."""
NO_DAY = np.datetime64("NaT", "D")
Flags = npt.NDArray[np.bool_]

PRODUCTS = {
    "demand": "asset_demand", "time": "asset_time", "cd": "asset_cd", "wmp": "asset_wmp", "fund": "asset_fund",
    "insurance": "asset_insurance", "bond": "asset_bond", "gold": "asset_gold", "trust": "asset_trust",
    "pension": "acct_personal_pension", "mortgage": "acct_mortgage", "credit_card": "acct_credit_card",
}  # fmt: skip
"""Product family -> the tag that says whether she has it: an amount above 0, or yes."""
COLUMNS = {
    "tier": "asset_tier", "stage": "life_stage", "aum": "asset_aum_eod", "change": "asset_aum_chg_30d",
    "matures": "asset_maturity_next", "products": "asset_product_cnt", "risk_expires": "risk_c_expire",
    "birthday": "demo_birthday_md", "silent": "txn_recency",
}  # fmt: skip
"""Column -> its tag."""


class Book:
    """The customers within an actor's reach, each fact an array in their order. Facts are read when they are asked for."""

    def __init__(self, actor: Actor, rows: Sequence[tuple[str, str, str]], within: QuerySet[Any]) -> None:
        self.actor = actor
        self._within = within
        self.ids = [row[0] for row in rows]
        self.staff = [row[1] for row in rows]
        self.branches = [row[2] for row in rows]
        self.today = bank_today()
        days = dates()
        self.as_of: date | None = days[0] if days else None
        self._tags: dict[str, Values] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def ordinals(self) -> npt.NDArray[np.int64]:
        """Each customer's ordinal; -1 for who has none."""
        return ordinals(self.ids)

    def tag(self, name: str) -> Values:
        """Return a tag's values on the latest date; nobody is known where it was not computed."""
        if name not in self._tags:
            columns = engine().index(self.as_of).columns if self.as_of else {}
            self._tags[name] = values_at(columns[name], self.ordinals) if name in columns else self._nothing()
        return self._tags[name]

    @cached_property
    def contacts(self) -> npt.NDArray[np.datetime64]:
        """The day of each customer's last contact, of the bank's systems and of kequn; NaT where there was none."""
        bank = self.tag("mkt_last_contact")
        found = np.full(len(self), NO_DAY, dtype="datetime64[D]")
        if bank.known.any():
            found = np.where(bank.known, bank.values, NO_DAY)
        own, _dues = self._worked
        if own:
            zone = ZoneInfo(engine().manifest.zone)
            mine = np.array([_day(own.get(i), zone) for i in self.ids], dtype="datetime64[D]")
            found = np.fmax(found, mine)
        return found

    @cached_property
    def dues(self) -> dict[str, datetime]:
        """When the next open task on a customer is due."""
        return self._worked[1]

    @cached_property
    def _worked(self) -> tuple[dict[str, datetime], dict[str, datetime]]:
        """When each customer was last contacted as kequn knows, and when the next open task is due."""
        return contacts_and_dues(self.actor, self.ids)

    @cached_property
    def circles(self) -> dict[int, tuple[str, frozenset[str]]]:
        """The circles that the actor sees: name and members."""
        rows = circles_in_sight(self.actor).values_list("pk", "name", "members__customer_id")
        found: dict[int, tuple[str, set[str]]] = {}
        for pk, name, customer_id in rows:
            members = found.setdefault(pk, (name, set()))[1]
            if customer_id:
                members.add(customer_id)
        return {pk: (name, frozenset(members)) for pk, (name, members) in found.items()}

    def column(self, name: str) -> list[Any]:
        """Return one column as plain values in the book's order, ``None`` where nothing is known; money is fen."""
        if name == "contact":
            return [None if np.isnat(day) else day.astype(object) for day in self.contacts]
        if name == "due":
            return [self.dues.get(i) for i in self.ids]
        if name == "circles":
            return [", ".join(self.circles_of(i)) or None for i in self.ids]
        if name in ("staff", "branch"):
            return [v or None for v in (self.staff if name == "staff" else self.branches)]
        found = self.tag(COLUMNS[name])
        plain = found.values.tolist()
        return [value if known else None for value, known in zip(plain, found.known.tolist(), strict=True)]

    def circles_of(self, customer_id: str) -> tuple[str, ...]:
        """Return the names of the circles a customer is in."""
        return tuple(name for name, members in self.circles.values() if customer_id in members)

    def people(self, customer_ids: Sequence[str]) -> dict[str, MaskedPerson]:
        """Return some persons of the book, masked, by id; who was handed over since is absent."""
        return {row.customer_id: masked(row) for row in self._within.filter(pk__in=list(customer_ids))}

    @cached_property
    def specs(self) -> dict[str, TagSpec]:
        """The catalogue of tags as it is now."""
        return catalogue()

    def _nothing(self) -> Values:
        return Values(np.full(len(self), None, dtype=object), np.zeros(len(self), dtype=np.bool_))


def book_for(actor: Actor, *, staff: str = "", branch: str = "", only: Sequence[str] | None = None) -> Book:
    """Return the book of an actor: an RM's own, of others the branches below them, or one RM or branch of these.

    Raises:
        NotAllowed: without the right to see customers.
        Conflict: more customers than a list is made of.
    """
    actor.must("customer.view")
    within = rows = people_for(actor)
    wanted = {"rm_no": staff, "branch_code": branch}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if only is not None:
        rows = rows.filter(pk__in=list(only))
    found = list(rows.order_by("customer_id").values_list("customer_id", "rm_no", "branch_code")[: MOST_IN_SCOPE + 1])
    if len(found) > MOST_IN_SCOPE:
        raise Conflict(
            f"You reach more than {MOST_IN_SCOPE:,} customers.", hint="Choose a branch or an RM.", most=MOST_IN_SCOPE
        )
    return Book(actor, found, within)


def circles_in_sight(actor: Actor) -> QuerySet[Circle]:
    """Return the circles of who has a book of her own, or of the branches below others; those taken away are not among them."""
    rows = Circle.objects.filter(removed_at__isnull=True)
    if actor.role in OWN_BOOK:
        return rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    codes = branch_codes_for(actor)
    return rows if codes is None else rows.filter(branch_code__in=codes)


def _day(moment: datetime | None, zone: ZoneInfo) -> np.datetime64:
    return NO_DAY if moment is None else np.datetime64(moment.astimezone(zone).date(), "D")
