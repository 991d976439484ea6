"""Set targets and break them down: what branches get adds up to head office's, what RMs get to their branch's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum

from kequn.core.errors import Conflict, InvalidSpec, KequnError, NotAllowed, SeveralErrors, Where
from kequn.core.segments.upload import read_table
from kequn.ops.board.contracts import Left
from kequn.ops.board.figures import FIGURES, OF_CAMPAIGNS, TARGETS
from kequn.ops.board.models import Target
from kequn.ops.board.periods import CAMPAIGN, period_named
from kequn.ops.campaigns.queries import campaign_named
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branches_for, staff_for
from kequn.ops.orgs.rights import OWN_BOOK
from kequn.ops.runtime import now

MOST_CNY = Decimal(10) ** 13


def targets_for(actor: Actor, *, period: str = "", campaign: str = "", metric: str = "") -> QuerySet[Target]:
    """Return the targets an actor sees: her own and those of her branches; an RM only her own."""
    rows = Target.objects.select_related("parent")
    if actor.role in OWN_BOOK:
        rows = rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    else:
        actor.must("board.view")
        if not actor.sees_all_branches:
            rows = rows.filter(branch_code__in=branches_for(actor).values("code"))
    wanted = {"period": period, "campaign": campaign, "metric": metric}
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def left_of(actor: Actor, metric: str, period: str, *, campaign: str = "", branch: str = "") -> Left | None:
    """Return what of a branch's target (the actor's own by default) is still to be broken down; ``None`` where there is none."""
    parts = Target.objects.filter(parent=OuterRef("pk")).order_by().values("parent").annotate(n=Sum("amount"))
    rows = targets_for(actor, metric=metric, period=period).annotate(given=Subquery(parts.values("n")))
    row = rows.filter(branch_code=branch or actor.branch_code, staff_no="", campaign=campaign).first()
    return None if row is None else Left(row.branch_code, row.amount, row.given or 0)


def set_targets(
    actor: Actor, metric: str, period: str, amounts: Mapping[str, int | Decimal], *, campaign: str = "", note: str = ""
) -> list[Target]:
    """Set the targets of branches (by code) and members of staff (by number); money in yuan, the rest whole numbers.

    A target is a part of that of the branch above (an RM's of her branch's, a branch's of the next one above that has one),
    whichever of the two was set first. Whose target is broken down must come out even: the parts add up to it. More or less
    stands only with a note that says why. Who has left, or works in another branch now, keeps her part where she had it until
    it is changed or taken back there.

    Raises:
        InvalidSpec: an unknown figure or period; an amount that is none.
        NotAllowed: a branch or a person outside the actor's branches, or her own branch's target unless she sees all branches.
        Conflict: the parts do not add up and there is no note; or a campaign is not the actor's to see.
    """
    actor.must("target.edit")
    _check(metric, period, campaign)
    if campaign:
        campaign_named(actor, campaign)
    places = _places(actor, amounts, _all(metric, period, campaign))
    whole = {key: _whole(metric, amount, key) for key, amount in amounts.items()}
    with transaction.atomic():
        parents: dict[int, Target] = {}
        rows = []
        for key in sorted(places, key=lambda k: (places[k].path.count("/"), bool(places[k].staff_no), k)):
            row = _put(actor, metric, period, campaign, places[key], whole[key], note)
            if not row.staff_no:
                _take_in(row, places[key])
            rows.append(row)
            if row.parent is not None:
                parents[row.parent.pk] = row.parent
        broken = {r.pk: r for r in rows if Target.objects.filter(parent=r).exists()}
        for parent in (parents | broken).values():
            _must_come_out(parent, note)
        record(
            actor, "target.set", ("target", f"{metric}:{period}"), campaign=campaign, note=note[:200],
            amounts={k: str(v) for k, v in sorted(whole.items())[:200]},
        )  # fmt: skip
    return rows


def set_campaign_targets(
    actor: Actor, campaign: str, amounts: Mapping[str, int | Decimal], *, metric: str = "contacts", note: str = ""
) -> list[Target]:
    """Set what each branch is to reach with the list of a campaign that is sent down: contacts, or another figure of campaigns."""
    return set_targets(actor, metric, CAMPAIGN, amounts, campaign=campaign, note=note)


def load_targets(actor: Actor, file: Path | bytes, file_name: str, *, note: str = "") -> int:
    """Set the targets of a workbook or CSV file with the columns metric, period, branch_code, staff_no, amount, campaign.

    All or nothing; return how many were set.

    Raises:
        SeveralErrors: each faulty row with its line.
        KequnError: as ``set_targets``.
    """
    actor.must("target.edit")
    wanted: dict[tuple[str, str, str], dict[str, int | Decimal]] = {}
    faults: list[KequnError] = []
    for line, row in read_table(file, file_name):
        try:
            metric, period, campaign = (row.get(c, "") for c in ("metric", "period", "campaign"))
            key = row.get("staff_no") or row.get("branch_code", "")
            amount = Decimal(row.get("amount", "").replace(",", ""))
            if not key:
                raise InvalidSpec(
                    "The row names neither a branch nor a member of staff.", where=Where(field="branch_code")
                )
            _check(metric, period, campaign)
            _whole(metric, amount, key)
            if key in wanted.setdefault((metric, period, campaign), {}):
                raise InvalidSpec(f"{key} has the same target twice.", hint="Leave one.", where=Where(field="amount"))
            wanted[metric, period, campaign][key] = amount
        except InvalidOperation:
            faults.append(InvalidSpec("The amount is no number.", where=Where(file_name, line, field="amount")))
        except KequnError as error:
            faults.append(
                InvalidSpec(error.message, hint=error.hint, where=Where(file_name, line, field=error.where.field))
            )
    if faults:
        raise SeveralErrors(faults)
    with transaction.atomic():
        done = [
            set_targets(actor, metric, period, amounts, campaign=campaign, note=note)
            for (metric, period, campaign), amounts in wanted.items()
        ]
    return sum(map(len, done))


def remove_target(actor: Actor, target_id: int, *, note: str = "") -> None:
    """Take back a target that was not broken down, also of one who has left; what is left of its parent's must come out even.

    Raises:
        NotAllowed: not there, or not hers to set.
        Conflict: it has parts, or the other parts of its parent do not add up and there is no note.
    """
    actor.must("target.edit")
    row = targets_for(actor).filter(pk=target_id).first()
    if row is None or not (row.staff_no or row.branch_code != actor.branch_code or actor.sees_all_branches):
        raise NotAllowed("There is no such target in your scope.", target=target_id)
    if Target.objects.filter(parent=row).exists():
        raise Conflict("The target was broken down.", hint="Take back its parts first.", target=target_id)
    with transaction.atomic():
        Target.objects.filter(pk=row.pk).delete()
        if row.parent is not None:
            _must_come_out(row.parent, note)
        record(
            actor, "target.removed", ("target", f"{row.metric}:{row.period}"), of=row.staff_no or row.branch_code, note=note[:200]
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    branch_code: str
    path: str
    staff_no: str = ""


def _check(metric: str, period: str, campaign: str) -> None:
    if metric not in (OF_CAMPAIGNS if campaign else TARGETS):
        known = ", ".join(OF_CAMPAIGNS if campaign else TARGETS)
        raise InvalidSpec(f"{metric!r} takes no target.", hint=f"One of {known}.", where=Where(field="metric"))
    if campaign and period != CAMPAIGN:
        raise InvalidSpec(
            "A campaign's targets run as long as the campaign.", hint=f"Write {CAMPAIGN!r} as the period.",
            where=Where(field="period"),
        )  # fmt: skip
    if not campaign:
        period_named(period)


def _whole(metric: str, amount: int | Decimal, key: str) -> int:
    """Return an amount as it is stored: a count, or fen."""
    value = Decimal(amount) * (100 if FIGURES[metric].money else 1)
    if not value.is_finite() or not 0 <= value < MOST_CNY * 100 or value != value.to_integral_value():
        raise InvalidSpec(
            f"{amount} is no target for {key}.", hint="Whole numbers from 0 on; money in yuan, to the fen.",
            where=Where(field="amount"),
        )  # fmt: skip
    return int(value)


def _places(actor: Actor, keys: Iterable[str], there: QuerySet[Target]) -> dict[str, _Place]:
    """Return where each key belongs: an RM's branch, the branch where her target stands ``there``, or the branch itself.

    One sets targets for RMs of one's branches and for branches below one's own; who sees all branches sets her own's too.
    """
    wanted = list(keys)
    paths = dict(branches_for(actor).values_list("code", "path"))
    left = there.filter(staff_no__in=wanted, branch_code__in=paths).exclude(staff_no="").order_by("pk")
    gone = {row.staff_no: _Place(row.branch_code, paths[row.branch_code], row.staff_no) for row in left}
    people = {
        number: _Place(code, path, number)
        for number, code, path in staff_for(actor, role="rm")
        .filter(staff_no__in=wanted)
        .values_list("staff_no", "branch__code", "branch__path")
    }
    own = "" if actor.sees_all_branches else actor.branch_code
    branches = {code: _Place(code, paths[code]) for code in wanted if code in paths and code != own}
    places = branches | gone | people
    if missing := sorted(set(wanted) - set(places)):
        raise NotAllowed(f"There is no branch or RM {missing[0]!r} for which you set targets.", of=missing[0])
    return places


def _all(metric: str, period: str, campaign: str) -> QuerySet[Target]:
    return Target.objects.filter(metric=metric, period=period, campaign=campaign)


def _put(actor: Actor, metric: str, period: str, campaign: str, place: _Place, amount: int, note: str) -> Target:
    fields: dict[str, Any] = {
        "amount": amount, "parent": _parent(metric, period, campaign, place), "note": note[:200], "set_by": actor.display_name[:40],
        "set_at": now(),
    }  # fmt: skip
    row, _ = Target.objects.update_or_create(
        metric=metric, period=period, campaign=campaign, branch_code=place.branch_code, staff_no=place.staff_no,
        defaults=fields,
    )  # fmt: skip
    return row


def _take_in(row: Target, place: _Place) -> None:
    """Make what was a part of the target above, or of none, a part of a branch's that lies between."""
    below = branches_for(system_actor()).filter(path__startswith=place.path).values("code")
    rows = _all(row.metric, row.period, row.campaign).filter(parent=row.parent, branch_code__in=below)
    rows.exclude(pk=row.pk).update(parent=row)


def _parent(metric: str, period: str, campaign: str, place: _Place) -> Target | None:
    """Return the target of the nearest branch above (for an RM: from her own on) that has one."""
    chain = place.path.strip("/").split("/")
    above = chain if place.staff_no else chain[:-1]
    rows = _all(metric, period, campaign).filter(staff_no="", branch_code__in=above)
    return max(rows, key=lambda r: above.index(r.branch_code), default=None)


def _given(row: Target) -> int:
    return Target.objects.filter(parent=row).aggregate(n=Sum("amount"))["n"] or 0


def _must_come_out(parent: Target, note: str) -> None:
    given = _given(parent)
    if given == parent.amount or note.strip() or not Target.objects.filter(Q(parent=parent)).exists():
        return
    scale = 100 if FIGURES[parent.metric].money else 1
    off = Decimal(parent.amount - given) / scale
    branch, cure = parent.branch_code, "Give what is left, or write a note that says why."
    if off > 0:
        raise Conflict(f"The parts of {branch} fall short of its target by {off:,}.", hint=cure, branch=branch)
    raise Conflict(f"The parts of {branch} exceed its target by {-off:,}.", hint=cure, branch=branch)
