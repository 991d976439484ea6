"""Take stock of a book: open a round, decide one customer after another, take a decision back, end the round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from django.db import IntegrityError, transaction

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.books import states
from kequn.ops.books.circling import add_to_circle
from kequn.ops.books.correcting import Proposal, checked, dismiss_of_line, propose_correction
from kequn.ops.books.filters import filter_query
from kequn.ops.books.listing import chosen
from kequn.ops.books.models import StockTake, StockTakeLine
from kequn.ops.books.rounds import line_for, stock_take_for
from kequn.ops.books.viewing import filter_of
from kequn.ops.customers.queries import people_by_id
from kequn.ops.customers.services import clean
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import staff_for
from kequn.ops.ownership.services import give_up_customers
from kequn.ops.runtime import now
from kequn.ops.workbench.services import open_matters

MOST_LINES = 2_000
LONGEST_ROUND = timedelta(days=180)
OPEN_MATTERS = {
    "promise": "A contact promised for {} is open with this customer.", "complaint": "Her complaint of {} is open.",
    "request": "Her request of {} is open.",
}  # fmt: skip


def open_stock_take(
    actor: Actor, *, key: str, title: str, deadline: date, staff_no: str = "", query: str = ""
) -> StockTake:
    """Open a round over an RM's book, or those of it who meet a filter. The same key again gives the same round.

    An RM opens it over her own book, a branch head over that of one of her RMs.

    Raises:
        InvalidSpec: no title, no key, a deadline that is past or too far, a filter that is none.
        NotAllowed: no such RM in the actor's branches.
        Conflict: nobody meets the filter, or too many do.
    """
    actor.must("stocktake.run")
    staff_no, branch_code = _whose(actor, staff_no)
    wanted = replace(filter_of(query), staff=staff_no, branch="")
    title, today = clean(title, longest=80, field="title").text, bank_today()
    if not title or not key.strip():
        raise InvalidSpec("A round needs a title.", where=Where(field="title" if not title else "key"))
    if not today <= deadline <= today + LONGEST_ROUND:
        raise InvalidSpec(f"A round ends between today and {today + LONGEST_ROUND}.", where=Where(field="deadline"))
    own = f"{actor.username}:{key}:{staff_no}"[:64]
    if (before := StockTake.objects.filter(key=own).first()) is not None:
        return before
    ids = chosen(actor, wanted)
    if not ids:
        raise Conflict("Nobody in the book meets this filter.", hint="Choose a wider filter.")
    if len(ids) > MOST_LINES:
        raise Conflict(f"A round has at most {MOST_LINES:,} customers.", hint="Choose a narrower filter.", n=len(ids))
    try:
        with transaction.atomic():
            row = StockTake.objects.create(
                key=own, title=title, staff_no=staff_no, branch_code=branch_code, deadline=deadline, opened_at=now(),
                query=filter_query(replace(wanted, staff=""))[:1000], opened_by=actor.username,
            )  # fmt: skip
            StockTakeLine.objects.bulk_create(
                [StockTakeLine(stock_take=row, customer_id=i, position=n) for n, i in enumerate(ids, 1)], batch_size=500
            )
            record(actor, "stocktake.opened", row, staff=staff_no, n=len(ids), deadline=deadline.isoformat())
    except IntegrityError:
        return StockTake.objects.get(key=own)
    return row


def decide_line(
    actor: Actor,
    line_id: int,
    *,
    key: str,
    result: str,
    reason: str = "",
    note: str = "",
    circle: int | None = None,
    corrections: Sequence[Proposal] = (),
) -> StockTakeLine:
    """Decide one customer of a round: ``confirmed``, ``corrected``, ``grouped`` or ``given_up``. The same key again changes nothing.

    A customer who left the book meanwhile is marked so, whatever was asked; nothing else happens to her.

    Raises:
        NotAllowed: it is not the actor's own round.
        InvalidSpec: no such result; a correction, a circle or a reason is missing.
        Conflict: somebody decided it meanwhile; or the round is over.
    """
    actor.must("stocktake.run")
    line = line_for(actor, line_id)
    if line.stock_take.staff_no != actor.staff_no or not actor.staff_no:
        raise NotAllowed("An RM takes stock of her own book alone.", right="stocktake.run", line=line_id)
    own = f"{actor.username}:{key}"[:64]
    said = (result, reason if result == states.GIVEN_UP else "", clean(note, longest=500).text)
    if line.key == own and line.state != states.TODO:
        return _same(line, said)
    _check_decision(key, result, reason, circle, corrections)
    _goes_on(line.stock_take)
    person = people_by_id(actor, [line.customer_id]).get(line.customer_id)
    if person is None or person.rm_no != actor.staff_no:
        result, reason, corrections, circle = states.GONE, "", (), None
    fields = {
        "state": result, "reason": reason if result == states.GIVEN_UP else "", "note": said[2], "key": own,
        "decided_by": actor.username, "decided_at": now(),
    }  # fmt: skip
    with transaction.atomic():
        if not StockTakeLine.objects.filter(pk=line.pk, state=states.TODO).update(**fields):
            line.refresh_from_db()
            if line.key == own:
                return _same(line, said)
            raise Conflict(
                f"{line.decided_by} decided this meanwhile.", hint="Reload to see what.", line=line_id, state=line.state
            )
        line.refresh_from_db()
        _carry_out(actor, line, result, reason, circle, corrections)
        record(actor, "stocktake.decided", line, customer=line.customer_id, result=result, reason=line.reason)
        _finish(actor, line.stock_take)
    return line


def take_back_line(actor: Actor, line_id: int) -> StockTakeLine:
    """Put a customer back among those to look at; her proposed corrections are put aside. One given up stays given up.

    Raises:
        Conflict: the round was closed, or she is not to be taken back.
    """
    actor.must("stocktake.run")
    line = line_for(actor, line_id)
    if line.stock_take.staff_no != actor.staff_no:
        raise NotAllowed("An RM takes stock of her own book alone.", right="stocktake.run", line=line_id)
    if line.stock_take.state == states.CLOSED:
        raise Conflict("The round was closed.", hint="Open a new one.")
    back = [state for state, following in states.LINE.items() if states.TODO in following]
    fields = {"state": states.TODO, "reason": "", "note": "", "key": "", "decided_by": "", "decided_at": None}
    with transaction.atomic():
        if not StockTakeLine.objects.filter(pk=line.pk, state__in=back).update(**fields):
            raise Conflict(f"The line is {line.state}.", hint="Reload.", line=line_id)
        dismiss_of_line(actor, line)
        StockTake.objects.filter(pk=line.stock_take_id, state=states.DONE).update(state=states.OPEN, closed_at=None)
        record(actor, "stocktake.taken_back", line, customer=line.customer_id)
    line.refresh_from_db()
    return line


def close_stock_take(actor: Actor, stock_take_id: int) -> StockTake:
    """End a round before its last line: who was not looked at stays so (who opened it, or the branch head).

    Raises:
        Conflict: it is over.
    """
    row = _steered(actor, stock_take_id)
    with transaction.atomic():
        if not StockTake.objects.filter(pk=row.pk, state=states.OPEN).update(state=states.CLOSED, closed_at=now()):
            raise Conflict(f"The round is {row.state}.", hint="Reload.", stock_take=row.pk)
        record(actor, "stocktake.closed", row)
    row.refresh_from_db()
    return row


def move_deadline(actor: Actor, stock_take_id: int, deadline: date) -> StockTake:
    """Give a round more or less time (who opened it, or the branch head)."""
    row, today = _steered(actor, stock_take_id), bank_today()
    if not today <= deadline <= today + LONGEST_ROUND:
        raise InvalidSpec(f"A round ends between today and {today + LONGEST_ROUND}.", where=Where(field="deadline"))
    with transaction.atomic():
        if not StockTake.objects.filter(pk=row.pk, state=states.OPEN).update(deadline=deadline):
            raise Conflict(f"The round is {row.state}.", hint="Reload.", stock_take=row.pk)
        record(actor, "stocktake.deadline_moved", row, deadline=deadline.isoformat())
    row.refresh_from_db()
    return row


def _same(line: StockTakeLine, said: tuple[str, str, str]) -> StockTakeLine:
    """A form that comes twice is one decision; the same form with another one is somebody's mistake, and said so."""
    if line.state != states.GONE and (line.state, line.reason, line.note) != said:
        raise Conflict(
            "This form was sent before with another decision.",
            hint="Reload to see what.",
            line=line.pk,
            state=line.state,
        )
    return line


