"""Persons are sealed, found by exact value within scope, shown masked, and revealed one at a time for a reason."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.errors import Conflict, NotAllowed
from kequn.ops.customers import crypto, masking, queries, services
from kequn.ops.customers.models import Person, Reveal
from kequn.ops.governance.models import AuditEntry
from kequn.ops.orgs.actor import Actor, system_actor

Cast = dict[str, Actor]
ZHANG = {
    "customer_id": "a" * 32, "customer_no": "C0000001", "branch_code": "0001", "rm_no": "R001", "name": "张晓明",
    "phone": "10012345678", "document_no": "990101199001011239", "email": "zhang@example.test", "address": "某路1号",
}  # fmt: skip
LI = ZHANG | {
    "customer_id": "b" * 32,
    "customer_no": "C0000002",
    "branch_code": "0002",
    "rm_no": "R002",
    "name": "李丽",
    "phone": "10087654321",
    "document_no": "",
}


@pytest.fixture
def people(cast: Cast) -> None:
    assert services.store_people(system_actor(), [ZHANG, LI], load_id="l1") == 2


def test_nothing_personal_is_readable_in_the_database(people: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM customers_person")
        stored = b"".join(
            bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for row in cursor.fetchall() for v in row
        )
    for clear in ("张晓明", "10012345678", "990101199001011239", "zhang@example.test", "C0000001"):
        assert clear.encode() not in stored


def test_a_sealed_value_cannot_be_moved_to_another_customer(people: None) -> None:
    row = Person.objects.get(pk=ZHANG["customer_id"])
    with pytest.raises(InvalidTag):
        crypto.unseal(row.phone, column="phone", customer_id=LI["customer_id"])
    with pytest.raises(InvalidTag):
        crypto.unseal(row.phone, column="email", customer_id=ZHANG["customer_id"])


def test_loading_the_same_people_again_writes_nothing(people: None) -> None:
    assert services.store_people(system_actor(), [ZHANG, LI], load_id="l2") == 0
    assert services.store_people(system_actor(), [ZHANG | {"phone": "10000000000"}, LI], load_id="l3") == 1
    assert services.addresses(system_actor(), [ZHANG["customer_id"]], "sms") == {ZHANG["customer_id"]: "10000000000"}


def test_an_rm_sees_her_book_and_finds_nobody_elses_customer(cast: Cast, people: None) -> None:
    assert queries.person_for(cast["wangfang"], ZHANG["customer_id"]).name == "张**"
    assert [p.customer_id for p in queries.find(cast["wangfang"], "10012345678")] == [ZHANG["customer_id"]]
    assert queries.find(cast["chenjing"], "10012345678") == []
    with pytest.raises(NotAllowed):
        queries.person_for(cast["chenjing"], ZHANG["customer_id"])
    assert queries.people_for(cast["zhaomin"]).count() == 0


def test_a_reveal_needs_right_scope_and_reason_and_is_counted(
    cast: Cast, people: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Conflict, match="why"):
        services.reveal(cast["wangfang"], ZHANG["customer_id"], "phone", reason=" ")
    with pytest.raises(NotAllowed):
        services.reveal(cast["chenjing"], ZHANG["customer_id"], "phone", reason="回访")
    with pytest.raises(NotAllowed):
        services.reveal(cast["zhaomin"], ZHANG["customer_id"], "phone", reason="回访")
    assert services.reveal(cast["wangfang"], ZHANG["customer_id"], "phone", reason="到期回访") == "10012345678"
    monkeypatch.setattr(services, "REVEALS_A_DAY", 1)
    with pytest.raises(Conflict, match="limit"):
        services.reveal(cast["wangfang"], ZHANG["customer_id"], "phone", reason="再次回访")


def test_a_number_typed_as_the_reason_of_a_reveal_is_not_kept_in_clear(cast: Cast, people: None) -> None:
    with pytest.raises(Conflict, match="why"):
        services.reveal(cast["wangfang"], ZHANG["customer_id"], "phone", reason="139 1234 5678")
    services.reveal(cast["wangfang"], ZHANG["customer_id"], "phone", reason="核对新号码 13912345678")
    kept = AuditEntry.objects.get(act="customer.revealed")
    assert kept.facts["reason"] == Reveal.objects.get().reason == "核对新号码 ***"


def test_addresses_go_to_the_dispatcher_alone(cast: Cast, people: None) -> None:
    with pytest.raises(NotAllowed):
        services.addresses(cast["wangfang"], [ZHANG["customer_id"]], "sms")
    assert services.reachable("email") == {ZHANG["customer_id"], LI["customer_id"]}


@given(st.text(st.characters(exclude_characters="*", exclude_categories=("Cs",)), min_size=2, max_size=30))
def test_a_mask_never_holds_the_value(value: str) -> None:
    for mask in (masking.phone, masking.document, masking.number, masking.name):
        shown = mask(value)
        assert value not in shown
