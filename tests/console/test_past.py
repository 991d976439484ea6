"""A segment over time on its page, as a file, by REST and within one's scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from html import unescape
from itertools import pairwise

import pytest
from django.test import Client

from kequn.console.sankey import sankey
from kequn.core.segments.migration import Group, Migration
from kequn.core.spec.base import Text
from kequn.core.tags import catalogue, refresh
from kequn.ops import runtime
from kequn.ops.jobs.services import run_waiting
from tests.ops.bank import AS_OF, TAGS, Cast, taken_out
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
EARLY = date(2026, 6, 1)


@pytest.fixture
@remembered
def past(definitions: None, bank: runtime.Runtime) -> None:
    """Keep two dates."""
    refresh(bank.store, catalogue(), as_of=EARLY, now=datetime(2026, 6, 2, tzinfo=UTC), only=TAGS)
    run_waiting()


def test_a_segment_that_was_never_kept_says_what_would_be_here(definitions: None, desk: Desk) -> None:
    answer = desk("zhaomin").get("/segments/rich/history")
    assert answer.status_code == 200
    assert "还没有保存过成员" in answer.content.decode()


def test_the_page_shows_sizes_movements_and_reasons(past: None, desk: Desk) -> None:
    page = desk("zhaomin").get("/segments/rich/history").content.decode()
    assert "590" in page
    assert "谁加入，谁离开，因为什么" in page
    assert "时点 AUM" in page
    file = desk("zhaomin").get(f"/segments/rich/history?before={EARLY}&after={AS_OF}&export=why")
    assert file["Content-Type"].startswith("application/vnd.openxml")


def test_the_members_of_a_date_are_those_within_the_readers_scope(past: None, desk: Desk) -> None:
    for who, count in (("zhaomin", "590"), ("liqiang", "295")):
        page = desk(who).get(f"/segments/rich/members-on?on={AS_OF}").content.decode()
        assert f"有 {count} 位成员" in page


def test_migration_is_drawn_and_told_in_numbers(past: None, desk: Desk, cast: Cast) -> None:
    page = desk("zhaomin").get(f"/migration/?tag=demo_gender&before={EARLY}&after={AS_OF}").content.decode()
    assert '<svg class="kq-sankey"' in page
    assert "400" in page
    chosen = desk("zhaomin").get(f"/migration/?segment=rich&segment=women&before={EARLY}&after={AS_OF}&export=xlsx")
    assert chosen["Content-Type"].startswith("application/vnd.openxml")
    wrong = desk("zhaomin").get(f"/migration/?tag=asset_aum_eod&before={EARLY}&after={AS_OF}")
    assert wrong.status_code == 200
    assert "kq-note-bad" in wrong.content.decode()


def test_a_file_of_a_past_date_is_asked_for_from_its_page(past: None, desk: Desk, cast: Cast) -> None:
    page = desk("zhaomin").get(f"/segments/rich/members-on?on={AS_OF}").content.decode()
    asked = re.search(r'"(/team/exports/\?what=members[^"]+)"', page)
    assert asked
    assert f"{AS_OF}" in desk("zhaomin").get(unescape(asked[1])).content.decode()
    assert taken_out(cast, "zhaomin", "members", segment="rich", on=f"{AS_OF}").job_id
    assert run_waiting() == 1


def test_rest_tells_the_same(past: None, desk: Desk) -> None:
    client = desk("zhaomin")
    kept = client.get("/api/v1/segments/rich/history").json()
    assert [s["size"] for s in kept["snapshots"] if s["as_of"] == AS_OF.isoformat()] == [590]
    moved = client.get(f"/api/v1/segments/rich/changes?before={EARLY}&after={AS_OF}").json()
    assert moved["why"]["joined"]["total"] == moved["joined"] == 590
    page = client.get(f"/api/v1/segments/rich/history/{AS_OF}/members?size=3").json()
    assert (page["total"], len(page["members"])) == (590, 3)
    (found,) = client.get(f"/api/v1/migrations?tag=demo_gender&before={EARLY}&after={AS_OF}").json()
    assert sum(map(sum, found["matrix"])) == 600
    assert client.get("/api/v1/migrations").status_code == 422


def test_the_ribbons_of_a_bar_fill_it() -> None:
    groups = tuple(Group(k, Text(zh=k)) for k in ("无", "没有", "甲", "乙"))
    found = Migration(EARLY, AS_OF, groups, ((0, 0, 5, 0), (0, 0, 0, 0), (0, 0, 60, 20), (3, 0, 2, 10)))
    drawn = sankey(found, "zh")
    left = [n for n in drawn.nodes if n.is_left]
    assert [(n.title, n.size) for n in left] == [("无", 5), ("甲", 80), ("乙", 15)]
    assert len(drawn.ribbons) == 6
    assert left[1].height == pytest.approx(80 / 15 * left[2].height, rel=0.02)
    assert all(a.y + a.height <= b.y for a, b in pairwise(left))
