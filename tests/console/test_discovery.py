"""Discovery's pages: asked, watched, read, renamed, drafted, published, expanded and noted."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from django.test import Client

from kequn.ops.audiences.services import keep_list
from kequn.ops.insights.models import Discovery
from kequn.ops.jobs.services import run_waiting
from tests.ops.bank import Cast
from tests.ops.grouped_bank import AS_OF, TAGS, grouped_bank, grouped_store  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
ASKED = {
    "title": "价值分群", "name": "value", "as_of": AS_OF.isoformat(), "seed": "1", "fewest": "3", "most": "3",
    "rows": "1500", "tags": list(TAGS),
}  # fmt: skip


def asked(client: Client, **changes: object) -> Discovery:
    answer = client.post("/discovery/new/clusters", ASKED | changes)
    assert answer.status_code == 302, answer.content.decode()
    run_waiting()
    return Discovery.objects.first()


def test_clusters_are_asked_read_renamed_drafted_and_published(grouped_bank, cast: Cast, desk: Desk) -> None:  # noqa: F811
    client = desk("sunli")
    shown = client.get("/discovery/new/clusters").content.decode()
    assert re.search(r'value="demo_gender"\s+disabled', re.sub(r"\s+", " ", shown))
    row = asked(client)
    here = f"/discovery/{row.pk}/"
    page = client.get(here).content.decode()
    assert "c1" in page
    assert "没有结构时" in page
    assert "不低于" in page or "低于" in page
    client.post(f"{here}act", {"do": "rename", "code": "c1", "zh": "主力客户", "en": "Core"})
    assert "主力客户" in client.get(here).content.decode()
    drafted = client.post(f"{here}act", {"do": "draft", "code": "c1"})
    assert drafted["Location"] == "/segments/value_c1/edit"
    assert "value_c1" in client.get(drafted["Location"]).content.decode()
    client.post(f"{here}act", {"do": "publish", "basis": "centres"})
    run_waiting()
    assert "model_cluster_value" in client.get("/discovery/").content.decode()
    assert "value_c1" in client.get(here).content.decode() or "主力客户" in client.get(here).content.decode()
    head = desk("liqiang")
    assert "仅本机构" in head.get(here).content.decode()
    assert head.post(f"{here}act", {"do": "publish"}).status_code == 403


def test_a_page_of_nothing_found_says_so(grouped_bank, cast: Cast, desk: Desk) -> None:  # noqa: F811
    row = asked(desk("zhaomin"), tags=["asset_wmp", "asset_gold", "asset_bond"], fewest="2", most="2")
    page = desk("zhaomin").get(f"/discovery/{row.pk}/").content.decode()
    assert "没有稳定的群" in page
    assert "连成一片" in page


def test_a_wrong_request_is_shown_again_with_what_was_picked(grouped_bank, cast: Cast, desk: Desk) -> None:  # noqa: F811
    answer = desk("zhaomin").post("/discovery/new/clusters", ASKED | {"tags": ["asset_time"]})
    assert answer.status_code == 422
    page = re.sub(r"\s+", " ", answer.content.decode())
    assert "至少选两个标签" in page
    assert 'value="asset_time" checked' in page


def test_seeds_are_expanded_into_a_draft(grouped_bank, cast: Cast, desk: Desk) -> None:  # noqa: F811
    chosen = np.flatnonzero(grouped_bank[1] == 1)[::3].astype(np.uint32)
    keep_list(
        cast["zhaomin"], chosen, name="seeds", title="种子", purpose="测试", expires_on=date(2026, 8, 1), origin="test"
    )
    client = desk("zhaomin")
    client.post("/discovery/new/lookalike", ASKED | {"seeds": "list:seeds", "name": "like"})
    run_waiting()
    row = Discovery.objects.first()
    page = client.get(f"/discovery/{row.pk}/").content.decode()
    assert "扩展曲线" in page
    wanted = {
        "do": "expand",
        "n": "80",
        "title": "像种子",
        "name": "like_80",
        "purpose": "营销",
        "expires_on": "2026-08-01",
    }
    bad = client.post(f"/discovery/{row.pk}/act", wanted | {"n": "999999"})
    assert bad.status_code == 422
    assert client.post(f"/discovery/{row.pk}/act", wanted).status_code == 302
    run_waiting()
    assert "80" in client.get("/segments/like_80/").content.decode()


def test_a_note_stands_with_its_author_and_its_history(grouped_bank, cast: Cast, desk: Desk) -> None:  # noqa: F811
    row = asked(desk("sunli"))
    here = f"/discovery/{row.pk}/"
    wanted = {"subject_kind": "cluster", "subject": f"{row.pk}:c1", "text": "多在月末回款", "next": here}
    assert desk("sunli").post("/notes/", wanted)["Location"] == here
    page = desk("zhaomin").get(here).content.decode()
    assert "多在月末回款" in page
    assert "孙立" in page
    note = re.search(r'action="/notes/(\d+)/"', desk("sunli").get(here).content.decode())
    assert note is not None
    assert not re.search(r'action="/notes/\d+/"', page)
    desk("sunli").post(f"/notes/{note[1]}/", {"text": "多在季末回款", "next": here})
    page = desk("zhaomin").get(here).content.decode()
    assert "多在季末回款" in page
    assert "多在月末回款" in page
    desk("sunli").post(f"/notes/{note[1]}/", {"do": "remove", "next": here})
    assert "多在季末回款" not in desk("zhaomin").get(here).content.decode()
