"""Who gets whom: a pure, deterministic answer to rules, capacity and what customers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kequn.core.spec.ownership import AssignmentSpec

NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class Seeker:
    """A customer who needs an owner."""

    customer_id: str
    branch_code: str
    value: int = 0
    """Fen; the more valuable choose first."""
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    earlier: tuple[str, ...] = ()
    """Those who had her before, the latest first."""


@dataclass(slots=True)
class Taker:
    """A relationship manager who may take customers; ``owned`` grows as she gets them."""

    staff_no: str
    branch_code: str
    owned: int
    limit: int
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()

    @property
    def fullness(self) -> tuple[float, str]:
        """How full her book is; the staff number decides between equals."""
        return (self.owned / self.limit if self.limit else 1.0, self.staff_no)


@dataclass(frozen=True, slots=True)
class Placed:
    """One customer with her new owner ("" for nobody) and the rule that decided."""

    customer_id: str
    staff_no: str
    why: str


def place(
    seekers: Sequence[Seeker],
    takers: Sequence[Taker],
    rules: AssignmentSpec,
    *,
    nearest: Mapping[str, Sequence[str]] | None = None,
) -> list[Placed]:
    """Return who gets each customer, in the order of value and then of id.

    Nobody ends above her limit. ``nearest`` gives the branches to ask when one is full, the nearest first.
    """
    by_branch: dict[str, list[Taker]] = {}
    for taker in takers:
        by_branch.setdefault(taker.branch_code, []).append(taker)
    placed = []
    for seeker in sorted(seekers, key=lambda s: (-s.value, s.customer_id)):
        found = _with_room(by_branch, seeker.branch_code)
        far = False
        if not found and "nearest" in rules.order:
            others = (nearest or {}).get(seeker.branch_code, ())
            found = next((near for branch in others if (near := _with_room(by_branch, branch))), [])
            far = True
        if not found:
            placed.append(Placed(seeker.customer_id, "", NO_ROOM))
            continue
        taker, why = _choose(seeker, found, rules)
        taker.owned += 1
        placed.append(Placed(seeker.customer_id, taker.staff_no, "nearest" if far else why))
    return placed


def _with_room(by_branch: Mapping[str, Sequence[Taker]], branch: str) -> list[Taker]:
    return [t for t in by_branch.get(branch, ()) if t.owned < t.limit]


def _choose(seeker: Seeker, found: list[Taker], rules: AssignmentSpec) -> tuple[Taker, str]:
    """Each rule keeps who fits; one that would keep nobody is passed over. The rule that left one alone decided."""
    for rule in rules.order:
        kept = _fitting(rule, seeker, found)
        if kept and len(kept) < len(found):
            found = kept
            if len(found) == 1:
                return found[0], rule
    return min(found, key=lambda t: t.fullness), "balance" if len(found) > 1 else "only"


def _fitting(rule: str, seeker: Seeker, found: Sequence[Taker]) -> list[Taker]:
    match rule:
        case "earlier":
            by_no = {t.staff_no: t for t in found}
            return [by_no[s] for s in seeker.earlier if s in by_no][:1]
        case "skill":
            return [t for t in found if seeker.skills and seeker.skills <= t.skills]
        case "language":
            return [t for t in found if seeker.languages and seeker.languages <= t.languages]
    return []