def _whose(actor: Actor, staff_no: str) -> tuple[str, str]:
    """Whose book it is, and her branch."""
    if actor.role == "rm":
        if staff_no not in ("", actor.staff_no) or not actor.staff_no:
            raise NotAllowed("There is no such RM in your branches.", staff=staff_no)
        return actor.staff_no, actor.branch_code
    rm = staff_for(actor, role="rm").filter(staff_no=staff_no).exclude(staff_no="").first()
    if rm is None:
        raise NotAllowed("There is no such RM in your branches.", staff=staff_no)
    return rm.staff_no, rm.branch.code


def _steered(actor: Actor, stock_take_id: int) -> StockTake:
    actor.must("stocktake.run")
    row = stock_take_for(actor, stock_take_id)
    if actor.role == "rm" and row.opened_by != actor.username:
        raise NotAllowed("Who opened the round ends it.", right="stocktake.run", stock_take=stock_take_id)
    return row


def _check_decision(key: str, result: str, reason: str, circle: int | None, corrections: Sequence[Proposal]) -> None:
    if not key.strip():
        raise InvalidSpec("A record needs a key.", hint="Send one with the request.", where=Where(field="key"))
    if result not in states.RESULTS:
        raise InvalidSpec(f"There is no result {result!r}: {', '.join(states.RESULTS)}.", where=Where(field="result"))
    if result == states.GIVEN_UP and reason not in states.REASONS:
        raise InvalidSpec("Say why you give her up.", where=Where(field="reason"))
    if result == states.GROUPED and circle is None:
        raise InvalidSpec("Say which circle she belongs to.", where=Where(field="circle"))
    if result == states.CORRECTED and not corrections:
        raise InvalidSpec("Say what is to be corrected.", where=Where(field="field"))
    for each in corrections:
        checked(each)


