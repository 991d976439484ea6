"""Customers without an owner: who sees which of them and how much, who gets them, who may take them away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kequn.core.errors import Conflict, NotAllowed
from kequn.ops import runtime
from kequn.ops.customers.models import Person
from kequn.ops.customers.queries import branch_changes_for, person_for
from kequn.ops.orgs.models import User
from kequn.ops.ownership import queries, services
from kequn.ops.ownership.models import Notice, OwnerChange
from tests.ops.conftest import NOW
from tests.ops.ownership.conftest import Cast, ids, load, person

pytestmark = pytest.mark.django_db


def owner(n: int) -> str:
    return Person.objects.get(pk=ids(n)[0]).rm_no


def test_an_rm_sees_of_her_own_branch_who_has_nobody_and_no_name(staff: Cast) -> None:
    load(person(1), person(2, branch="0002"), person(3, owner="R003"))
    found = queries.cards(staff["wangfang"], ids(1, 2, 3))
    assert [c.customer_id for c in found] == ids(1)
    assert found[0].why == "never"
    assert not {"name", "phone", "document_no"} & set(found[0].__dataclass_fields__)
    with pytest.raises(NotAllowed):
        person_for(staff["wangfang"], ids(1)[0])


def test_a_claim_makes_her_the_owner_and_shields_the_customer_for_fourteen_days(staff: Cast) -> None:
    load(person(1))
    change = services.claim_customer(staff["wangfang"], ids(1)[0])
    assert owner(1) == "R001"
    assert change is not None
    assert change.protected_until == NOW + timedelta(days=14)
    assert services.claim_customer(staff["wangfang"], ids(1)[0]) is None
    assert OwnerChange.objects.count() == 1
    left = services.reassign_customers(staff["liqiang"], ids(1), "R003", reason="调整")
    assert left.left == {ids(1)[0]: "protected"}
    assert owner(1) == "R001"


def test_after_the_protection_the_branch_head_may_give_her_to_another(
    staff: Cast, bank_runtime: runtime.Runtime
) -> None:
    load(person(1))
    services.claim_customer(staff["wangfang"], ids(1)[0])
    bank_runtime.clock = lambda: NOW + timedelta(days=14, seconds=1)
    assert services.reassign_customers(staff["liqiang"], ids(1), "R003", reason="调整").done == (ids(1)[0],)
    notice = Notice.objects.get()
    assert (notice.staff_no, notice.state) == ("R003", "owed")


def test_the_second_claimant_is_told_that_somebody_was_faster(staff: Cast) -> None:
    load(person(1))
    services.claim_customer(staff["wangfang"], ids(1)[0])
    with pytest.raises(Conflict, match="Somebody else"):
        services.claim_customer(staff["hejie"], ids(1)[0])


def test_who_has_an_owner_of_old_or_is_of_another_branch_looks_like_nobody(staff: Cast) -> None:
    load(person(1, owner="R003"), person(2, branch="0002"))
    for n in (1, 2, 9):
        with pytest.raises(NotAllowed, match="no such customer"):
            services.claim_customer(staff["wangfang"], ids(n)[0])


def test_claims_end_at_the_days_limit_and_at_the_books_limit(
    staff: Cast, policy, bank_runtime: runtime.Runtime
) -> None:
    policy(claims_a_day=2, book_limit=3)
    load(*(person(n) for n in range(1, 6)))
    for n in (1, 2):
        services.claim_customer(staff["wangfang"], ids(n)[0])
    with pytest.raises(Conflict, match="today"):
        services.claim_customer(staff["wangfang"], ids(3)[0])
    bank_runtime.clock = lambda: NOW + timedelta(days=1)
    services.claim_customer(staff["wangfang"], ids(3)[0])
    with pytest.raises(Conflict, match="full"):
        services.claim_customer(staff["wangfang"], ids(4)[0])
    assert owner(4) == ""


def test_who_gave_a_customer_up_does_not_take_her_again_at_once(staff: Cast) -> None:
    load(person(1, owner="R001"))
    with pytest.raises(Conflict, match="why"):
        services.give_up_customers(staff["wangfang"], ids(1))
    assert services.give_up_customers(staff["wangfang"], ids(1), note="长期在外地").done == (ids(1)[0],)
    assert queries.cards(staff["hejie"], ids(1))[0].why == "given_up"
    with pytest.raises(Conflict, match="until lately"):
        services.claim_customer(staff["wangfang"], ids(1)[0])
    services.claim_customer(staff["hejie"], ids(1)[0])


def test_nobody_gives_up_who_is_not_hers(staff: Cast) -> None:
    load(person(1, owner="R003"))
    with pytest.raises(NotAllowed):
        services.give_up_customers(staff["wangfang"], ids(1), note="x")


def test_a_branch_head_moves_nobody_of_the_neighbour_and_nobody_to_the_neighbour(staff: Cast) -> None:
    load(person(1, owner="R001"), person(2, branch="0002", owner="R002"))
    with pytest.raises(NotAllowed):
        services.reassign_customers(staff["liqiang"], ids(2), "R003", reason="x")
    with pytest.raises(NotAllowed):
        services.reassign_customers(staff["liqiang"], ids(1), "R002", reason="x")
    with pytest.raises(NotAllowed):
        services.reassign_customers(staff["wangfang"], ids(1), "R003", reason="x")


def test_one_who_moved_since_the_list_was_looked_at_is_left(staff: Cast) -> None:
    load(person(1, owner="R001"), person(2, owner="R001"))
    services.reassign_customers(staff["liqiang"], ids(1), "R004", reason="先到")
    seen = dict.fromkeys(ids(1, 2), "R001")
    found = services.reassign_customers(staff["liqiang"], ids(1, 2), "R003", reason="后到", expected=seen)
    assert found.done == (ids(2)[0],)
    assert found.left == {ids(1)[0]: "taken"}


def test_a_book_takes_no_more_than_its_limit_by_hand_either(staff: Cast, policy) -> None:
    policy(book_limit=1)
    load(person(1, owner="R001"), person(2, owner="R001"))
    with pytest.raises(Conflict, match="room for 1"):
        services.reassign_customers(staff["liqiang"], ids(1, 2), "R003", reason="x")
    assert owner(1) == owner(2) == "R001"


def test_the_history_tells_who_had_her_when(staff: Cast, bank_runtime: runtime.Runtime) -> None:
    load(person(1, owner="R001"))
    bank_runtime.clock = lambda: NOW + timedelta(days=1)
    services.give_up_customers(staff["wangfang"], ids(1), note="x")
    bank_runtime.clock = lambda: NOW + timedelta(days=2)
    services.claim_customer(staff["hejie"], ids(1)[0])
    found = queries.tenures_of(staff["hejie"], ids(1)[0])
    assert [t.staff_no for t in found] == ["R001", "", "R003"]
    assert [found[n].ends == found[n + 1].begins for n in range(2)] == [True, True]
    day = NOW.date()
    assert [queries.owners_on(ids(1), day + timedelta(days=n))[ids(1)[0]] for n in range(3)] == ["R001", "", "R003"]
    with pytest.raises(NotAllowed):
        queries.tenures_of(staff["wangfang"], ids(1)[0])


def test_the_history_tells_of_which_branch_she_was(staff: Cast, bank_runtime: runtime.Runtime) -> None:
    load(person(1, owner="R001"), person(2, owner="R001"))
    load(person(1, owner="R001") | {"phone": "13811112222"}, person(2, owner="R001"), load_id="l2")
    bank_runtime.clock = lambda: NOW + timedelta(days=1)
    load(person(1, branch="0002", owner="R001"), load_id="l3")
    found = [(c.from_branch, c.to_branch, c.load_id) for c in branch_changes_for(staff["wangfang"], ids(1)[0])]
    assert found == [("0001", "0002", "l3")]
    assert not branch_changes_for(staff["wangfang"], ids(2)[0])
    assert queries.elsewhere_on(NOW.date()) == {ids(1)[0]: "0001"}
    assert queries.elsewhere_on(NOW.date() + timedelta(days=1)) == {}
    with pytest.raises(NotAllowed):
        branch_changes_for(staff["hejie"], ids(1)[0])


def test_customers_of_one_who_left_are_a_fault_until_somebody_has_them(staff: Cast) -> None:
    load(
        person(1, owner="R001"),
        person(2, owner="R001"),
        person(3, owner="GONE"),
        person(4, branch="0002", owner="R001"),
    )
    User.objects.filter(staff_no="R001").update(is_active=False)
    assert [(f.staff_no, f.n) for f in queries.leavers_for(staff["liqiang"])] == [("GONE", 1), ("R001", 2)]
    assert [(f.staff_no, f.n) for f in queries.leavers_for(staff["wumei"])] == [("R001", 1)]
