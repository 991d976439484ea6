"""The rules of who has whom, written in a form: faults at their fields, versions kept, approval by a second person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from kequn.core.spec.base import Text
from kequn.core.spec.ownership import AssignmentSpec, Need, OwnershipPolicySpec, PoolSpec, TakeBack
from kequn.ops.catalog.models import DefinitionVersion
from kequn.ops.catalog.services import save_definition
from kequn.ops.ownership import queries as ownership
from tests.console.conftest import Things
from tests.ops.bank import Cast, approve

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
HOUSE = OwnershipPolicySpec(
    name="house", title=Text(zh="管户规则", en="Ownership rules"), owner="head_office", book_limit=300,
    owner_from_cny=Decimal(50_000), wecom_days=120,
    take_back=TakeBack(warn_days=50, escalate_days=60, take_back_days=70, counts_from=date(2026, 6, 30)),
)  # fmt: skip
FORM = {
    "title": "管户规则", "title.en": "Ownership rules", "name": "house", "book_limit": "300", "owner_from_cny": "50,000",
    "claims_a_day": "10", "protected_days": "14", "take_back.warn_days": "50", "take_back.escalate_days": "60",
    "take_back.take_back_days": "70", "take_back.counts_from": "2026-06-30", "on_conflict": "keep", "notice_days": "10",
    "remote_after_days": "3", "wecom_moves": "2", "wecom_days": "120",
}  # fmt: skip


def saved(kind: str) -> DefinitionVersion:
    return DefinitionVersion.objects.filter(kind=kind).order_by("-pk")[0]


def test_the_policy_is_written_submitted_and_holds_when_another_has_approved_it(
    things: Things, cast: Cast, desk: Desk
) -> None:
    client = desk("zhaomin")
    assert 'name="book_limit" value="400"' in client.get("/catalog/new/ownership_policy").content.decode()
    made = client.post("/catalog/new/ownership_policy", FORM | {"do": "submit"})
    assert made.status_code == 302
    assert saved("ownership_policy").spec == HOUSE.model_copy(update={"owner": ""})
    assert ownership.policy().book_limit == 400  # the built-in one, until it is approved
    approve(cast, "house")
    assert ownership.policy().book_limit == 300
    for language, words in (("zh-hans", "每人名下上限"), ("en", "Customers in one book")):
        client.cookies["django_language"] = language
        page = client.get(made["Location"]).content.decode()
        assert words in page
        assert "300" in page
    assert desk("liqiang").get("/catalog/new/ownership_policy").status_code == 403


def test_each_fault_stands_at_its_field_and_nothing_typed_is_lost(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    answer = client.post(
        "/catalog/new/ownership_policy", FORM | {"book_limit": "many", "wecom_moves": "5", "take_back.warn_days": "90"}
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    for field in ("book_limit", "wecom_moves", "take_back.warn_days"):
        here = page.split(f'for="f-{field}"')[1].split("kq-field ")[0].split('<div class="kq-field"')[0]
        assert 'role="alert"' in here, field
    assert 'value="many"' in page
    assert "应为 warn_days" in page
    assert not DefinitionVersion.objects.filter(kind="ownership_policy").exists()
    lacking = client.post("/catalog/new/ownership_policy", FORM | {"take_back.counts_from": ""}).content.decode()
    assert 'role="alert"' in lacking.split('for="f-take_back.counts_from"')[1].split('for="f-on_conflict"')[0]


def test_without_any_day_nobody_is_taken_back(things: Things, desk: Desk) -> None:
    none = {key: "" for key in FORM if key.startswith("take_back.")}
    assert desk("zhaomin").post("/catalog/new/ownership_policy", FORM | none).status_code == 302
    assert saved("ownership_policy").spec.take_back is None


def test_an_edit_keeps_the_versions_and_what_the_form_does_not_show(things: Things, cast: Cast, desk: Desk) -> None:
    client, row = desk("zhaomin"), save_definition(cast["zhaomin"], HOUSE)
    page = client.get(f"/catalog/{row.pk}/edit").content.decode()
    assert 'value="2026-06-30"' in page
    assert client.post(f"/catalog/{row.pk}/edit", FORM).status_code == 302
    assert DefinitionVersion.objects.filter(kind="ownership_policy").count() == 1  # nothing was meant otherwise
    assert saved("ownership_policy").spec.owner == "head_office"
    assert client.post(f"/catalog/{row.pk}/edit", FORM | {"book_limit": "280"}).status_code == 302
    assert [v.spec.book_limit for v in DefinitionVersion.objects.filter(kind="ownership_policy").order_by("pk")] == [
        300, 280,
    ]  # fmt: skip
    assert row.fingerprint in client.get(f"/catalog/{saved('ownership_policy').pk}/").content.decode()


def test_rules_are_put_in_order_with_needs_by_segment(things: Things, cast: Cast, desk: Desk) -> None:
    client = desk("zhaomin")
    form = {
        "title": "按需要分配", "name": "by_need", "order.0": "skill", "order.1": "", "order.2": "balance",
        "needs.0.segment": "savers", "needs.0.skill": "财富", "needs.0.language": "", "needs.1.segment": "",
        "earlier_days": "730", "nearest_within": "bank", "fill_percent": "90",
    }  # fmt: skip
    assert client.post("/catalog/new/assignment", form).status_code == 302
    row = saved("assignment")
    assert row.spec == AssignmentSpec(
        name="by_need", title=Text(zh="按需要分配", en=""), order=("skill", "balance"),
        needs=(Need(segment="savers", skill="财富"),), nearest_within="bank", fill_percent=90,
    )  # fmt: skip
    assert "savers" in client.get(f"/catalog/{row.pk}/").content.decode()
    twice = client.post(f"/catalog/{row.pk}/edit", form | {"order.1": "skill"}).content.decode()
    assert "一条规则只写一次" in twice.split('for="f-order"')[1].split('for="f-needs"')[0]
    both = client.post(f"/catalog/{row.pk}/edit", form | {"needs.0.language": "粤语"}).content.decode()
    assert "之一" in both.split('for="f-needs"')[1].split('for="f-earlier_days"')[0]


def test_a_pool_names_its_segment_and_the_products_that_count(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    form = {"title": "长期经营池", "name": "kept", "segment": "savers", "families": ["wmp", "fund"], "stay_days": "45"}
    assert client.post("/catalog/new/pool", form).status_code == 302
    row = saved("pool")
    assert row.spec == PoolSpec(
        name="kept", title=Text(zh="长期经营池", en=""), segment="savers", families=("wmp", "fund"), stay_days=45
    )
    missing = client.post("/catalog/new/pool", form | {"segment": ""})
    assert missing.status_code == 422
    assert 'role="alert"' in missing.content.decode().split('for="f-segment"')[1].split('for="f-families"')[0]
