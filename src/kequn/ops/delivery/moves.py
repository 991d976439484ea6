"""What one transaction does to many touches, gathered and then written with one statement a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection, models

from kequn.ops.chunks import chunks
from kequn.ops.delivery import accounts
from kequn.ops.delivery.contracts import Pending
from kequn.ops.delivery.models import Contact, InFlight, Outcome, Ready, Unknown
from kequn.ops.delivery.states import NOT_SENT


class Moves:
    """Where touches go. The caller deletes the rows they leave, within the same transaction as ``write``."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._outcomes: list[tuple[object, ...]] = []
        self._ready: list[Ready] = []
        self._unknown: list[Unknown] = []
        self._uncontacted: list[str] = []
        self._changes: dict[int, Counter[str]] = defaultdict(Counter)

    def end(self, row: InFlight | Unknown, state: str, reason: str = "", *, message_id: str = "") -> str:
        """The touch was handed over, or finally refused. Return the state."""
        self._count(row, handed=1, failed=int(state in ("failed", "dead")))
        self._outcome(row.touch_id, state, reason, row.attempt, message_id)
        if state in NOT_SENT:
            self._uncontacted.append(row.touch.key)
        return state

    def not_sent(self, row: InFlight, state: str, reason: str) -> None:
        """The touch was claimed and will not be sent; if an earlier attempt may have arrived, it is presumed sent."""
        if row.is_doubtful:
            state = "presumed_sent"
        else:
            self._uncontacted.append(row.touch.key)
        self._outcome(row.touch_id, state, reason, row.attempt - 1, "")

    def never_claimed(self, pending: Pending, state: str, reason: str) -> None:
        """The touch leaves the line without another attempt."""
        self._outcome(pending.touch_id, "presumed_sent" if pending.is_doubtful else state, reason, pending.attempt, "")

    def proved(self, row: Ready) -> None:
        """A receipt shows that the gateway had the touch, though it stood in line (again)."""
        self._changes[row.touch.sending_id].update(handed=1)
        self._outcome(row.touch_id, "accepted", "receipt", row.attempt, "")

    def requeue(
        self,
        row: InFlight | Unknown,
        *,
        attempt: int,
        doubtful: bool,
        failures: int | None = None,
        wait: timedelta = timedelta(0),
    ) -> None:
        """The touch waits again. Its contact is given back, unless an earlier attempt may have arrived."""
        self._count(row)
        if not doubtful:
            self._uncontacted.append(row.touch.key)
        self._ready.append(
            Ready(
                touch_id=row.touch_id, sending_id=row.touch.sending_id, channel=row.channel,
                priority=row.touch.priority, not_before=self.at + wait, attempt=attempt, is_doubtful=doubtful,
                failures=row.failures if failures is None else failures,
            )
        )  # fmt: skip

    def doubt(self, row: InFlight, why: str, *, since: datetime, ask_after: datetime) -> None:
        """Nobody knows what came of the attempt."""
        self._count(row, handed=1, unknown=1)
        self._unknown.append(
            Unknown(
                touch_id=row.touch_id, channel=row.channel, attempt=row.attempt, failures=row.failures, token=row.token,
                why=why[:40], since=since, ask_after=ask_after,
            )
        )  # fmt: skip

    def write(self) -> list[str]:
        """Write everything; return the waves that the brake stopped."""
        insert(Outcome, OUTCOME, self._outcomes)
        Ready.objects.bulk_create(self._ready)
        Unknown.objects.bulk_create(self._unknown)
        if self._uncontacted:
            Contact.objects.filter(ref__in=self._uncontacted).delete()
        return accounts.count(self._changes, at=self.at)

    def _count(self, row: InFlight | Unknown, **delta: int) -> None:
        change = self._changes[row.touch.sending_id]
        if isinstance(row, Unknown):  # it was counted when it became unknown
            change.update(handed=-1, unknown=-1)
        change.update(delta)

    def _outcome(self, touch_id: int, state: str, reason: str, attempt: int, message_id: str) -> None:
        self._outcomes.append((touch_id, Outcome.Stage.HANDED, state, reason[:120], attempt, message_id[:80], self.at))


OUTCOME = ("touch", "stage", "state", "reason", "attempt", "message_id", "at")


def insert(table: type[models.Model], columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows without making objects of them: the hot tables are written fifty rows at a time, for each claim anew."""
    if not rows:
        return
    fields = [table._meta.get_field(name) for name in columns]
    names = ", ".join(connection.ops.quote_name(f.column) for f in fields)
    place = "(" + ", ".join(["%s"] * len(fields)) + ")"
    most = (connection.features.max_query_params or 10_000) // len(fields)
    with connection.cursor() as cursor:
        for chunk in chunks(rows, most):
            values = [f.get_db_prep_save(v, connection) for row in chunk for f, v in zip(fields, row, strict=True)]
            places = ", ".join([place] * len(chunk))
            cursor.execute(f"INSERT INTO {table._meta.db_table} ({names}) VALUES {places}", values)
