"""Draw up who gets whom, look at it, apply it: for customers without an owner, and for the customers of one who goes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, UnknownDefinition, Where
from kequn.core.spec.base import Text
from kequn.core.spec.ownership import AssignmentSpec
from kequn.ops.customers.queries import branches_of, owned_by, unowned_in
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Job, Running, enqueue
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import active_of_role, all_rms_for, branch_codes_for, branches_for, staff_numbered
from kequn.ops.ownership import states
from kequn.ops.ownership.calendars import absences_on, today
from kequn.ops.ownership.claiming import MOST, worth_an_owner
from kequn.ops.ownership.known import briefs_of, members_of, with_opportunity
from kequn.ops.ownership.loads import loads_of, lock_room, rm_for
from kequn.ops.ownership.models import Assignment, AssignmentLine, OwnerChange
from kequn.ops.ownership.moving import move, protected
from kequn.ops.ownership.notices import owe_notices
from kequn.ops.ownership.placing import Placed, Seeker, Taker, place
from kequn.ops.ownership.policies import policy, rules
from kequn.ops.ownership.wecom import plan_moves
from kequn.ops.runtime import now

KEPT = timedelta(days=1)
"""A plan is applied on the day it was looked at."""
CHUNK = 200
CAUSES = ("transfer", "left")
STANDARD = AssignmentSpec(name="standard", title=Text(zh="系统默认", en="Built in"))


def rules_named(name: str) -> AssignmentSpec:
    """Return approved rules by name; ``standard`` (or no name) is the built-in order.

    Raises:
        UnknownDefinition: none of this name was approved.
    """
    if name in ("", STANDARD.name):
        return next((r for r in rules() if r.name == STANDARD.name), STANDARD)
    found = next((r for r in rules() if r.name == name), None)
    if found is None:
        raise UnknownDefinition(
            f"There are no approved assignment rules {name!r}.", hint="Save them and have them approved."
        )
    return found


def assignments_for(actor: Actor) -> QuerySet[Assignment]:
    """Return the assignments of the actor's branches, the newest first."""
    actor.must("customer.assign")
    rows = Assignment.objects.all()
    return rows if actor.sees_all_branches else rows.filter(branch_path__startswith=actor.branch_path)


def assignment_for(actor: Actor, assignment_id: int) -> Assignment:
    """Return one assignment.

    Raises:
        NotAllowed: not there, or not of the actor's branches; the two look the same.
    """
    row = assignments_for(actor).filter(pk=assignment_id).first()
    if row is None:
        raise NotAllowed("There is no such assignment in your branches.", assignment=assignment_id)
    return row


def outcomes_of(row: Assignment) -> dict[str, int]:
    """Return what became of a plan's customers, by outcome; those nobody had room for are not among them."""
    return dict(Counter(row.lines.exclude(to_staff="").order_by().values_list("outcome", flat=True)))


def draw_assignment(
    actor: Actor, *, rules_name: str = "", branch_code: str = "", most: int | None = None, note: str = ""
) -> Assignment:
    """Draw up who would get the customers without an owner; nothing is changed yet.

    Args:
        rules_name: approved rules; empty for the built-in order.
        branch_code: one of the actor's branches; empty for all of them.
        most: at most so many, the most valuable first.

    Raises:
        Conflict: nobody without an owner is there; or more than 50,000, which are drawn up branch by branch.
    """
    actor.must("customer.assign")
    spec, branch = rules_named(rules_name), _branch(actor, branch_code)
    codes = (
        None if branch.path.count("/") <= 2 and actor.sees_all_branches and not branch_code else _below(actor, branch)
    )
    waiting: dict[str, str] = dict(unowned_in(codes).values_list("customer_id", "branch_code")[: MOST + 1])
    if len(waiting) > MOST:
        raise Conflict(f"More than {MOST} customers have no owner.", hint="Draw them up branch by branch.")
    worth = {c for c, _value in worth_an_owner(sorted(waiting))}
    waiting = {c: branch for c, branch in waiting.items() if c in worth}
    held = with_opportunity(list(waiting), now()) if waiting else set()
    seekers = _seekers({c: b for c, b in waiting.items() if c not in held}, spec)
    if not seekers:
        raise Conflict("There is no customer without an owner here.", hint="Choose another branch.", branch=branch_code)
    seekers = sorted(seekers, key=lambda s: (-s.value, s.customer_id))[: most or None]
    placed = place(seekers, _takers(actor, spec), spec, nearest=_nearest(actor, spec))
    owners = dict.fromkeys(waiting, "")
    return _kept(actor, "assign", placed, owners, branch, spec, note=note)


