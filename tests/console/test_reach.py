"""Role × branch × object, generated from the addresses of console and REST: nobody sees, counts, finds or takes out another's customer.

The bank is set up once for all of it: three relationship managers, two of them of one branch, two branch heads, an agent of the
remote centre; each manager has one of everything. Every test leaves the bank as it was.
"""

from __future__ import annotations

import json
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, reverse

from kequn.core.errors import Conflict
from kequn.ops import runtime
from kequn.ops.audiences.models import Export
from kequn.ops.board import services as board
from kequn.ops.board.exporting import desk_sheets, lists_for
from kequn.ops.board.models import Reassignment
from kequn.ops.books import services as books
from kequn.ops.books.contracts import BookFilter
from kequn.ops.books.queries import book_page
from kequn.ops.customers.models import Person
from kequn.ops.feedback import services as feedback
from kequn.ops.governance.models import Approval
from kequn.ops.governance.services import decide
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.models import User
from kequn.ops.orgs.rights import RIGHTS
from kequn.ops.orgs.services import issue_token
from kequn.ops.ownership import services as ownership
from kequn.ops.ownership.models import LoadConflict, Neglect, Notice, OwnerChange, WecomMove
from kequn.ops.workbench import services as workbench
from kequn.ops.workbench.models import HeldOutflow, Task
from kequn.ops.workbench.queries import task_counts
from tests.api.test_matrix import ROUTES
from tests.api.test_matrix import VALUES as NOWHERE
from tests.console.conftest import Things, make_things
from tests.console.test_access import pages
from tests.ops.bank import approved_definitions, customer_id, make_people
from tests.ops.conftest import CAST, NOW, installed_at, make_cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_it_was")]
STAFF = CAST | {
    "hejie": ("何杰", "rm", "0001", "R003"),
    "wumei": ("吴梅", "branch_head", "0002", "B002"),
    "yuanfang": ("袁芳", "remote_agent", "HO", "Y001"),
}
HEADS = {"0001": "liqiang", "0002": "wumei"}
RMS = ("wangfang", "hejie", "chenjing")
READERS = (*RMS, *HEADS.values(), "yuanfang")
"""Whose sight ends at a book or a branch."""
HIDDEN = (403, 404, 405, 422)
"""Not hers, no such verb, or nothing to look at for a form that says nothing."""
SHARED = {"name", "kind", "block", "code", "username", "version_id", "load_id", "approval_id", "discovery_id", "target_id", "span", "offer",
          "as_of", "review_id", "branch", "branch_code", "contact", "case_id"}  # fmt: skip
"""Parameters that name no object of one manager."""
OF_ALL = {"note_change"}
"""Notes of experts, which are everybody's."""


@dataclass
class World:
    """The bank as it stands, and what each manager has."""

    cast: dict[str, Actor]
    things: Things
    keys: dict[str, str]
    owned: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Manager -> parameter of an address -> her object."""

    def ids(self, who: str) -> set[str]:
        """The customers within somebody's sight, told by who has whom alone."""
        actor = self.cast[who]
        rows = Person.objects.filter(branch_code=actor.branch_code)
        if actor.role != "branch_head":
            rows = Person.objects.filter(rm_no=actor.staff_no)
        return set(rows.values_list("pk", flat=True))

    def reaches(self, who: str, owner: str) -> bool:
        return who == owner or who == HEADS[self.cast[owner].branch_code]


