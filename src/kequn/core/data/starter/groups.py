"""Who truly belongs to which of the bank's groups: the answer sheet that lies beside the data."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from kequn.core.data.starter import people, raw
from kequn.core.data.starter.block import Block
from kequn.core.data.starter.draws import Bools, day
from kequn.core.data.starter.files import words


def groups_of(part: Block, as_of: date) -> dict[str, Bools]:
    """Return who truly belongs to each of the bank's groups, by what the customers are and not by their tags."""
    who, held = part.who, part.held
    soon = (held.matures > day(as_of)) & (held.matures <= day(as_of) + 30)
    due = np.where(soon, held.average, 0.0).sum(axis=1)
    child = who.child_age
    return {
        "payroll": who.employer >= 0,
        "senior": (who.age >= 55) & (who.role == people.PENSIONER),
        "merchant": who.role == people.MERCHANT,
        "owner": who.role == people.OWNER,
        "family": (child >= 0) & (child < 18),
        "genz": (who.role == people.YOUNG) & who.active,
        "midclass": (who.age >= 30)
        & (who.age <= 45)
        & np.isin(who.tier, (3, 4))
        & ((who.mortgage > 0) | (who.pay >= 15_000)),
        "public": who.role == people.PUBLIC,
        "county": who.area > 0,
        "car": who.car,
        "card": who.card,
        "private": who.tier >= 5,
        "mortgage": who.mortgage > 0,
        "newcitizen": who.newcomer,
        "windfall": who.windfall > 0,
        "maturity": due >= 10_000,
        "churn": who.leaving,
        "dormant": ~who.active,
    }


def labels(part: Block, groups: dict[str, Bools]) -> pa.Table:
    """One row a customer: number, role, tier and groups."""
    who = part.who
    columns = {
        "customer_no": raw.customer_numbers(who.number),
        "role": words(who.role, people.ROLES),
        "tier": pa.array(who.tier.astype(np.int8)),
    }
    flags = {f"is_{name}": pa.array(members) for name, members in groups.items()}
    return pa.table(columns | flags).slice(0, part.size)