def draw_hand_over(
    actor: Actor, from_staff: str, *, cause: str, to_staff: Sequence[str] = (), note: str = ""
) -> Assignment:
    """Draw up who would get all customers of one who is transferred or has left; nothing is changed yet.

    Those named in ``to_staff`` share them; where none is named, all of the branch do. Nobody's book goes above its limit:
    who cannot be placed stays where she is and is shown.

    Raises:
        Conflict: she has no customers.
    """
    actor.must("customer.handover")
    if cause not in CAUSES:
        raise InvalidSpec(f"A hand-over is for {' or '.join(CAUSES)}.", where=Where(field="cause"))
    branch, customers = _book_of(actor, from_staff)
    if not customers:
        raise Conflict("She has no customers to hand over.", hint="Choose another.", staff=from_staff)
    spec = STANDARD.model_copy(update={"order": ("skill", "language", "balance")})
    takers = [t for t in _takers(actor, spec) if t.staff_no != from_staff]
    if to_staff:
        for staff_no in to_staff:
            rm_for(actor, staff_no)
        takers = [t for t in takers if t.staff_no in set(to_staff)]
    for taker in takers:
        taker.branch_code = ""  # whoever was named may take customers of each branch the leaver had
    seekers = [
        Seeker(s.customer_id, "", s.value, s.skills, s.languages) for s in _seekers(customers, spec, earlier=False)
    ]
    if not to_staff:
        takers = [t for t in takers if t.staff_no in _colleagues(actor, branch.code)]
    placed = place(seekers, takers, spec)
    owners = dict.fromkeys(customers, from_staff)
    row = _kept(actor, "hand_over", placed, owners, branch, spec, note=note)
    Assignment.objects.filter(pk=row.pk).update(from_staff=from_staff, cause=cause)
    row.refresh_from_db()
    return row


def drop_assignment(actor: Actor, assignment_id: int) -> Assignment:
    """Put a plan aside that nobody applied."""
    row = assignment_for(actor, assignment_id)
    with transaction.atomic():
        if Assignment.objects.filter(pk=row.pk, state=states.PREVIEWED).update(state=states.DROPPED):
            record(actor, "assignment.dropped", row, assignment=row.pk)
    row.refresh_from_db()
    return row


def apply_assignment(actor: Actor, assignment_id: int) -> Job:
    """Put a plan into effect, as a job; a second press gives the same job.

    Raises:
        Conflict: it was dropped, is older than a day, or another plan for these branches is being applied.
    """
    row = assignment_for(actor, assignment_id)
    actor.must("customer.handover" if row.kind == "hand_over" else "customer.assign")
    if row.state == states.DROPPED:
        raise Conflict("The plan was put aside.", hint="Draw up a new one.", assignment=row.pk)
    if row.state == states.PREVIEWED:
        if now() - row.made_at > KEPT:
            raise Conflict("The plan is older than a day.", hint="Draw up a new one.", assignment=row.pk)
        with transaction.atomic():
            _alone(row)
            if Assignment.objects.filter(pk=row.pk, state=states.PREVIEWED).update(state=states.APPLYING):
                record(actor, "assignment.applying", row, assignment=row.pk, kind=row.kind)
    job = enqueue(actor, "ownership.assign", {"assignment": row.pk}, key=str(row.pk))
    Assignment.objects.filter(pk=row.pk, job_id__isnull=True).update(job_id=job.pk)
    return job


def assign_job(running: Running) -> dict[str, Any]:
    """Apply a plan line by line; what was done before a crash is not done again."""
    row = Assignment.objects.get(pk=running.params["assignment"])
    total = row.lines.exclude(to_staff="").count()
    while True:
        waiting = row.lines.filter(outcome="planned").exclude(to_staff="").order_by("to_staff", "id")
        first = waiting.first()
        if first is None:
            break
        chunk = list(waiting.filter(to_staff=first.to_staff)[:CHUNK])
        with transaction.atomic():
            _apply_chunk(running.actor, row, first.to_staff, chunk)
        running.progress(total - waiting.count(), total)
    outcomes = outcomes_of(row)
    with transaction.atomic():
        if Assignment.objects.filter(pk=row.pk, state=states.APPLYING).update(state=states.APPLIED, applied_at=now()):
            record(running.actor, "assignment.applied", row, assignment=row.pk, **outcomes)
    return {"assignment": row.pk, **outcomes}