@pytest.fixture(scope="module", autouse=True)
def bank_runtime(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[runtime.Runtime]:
    """One runtime for the module."""
    with installed_at(tmp_path_factory.mktemp("reach")) as installed:
        shutil.copytree(built, installed.store.root, dirs_exist_ok=True)
        yield installed


@pytest.fixture
def _django_db_helper() -> None:
    """Leave the database to the module: a transaction of pytest's own per test would close its connection."""


@pytest.fixture(scope="module")
def world(bank_runtime: runtime.Runtime, django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Set the bank up once; all of it is taken back at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        cast = make_cast(STAFF)
        make_people()
        third = [customer_id(n) for n in range(400, 600, 2)]
        Person.objects.filter(pk__in=third).update(rm_no="R003", bank_rm_no="R003")
        approved_definitions(cast)
        made = World(cast, make_things(cast), {who: issue_token(system_actor(), who, label="test") for who in STAFF})
        for n, who in enumerate(RMS):
            made.owned[who] = one_of_everything(cast, who, n)
        yield made
        transaction.set_rollback(True)


@pytest.fixture
def as_it_was(world: World, django_db_blocker: Any) -> Iterator[None]:
    """Take back what a test did."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


def one_of_everything(cast: dict[str, Actor], who: str, n: int) -> dict[str, Any]:
    """Give a manager one of each object that an address can name, marked with her number."""
    rm, head = cast[who], cast[HEADS[cast[who].branch_code]]
    mark = f"标记{rm.staff_no}"
    open_ = Task.objects.filter(staff_no=rm.staff_no, state="open").exclude(pk=1).order_by("-pk")
    task, worked, doubted = open_[:3]
    her = task.customer_id
    follow_up = workbench.record_outcome(rm, worked.pk, key=f"k{n}", contact="no_answer", note=mark)
    entry = feedback.mark_wrong(rm, doubted.pk, "other", key=f"w{n}", text=mark)
    told = feedback.send_feedback(rm, "insight", mark, key=f"i{n}", about=mark)
    circle = books.create_circle(rm, mark)
    books.add_to_circle(rm, circle.pk, [her])
    taking = books.open_stock_take(rm, key=f"s{n}", title=mark, deadline=NOW.date())
    plan = books.plan_visits(rm, key=f"v{n}", title=mark, on=NOW.date(), customer_ids=[her])
    change = OwnerChange.objects.create(
        customer_id=her, from_staff="R009", to_staff=rm.staff_no, branch_code=rm.branch_code, reason="assigned", note=mark,
        by="x", at=NOW - timedelta(days=60),
    )  # fmt: skip
    of_her = {"customer_id": her, "branch_code": rm.branch_code}
    Notice.objects.create(**of_her, change=change, staff_no=rm.staff_no, due_on=NOW.date())
    Neglect.objects.create(
        **of_her, staff_no=rm.staff_no, stage="warned", idle_since=NOW.date() - timedelta(days=60), warned_on=NOW.date()
    )
    HeldOutflow.objects.create(key=mark, customer_id=her, value_cny=10**7, blocked=["OPTED_OUT"], raised_at=NOW)
    move = WecomMove.objects.create(
        **of_her,
        from_staff="R009",
        to_staff=rm.staff_no,
        call=uuid.uuid4().hex,
        planned_at=NOW,
        earliest_at=NOW,
        by="x",
    )
    absence = ownership.record_absence(
        head,
        rm.staff_no,
        kind="leave",
        first_day=NOW.date() + timedelta(days=30),
        last_day=NOW.date() + timedelta(days=31),
    )
    asked = board.request_desk_export(rm, "tasks", key=f"t{n}", purpose=mark)
    moved = Reassignment.objects.create(
        key=mark, from_staff=rm.staff_no, branch_code=rm.branch_code, branch_path=rm.branch_path, reason=mark, moves={},
        made_by=head.display_name, at=NOW,
    )  # fmt: skip
    if asked.export_id is None:
        waiting = Approval.objects.get(kind="desk_export", name=str(asked.pk))
        decide(head, waiting.pk, approve=True)
        asked.refresh_from_db()
    return {
        "customer_id": her, "task_id": task.pk, "follow_up_id": follow_up.pk, "entry_id": entry.pk, "feedback_id": told.pk,
        "circle_id": circle.pk, "stock_take_id": taking.pk, "line_id": taking.lines.get(position=1).pk, "plan_id": plan.pk,
        "visit_id": plan.visits.get().pk, "view_id": books.save_view(rm, mark, "aum_min=1").pk, "staff_no": rm.staff_no,
        "note_id": board.write_note(head, rm.staff_no, mark, key=f"n{n}").pk, "absence_id": absence.pk, "move_id": move.pk,
        "correction_id": books.propose_correction(rm, her, books.Proposal("phone_invalid", note=mark)).pk,
        "conflict_id": LoadConflict.objects.create(**of_her, before="", bank="R009", kequn=rm.staff_no, at=NOW).pk,
        "assignment_id": ownership.draw_hand_over(head, rm.staff_no, cause="transfer", note=mark).pk,
        "reassignment_id": moved.pk, "export_id": asked.export_id, "job_id": Export.objects.get(pk=asked.export_id).job_id,
    }  # fmt: skip


FORM = {
    "key": "k", "note": "x", "reason": "x", "text": "x", "purpose": "x", "name": "x", "outcome": "no_answer", "contact": "no_answer",
    "field": "phone", "staff": "R001", "decision": "confirmed", "active": "0",
}  # fmt: skip
"""What a form needs so that it is refused for whose the object is, not for what it lacks."""
ACTS = {"visits": "cancel", "owners": "drop", "circles": "remove", "stock-takes": "close"}


# -- ways in ------------------------------------------------------------------------------------------------------------


Ask = Callable[[str, str, str], Any]


@pytest.fixture
def ask(world: World) -> Ask:
    """Return a function that asks console or REST as somebody: ask("wangfang", "get", "/c/")."""
    clients: dict[str, Client] = {}

    def sit(who: str) -> Client:
        if who not in clients:
            clients[who] = Client(raise_request_exception=False)
            user = User.objects.get(username=who)
            clients[who].force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return clients[who]

    def send(who: str, verb: str, path: str) -> Any:
        client = sit(who)
        with transaction.atomic():
            if path.startswith("/api"):
                body = {} if verb in ("get", "delete") else {"data": "{}", "content_type": "application/json"}
                found = getattr(Client(raise_request_exception=False), verb)(
                    path, **body, headers={"Authorization": f"Bearer {world.keys[who]}"}
                )
            else:
                form = FORM | {"act": ACTS.get(path.split("/")[1], "")} if verb == "post" else {}
                found = getattr(client, verb)(path, form)
            transaction.set_rollback(True)
        return found

    return send


def addresses(world: World, owner: str) -> Iterator[tuple[str, str, str]]:
    """Return (route, verb, address) of every page and REST route that names an object of one manager, filled with hers."""
    hers = world.owned[owner]
    for pattern in pages():
        names = set(pattern.pattern.converters)
        if names & hers.keys() and pattern.name not in OF_ALL:
            yield from (
                (f"console {pattern.name}", verb, page_address(pattern, world.things, hers)) for verb in ("get", "post")
            )
    for verb, path in ROUTES:
        names = {name for name in NOWHERE if "{" + name + "}" in path}
        if names & hers.keys() and not path.startswith("/v1/notes"):
            filled = path
            for name in names:
                filled = filled.replace("{" + name + "}", str(hers.get(name, NOWHERE[name])))
            yield f"rest {verb} {path}", verb, f"/api{filled}"


def page_address(pattern: URLPattern, things: Things, hers: dict[str, Any]) -> str:
    known = {**things.values, **things.by_route.get(str(pattern.name).split("_")[0], {}), **hers}
    return reverse(str(pattern.name), kwargs={name: known[name] for name in pattern.pattern.converters})


def everything_listed(world: World, who: str) -> Iterator[str]:
    """Return the address of every page and REST list that names no object of a manager."""
    for pattern in pages():
        names = set(pattern.pattern.converters)
        if names <= SHARED and RIGHTS[STAFF[who][1]] & set(pattern.callback.rights or RIGHTS[STAFF[who][1]]):
            yield page_address(pattern, world.things, {})
    for verb, path in ROUTES:
        if verb == "get" and not {name for name in NOWHERE if "{" + name + "}" in path} - {"span", "name"}:
            yield "/api" + path.replace("{span}", "day").replace("{name}", "retention")


def written(answer: Any) -> str:
    """Return what an answer says, a workbook's cells too."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if body[:2] == b"PK":
        book = zipfile.ZipFile(BytesIO(body))
        return "".join(book.read(name).decode() for name in book.namelist() if name.endswith(".xml"))
    return body.decode(errors="replace")


def strangers(world: World, who: str) -> set[str]:
    """Words that may not come before somebody: ids of others' customers, marks of managers whom she does not reach."""
    there = set(Person.objects.exclude(rm_no="").values_list("pk", flat=True)) - world.ids(who)
    return there | {f"标记{world.cast[o].staff_no}" for o in RMS if not world.reaches(who, o)}


def seen(text: str, words: set[str]) -> list[str]:
    return sorted(word for word in words if word in text)[:3]


# -- see ----------------------------------------------------------------------------------------------------------------


def test_every_parameter_of_an_address_is_anybodys_or_in_the_matrix(world: World) -> None:
    named = {name for pattern in pages() for name in pattern.pattern.converters}
    named |= {name for name in NOWHERE if any("{" + name + "}" in path for _verb, path in ROUTES)}
    assert named <= SHARED | world.owned["wangfang"].keys()


@pytest.mark.parametrize("owner", RMS)
@pytest.mark.parametrize("who", READERS)
def test_no_address_opens_another_managers_object(world: World, ask: Ask, who: str, owner: str) -> None:
    if world.reaches(who, owner):
        return
    hidden, faults = strangers(world, who), []
    for route, verb, address in addresses(world, owner):
        answer = ask(who, verb, address)
        shown = seen(written(answer).replace(address, ""), hidden - set(address.split("/")))
        if answer.status_code not in HIDDEN or shown:
            faults.append((route, verb, answer.status_code, shown))
    assert faults == [], "\n".join(map(str, faults))


@pytest.mark.parametrize("owner", RMS)
def test_each_address_opens_for_its_owner_or_her_branch_head(world: World, ask: Ask, owner: str) -> None:
    head = HEADS[world.cast[owner].branch_code]
    shut = []
    for route, verb, address in addresses(world, owner):
        if verb == "get" and not any(ask(who, verb, address).status_code in (200, 302, 405) for who in (owner, head)):
            shut.append(route)
    assert [route for route in shut if not route.startswith(FOR_OTHERS)] == []


FOR_OTHERS = (
    "console export_take", "console feedback_answer", "console feedback_draft", "console wecom_", "rest get /v1/jobs",
    "rest get /v1/segments/exports", "rest get /v1/board/staff/{staff_no}/reassignment",
    "rest get /v1/customers/{customer_id}/material/{name}",
)  # fmt: skip
"""What a GET opens for neither: a file that is not written yet, head office's answers, a panel beside a chat, others' jobs,
colleagues where there are none, material of a name that is none."""


@pytest.mark.parametrize("who", READERS)
def test_no_list_shows_or_takes_out_another_managers_customer(world: World, ask: Ask, who: str) -> None:
    hidden, faults = strangers(world, who), []
    for address in everything_listed(world, who):
        for query in ("",) if address.startswith("/api") else ("", "?export=xlsx"):
            answer = ask(who, "get", address + query)
            shown = seen(written(answer), hidden)
            if answer.status_code >= 500 or shown:
                faults.append((address + query, answer.status_code, shown))
    assert faults == [], "\n".join(map(str, faults))


# -- count --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", RMS + tuple(HEADS.values()))
def test_the_sums_are_of_ones_own_customers_and_work(world: World, who: str) -> None:
    actor, mine = world.cast[who], world.ids(who)
    page = book_page(actor, BookFilter())
    assert (page.book, page.total) == (len(mine), len(mine))
    for other in ("R001", "R002", "R003"):
        there = len(mine & set(Person.objects.filter(rm_no=other).values_list("pk", flat=True)))
        assert book_page(actor, BookFilter(staff=other)).total == there
    open_ = Task.objects.filter(state="open", is_held=False)
    open_ = (
        open_.filter(branch_code=actor.branch_code)
        if actor.role == "branch_head"
        else open_.filter(staff_no=actor.staff_no)
    )
    assert task_counts(actor)["open"] == open_.count()


# -- search -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", READERS)
def test_a_search_finds_none_of_another_managers_customers(world: World, who: str) -> None:
    client = Client()
    client.force_login(User.objects.get(username=who), backend="django.contrib.auth.backends.ModelBackend")
    key = {"Authorization": f"Bearer {world.keys[who]}"}
    mine = world.ids(who)
    for owner in RMS:
        one = world.owned[owner]["customer_id"]
        n = int(one, 16) - 1
        for q in (f"C{n:07}", f"1390000{n:04}", f"张{n}"):
            answers = (
                client.post("/c/", {"q": q}), client.post("/search/", {"q": q}), client.get(f"/search/?q={q}"),
                client.post("/api/v1/customers/search", json.dumps({"q": q}), content_type="application/json", headers=key),
            )  # fmt: skip
            found = any(one in written(answer) for answer in answers)
            assert found == (one in mine), (who, owner, q)


# -- take out -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", READERS)
def test_no_list_that_is_asked_for_holds_another_managers_customer(world: World, who: str) -> None:
    actor = world.cast[who]
    numbers = {f"****{int(i, 16) - 1:04}" for i in world.ids(who)} | {""}
    for n, what in enumerate(lists_for(actor)):
        wanted, number = {"staff": "R002", "segment": "rich"}, {"members": 3, "tasks": 1}.get(what, 0)
        try:
            asked = board.request_desk_export(actor, what, key=f"m{n}", purpose="核对", params=wanted)
        except Conflict:
            asked = None  # nothing of hers is on it
        else:
            type(asked).objects.filter(pk=asked.pk).update(state="approved")
            rows = desk_sheets(actor, {"request": asked.pk})[1].rows
            assert {row[number] for row in rows if what != "records"} <= numbers, (who, what)
            assert seen(str(rows), strangers(world, who)) == [], (who, what)
        assert (asked is None) or what in lists_for(actor)
