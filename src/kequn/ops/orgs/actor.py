"""Who acts: the first argument of every service and query."""

from __future__ import annotations

from dataclasses import dataclass

from kequn.core.errors import NotAllowed
from kequn.ops.orgs.rights import OWN_BOOK, RIGHTS, SYSTEM


@dataclass(frozen=True, slots=True)
class Actor:
    """A member of staff at work, or the system (操作人).

    ``branch_path`` is the materialised path of the branch ("/HO/P1/C3/0001/"); the scope of an actor is every branch below it,
    and for an RM the customers of her book alone (``staff_no``).
    """

    user_id: int | None
    username: str
    role: str
    branch_code: str
    branch_path: str
    staff_no: str = ""
    display_name: str = ""
    branch_name: str = ""
    branch_level: str = ""
    """``head_office``, ``province``, ``city`` or ``branch``, which has none below it."""

    def may(self, right: str) -> bool:
        """Whether the role carries the right."""
        return right in (SYSTEM if self.role == "system" else RIGHTS.get(self.role, frozenset()))

    def must(self, right: str) -> None:
        """Refuse when the role does not carry the right.

        Raises:
            NotAllowed: with the right's name, so that the page can say whom to ask.
        """
        if not self.may(right):
            raise NotAllowed(
                f"Your role may not do this ({right}).", hint="Ask an administrator for the right.", right=right
            )

    @property
    def sees_all_branches(self) -> bool:
        """Whether the scope is the whole institution."""
        return self.role == "system" or (self.role not in OWN_BOOK and self.branch_path.count("/") <= 2)


def system_actor() -> Actor:
    """Return the actor under whose name the worker runs."""
    return Actor(user_id=None, username="system", role="system", branch_code="", branch_path="/", display_name="system")