def _apply_chunk(actor: Actor, row: Assignment, to_staff: str, chunk: Sequence[AssignmentLine]) -> None:
    """Give one person her lines; the caller holds the transaction."""
    outcome: dict[int, str] = {}
    taker = staff_numbered([to_staff]).first()
    if taker is None or not taker.is_active:
        outcome = {line.pk: "unavailable" for line in chunk}
        chunk = ()
    room = lock_room(to_staff, policy()) if chunk else 0
    shielded = set(protected([line.customer_id for line in chunk], now())) if row.kind == "assign" else set()
    reason = "handed_over" if row.kind == "hand_over" else "assigned"
    by_owner: dict[str, list[AssignmentLine]] = defaultdict(list)
    for line in chunk:
        if line.customer_id in shielded:
            outcome[line.pk] = "protected"
        elif room <= 0:
            outcome[line.pk] = "full"
        else:
            by_owner[line.from_staff].append(line)
            room -= 1
    branches = branches_of([line.customer_id for line in chunk])
    for owner, lines in sorted(by_owner.items()):
        customers = [(line.customer_id, branches.get(line.customer_id, "")) for line in lines]
        changes = move(actor, customers, owner, to_staff, reason, note=row.note, assignment=row)
        done = {change.customer_id for change in changes}
        outcome |= {line.pk: "applied" if line.customer_id in done else "taken" for line in lines}
        if owner:
            owe_notices(changes)
            plan_moves(actor, changes)
    for value in set(outcome.values()):
        AssignmentLine.objects.filter(pk__in=[pk for pk, o in outcome.items() if o == value]).update(outcome=value)


def _kept(
    actor: Actor,
    kind: str,
    placed: Sequence[Placed],
    owners: dict[str, str],
    branch: Any,
    spec: AssignmentSpec,
    *,
    note: str,
) -> Assignment:
    per_taker = Counter(p.staff_no for p in placed if p.staff_no)
    loads = {load.staff_no: load for load in loads_of(list(staff_numbered(per_taker)))}
    summary = {
        "customers": len(placed), "placed": sum(per_taker.values()),
        "why": dict(Counter(p.why for p in placed)),
        "takers": [
            {
                "staff_no": s, "name": loads[s].name, "branch": loads[s].branch_code, "gets": n, "has": loads[s].owned,
                "limit": loads[s].book_limit,
            }
            for s, n in sorted(per_taker.items())
        ],
    }  # fmt: skip
    with transaction.atomic():
        row = Assignment.objects.create(
            kind=kind, rules=spec.name, fingerprint=spec.fingerprint(), branch_code=branch.code, branch_path=branch.path,
            summary=summary, made_by=actor.username, made_at=now(), note=note[:200],
        )  # fmt: skip
        lines = [
            AssignmentLine(
                assignment=row,
                customer_id=p.customer_id,
                from_staff=owners[p.customer_id],
                to_staff=p.staff_no,
                why=p.why,
            )
            for p in placed
        ]
        AssignmentLine.objects.bulk_create(lines, batch_size=1000)
        record(actor, "assignment.drawn", row, assignment=row.pk, kind=kind, n=len(lines), rules=spec.name)
    return row


def _seekers(customers: dict[str, str], spec: AssignmentSpec, *, earlier: bool = True) -> list[Seeker]:
    ids = sorted(customers)
    briefs = briefs_of(ids) if ids else {}
    skills: dict[str, set[str]] = defaultdict(set)
    languages: dict[str, set[str]] = defaultdict(set)
    for need in spec.needs:
        for customer_id in members_of(need.segment) & customers.keys():
            (skills if need.skill else languages)[customer_id].add(need.skill or need.language)
    past = _earlier(ids, spec.earlier_days) if earlier and "earlier" in spec.order else {}
    return [
        Seeker(
            c, customers[c], (briefs[c].aum_fen or 0) if c in briefs else 0, frozenset(skills.get(c, ())),
            frozenset(languages.get(c, ())), tuple(past.get(c, ())),
        )
        for c in ids
    ]  # fmt: skip


