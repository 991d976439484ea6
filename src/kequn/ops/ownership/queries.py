"""Who works, how much, and who has whom, within an actor's scope."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from kequn.ops.customers.queries import owners_in, owners_of
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import all_rms_for, branch_codes_for, staff_numbered
from kequn.ops.ownership.absences import absences_for, calendar_days, seen_as
from kequn.ops.ownership.assigning import STANDARD, assignment_for, assignments_for, outcomes_of, rules_named
from kequn.ops.ownership.bands import BANDS, band_of
from kequn.ops.ownership.calendars import (
    available,
    capacity_of,
    capacity_until,
    days_worked,
    is_working_day,
    own_days,
    stood_in_for,
    today,
    workers,
    working_days,
)
from kequn.ops.ownership.changing import changes_for, conflicts_for, differing_for, tenures_of
from kequn.ops.ownership.claiming import cards, claimed_today, unowned_for, waiting_for
from kequn.ops.ownership.contracts import Leaver
from kequn.ops.ownership.history import elsewhere_on, others_on, owners_on
from kequn.ops.ownership.known import briefs_of
from kequn.ops.ownership.loads import loads_for, loads_of
from kequn.ops.ownership.models import Capacity, Notice
from kequn.ops.ownership.notices import WAYS, notices_for, notices_numbered, notices_of_messages, with_messages
from kequn.ops.ownership.policies import policy, rules
from kequn.ops.ownership.pools import (
    FEWEST,
    RATES,
    pool_days,
    pool_members_for,
    pool_named,
    pool_staff,
    pool_stays,
    pools_for,
)
from kequn.ops.ownership.remote import agent_of, cases_for, remote_open
from kequn.ops.ownership.states import REASONS
from kequn.ops.ownership.watching import neglect_for
from kequn.ops.ownership.wecom import wecom_moves_for

__all__ = [
    "BANDS", "FEWEST", "RATES", "REASONS", "STANDARD", "WAYS", "Notice", "absences_for", "agent_of", "assignment_for",
    "assignments_for", "available", "band_of", "briefs_of", "calendar_days", "capacities_of", "capacity_of", "capacity_until", "cards",
    "cases_for", "changes_for", "claimed_today", "conflicts_for", "days_worked", "differing_for", "elsewhere_on", "is_working_day",
    "leavers_for", "loads_for", "loads_of", "neglect_for", "notices_for", "notices_numbered", "notices_of_messages", "others_on",
    "outcomes_of", "own_days", "owners_on", "policy", "pool_days", "pool_members_for", "pool_named", "pool_staff", "pool_stays",
    "pools_for", "remote_open", "rules", "rules_named", "seen_as", "stood_in_for", "tenures_of", "today", "unowned_for",
    "waiting_for", "wecom_moves_for", "with_messages", "worker_of", "workers", "working_days",
]  # fmt: skip


def worker_of(customer_ids: Collection[str], day: date) -> dict[str, str]:
    """Return who works each customer on a day: her owner, the owner's stand-in, or "" for the remote centre."""
    owners = owners_of(customer_ids)
    by_owner = workers(set(owners.values()), day)
    return {c: by_owner.get(owner, "") if owner else "" for c, owner in owners.items()}


def capacities_of(staff_nos: Collection[str]) -> dict[str, Capacity]:
    """Return what was set for each of some staff; who has no figures of her own is absent."""
    return {row.staff_no: row for row in Capacity.objects.filter(staff_no__in=list(staff_nos))}


def leavers_for(actor: Actor) -> list[Leaver]:
    """Return whose customers in the actor's branches have an owner who cannot work: shut out, in another post, or unknown.

    A fault until it is empty: these customers have nobody.
    """
    actor.must("customer.assign")
    counts = owners_in(branch_codes_for(actor))
    users = {u.staff_no: u for u in staff_numbered(counts)}
    own = set(all_rms_for(actor).values_list("staff_no", flat=True))
    found = []
    for staff_no, n in sorted(counts.items()):
        user = users.get(staff_no)
        if user is None or not user.is_active or user.role != "rm":
            found.append(Leaver(staff_no, user.display_name if user and staff_no in own else "", n))
    return found