def _goes_on(row: StockTake) -> None:
    if row.state != states.OPEN:
        raise Conflict(f"The round is {row.state}.", hint="Reload.", stock_take=row.pk)
    if row.deadline < bank_today():
        raise Conflict(
            f"The round ended on {row.deadline}.", hint="Ask your branch head for more time.", stock_take=row.pk
        )


def _carry_out(
    actor: Actor, line: StockTakeLine, result: str, reason: str, circle: int | None, corrections: Sequence[Proposal]
) -> None:
    for each in corrections if result == states.CORRECTED else ():
        propose_correction(actor, line.customer_id, each, line=line)
    if result == states.GROUPED and circle is not None:
        add_to_circle(actor, circle, [line.customer_id])
    if result == states.GIVEN_UP:
        words = states.REASONS[reason].zh
        moved = give_up_customers(actor, [line.customer_id], note=f"{words}：{line.note}" if line.note else words)
        if line.customer_id not in moved.done:
            raise _still_open(line.customer_id)


def _still_open(customer_id: str) -> Conflict:
    """Say what keeps a customer from being given up: the first of what is open with her."""
    open_ = open_matters([customer_id]).get(customer_id)
    said = OPEN_MATTERS[open_[0].kind].format(open_[0].on) if open_ else "Something is open with this customer."
    return Conflict(said, hint="It stands on her page under what is open; settle it first.", customer=customer_id)


def _finish(actor: Actor, row: StockTake) -> None:
    if StockTakeLine.objects.filter(stock_take=row, state=states.TODO).exists():
        return
    if StockTake.objects.filter(pk=row.pk, state=states.OPEN).update(state=states.DONE, closed_at=now()):
        record(actor, "stocktake.done", row)