def _earlier(ids: Collection[str], days: int) -> dict[str, list[str]]:
    """Who had each before, the latest first; one from whom she was taken back does not count."""
    wanted, since = set(ids), now() - timedelta(days=days)
    found: dict[str, list[str]] = defaultdict(list)
    rows = (
        OwnerChange.objects.filter(at__gte=since).exclude(from_staff="").exclude(reason__in=("taken_back", "given_up"))
    )
    for customer_id, staff_no in rows.order_by("-id").values_list("customer_id", "from_staff"):
        if customer_id in wanted and staff_no not in found[customer_id]:
            found[customer_id].append(staff_no)
    return found


def _takers(actor: Actor, spec: AssignmentSpec) -> list[Taker]:
    """Active relationship managers of the actor's branches who are not away today, by staff number."""
    staff = list(active_of_role("rm").filter(branch__in=branches_for(actor)).order_by("staff_no"))
    away = absences_on(today(), [u.staff_no for u in staff])
    return [
        Taker(
            load.staff_no, load.branch_code, load.owned, load.book_limit * spec.fill_percent // 100,
            frozenset(load.skills), frozenset(load.languages),
        )
        for load in loads_of([u for u in staff if u.staff_no not in away])
    ]  # fmt: skip


def _nearest(actor: Actor, spec: AssignmentSpec) -> dict[str, list[str]]:
    """The branches to ask when one is full: those of the same parent, then (for the bank) by how much of the path they share."""
    rows = list(branches_for(actor).values_list("code", "path", "parent_id", "city"))
    found = {}
    for code, path, parent, city in rows:
        others = [r for r in rows if r[0] != code and (spec.nearest_within == "bank" or r[2] == parent)]
        found[code] = [
            r[0] for r in sorted(others, key=lambda r: (r[2] != parent, r[3] != city, -_shared(path, r[1]), r[0]))
        ]
    return found


def _shared(one: str, other: str) -> int:
    parts = zip(one.split("/"), other.split("/"), strict=False)
    return next((n for n, (a, b) in enumerate(parts) if a != b), len(one.split("/")))


def _branch(actor: Actor, code: str) -> Any:
    row = branches_for(actor).filter(code=code or actor.branch_code).first()
    if row is None:
        raise NotAllowed("There is no such branch in your scope.", branch=code)
    return row


def _below(actor: Actor, branch: Any) -> list[str]:
    return [c for c in branches_for(actor).filter(path__startswith=branch.path).values_list("code", flat=True) if c]


def _book_of(actor: Actor, staff_no: str) -> tuple[Any, dict[str, str]]:
    """The branch and customers of one who goes: an RM of the actor's branches, or a number that no user has (then only
    customers of the actor's branches are reached)."""
    customers = owned_by([staff_no])
    user = all_rms_for(actor).filter(staff_no=staff_no).first()
    if user is not None:
        return user.branch, dict(customers.values_list("customer_id", "branch_code"))
    if staff_numbered([staff_no]).filter(is_active=True).exists():
        raise NotAllowed("There is no such relationship manager in your branches.", staff=staff_no)
    codes = branch_codes_for(actor)
    mine = customers if codes is None else customers.filter(branch_code__in=codes)
    return _branch(actor, ""), dict(mine.values_list("customer_id", "branch_code"))


def _colleagues(actor: Actor, branch_code: str) -> set[str]:
    return set(
        active_of_role("rm")
        .filter(branch__in=branches_for(actor), branch__code=branch_code)
        .values_list("staff_no", flat=True)
    )


def _alone(row: Assignment) -> None:
    """Refuse while another plan for the same, a higher or a lower branch is being applied."""
    for other in Assignment.objects.select_for_update().filter(state=states.APPLYING).exclude(pk=row.pk):
        if other.branch_path.startswith(row.branch_path) or row.branch_path.startswith(other.branch_path):
            raise Conflict(
                f"{other.made_by} is applying another plan for these branches.", hint="Wait until it is done.",
                assignment=other.pk,
            )  # fmt: skip
