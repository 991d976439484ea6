"""The catalogue's filters, one tag's class, users and drift, its matrix as a page and a file, and loading a group."""

from __future__ import annotations

import io

import pytest
from python_calamine import CalamineWorkbook

from kequn.core.spec.tag import TagSpec
from kequn.core.tags import catalogue, refresh
from kequn.ops import runtime
from kequn.ops.audiences.queries import segment_specs
from kequn.ops.orgs.actor import system_actor
from kequn.ops.tags.services import save_tag
from tests.console.conftest import Things
from tests.ops.bank import AS_OF, TAGS
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

EARLIER = AS_OF.replace(day=1)


@pytest.fixture
@remembered
def two_dates(things: Things) -> None:
    """Tags of a second date, on which everybody is the same but a month younger."""
    refresh(runtime.runtime().store, catalogue(), as_of=EARLIER, now=NOW, only=TAGS)


def page(desk, url: str, who: str = "sunli") -> str:
    answer = desk(who).get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_catalogue_is_narrowed_by_class_owner_and_whether_there_are_values(things: Things, desk) -> None:
    sensitive = page(desk, "/tags/?class=S")
    assert "demo_child_stage" in sensitive
    assert "asset_aum_eod" not in sensitive
    missing = page(desk, "/tags/?state=missing&owner=model_team")
    assert "model_churn" in missing
    assert "model_team" in missing
    assert "loan_preapproved</code>" not in missing
    assert "model_churn</code>" not in page(desk, "/tags/?state=there&owner=model_team")


def test_a_tag_says_what_its_class_means_and_who_hands_its_values_in(things: Things, desk) -> None:
    assert "声明所依据的单独同意" in page(desk, "/tags/demo_child_stage/")
    assert "不能用来挑选营销对象" in page(desk, "/tags/risk_suppress/")
    churn = page(desk, "/tags/model_churn/")
    assert "由模型发布" in churn
    assert "表达式" not in churn


def test_a_tag_names_its_users_and_its_drift_between_dates(two_dates: None, desk) -> None:
    shown = page(desk, "/tags/asset_aum_eod/")
    assert 'href="/segments/rich/"' in shown
    assert "漂移大" in shown  # nobody had anything at the beginning of the month
    assert "还没有" not in page(desk, f"/tags/demo_age/?from={EARLIER}&to={AS_OF}")
    assert "PSI 0.000" in page(desk, f"/tags/demo_age/?from={AS_OF}&to={AS_OF}")


def test_a_matrix_is_a_page_and_a_file(two_dates: None, desk) -> None:
    url = f"/tags/demo_gender/transitions?from={EARLIER}&to={AS_OF}"
    assert ">400<" in page(desk, url)
    book = CalamineWorkbook.from_filelike(io.BytesIO(desk("sunli").get(url + "&export=xlsx").content))
    rows = book.get_sheet_by_index(0).to_python()
    body = [row for row in rows if row[0] in ("男", "女")]
    assert sum(row[-1] for row in body) == 600
    assert "没有声明取值" in page(desk, f"/tags/demo_age/transitions?from={EARLIER}&to={AS_OF}")


def test_a_group_is_looked_at_loaded_once_and_begins_a_playbook(things: Things, desk) -> None:
    assert "商贸客群" in page(desk, "/groups/", "zhaomin")
    assert "加载这个客群包" in page(desk, "/groups/seg_merchant/", "zhaomin")
    for _ in range(2):
        answer = desk("zhaomin").post("/groups/load", {"group": "seg_merchant", "do": "load"})
        assert answer.status_code == 302
    assert {"seg_merchant", "seg_merchant_hotel"} <= set(segment_specs())
    form = page(desk, "/catalog/new/playbook?group=seg_merchant", "zhaomin")
    assert "merchant_card" in form
    assert "先问账期" in form
    assert desk("wangfang").post("/groups/load", {"group": "seg_merchant"}).status_code == 403


def test_the_builder_keeps_the_consent_that_a_segment_rests_on(things: Things, desk) -> None:
    desk("zhaomin").post("/groups/load", {"group": "seg_family", "do": "load"})
    assert segment_specs()["seg_family"].separate_consent == ("child_data",)
    form = page(desk, "/segments/seg_family/edit", "zhaomin")
    assert 'value="child_data" checked' in form


def test_a_tag_of_the_banks_own_is_taken_out_by_a_button_unless_it_is_used(things: Things, desk) -> None:
    own = {"family": "txn", "type": "integer", "over": "transaction", "expression": "count(*)", "sensitivity": "C1",
           "owner": "data_team", "refresh": "daily", "null": "zero"}  # fmt: skip
    for name, made in (("txn_coffee", {}), ("txn_tea", {"over": "tags", "expression": "txn_coffee + 1"})):
        save_tag(system_actor(), TagSpec.model_validate({"name": name, "title": "咖啡", **own, **made}))
    assert "/tags/txn_coffee/remove" in page(desk, "/tags/txn_coffee/")
    assert "/tags/txn_coffee/remove" not in page(desk, "/tags/txn_coffee/", "zhoulv")
    assert "/remove" not in page(desk, "/tags/demo_age/")
    assert desk("zhoulv").post("/tags/txn_coffee/remove").status_code == 403
    used = desk("sunli").post("/tags/txn_coffee/remove")
    assert used.status_code == 409
    assert "txn_tea" in used.content.decode()
    for name in ("txn_tea", "txn_coffee"):
        assert desk("sunli").post(f"/tags/{name}/remove").headers["Location"] == "/tags/"
        assert desk("sunli").get(f"/tags/{name}/").status_code == 422
    assert desk("sunli").post("/tags/demo_age/remove").status_code == 422
