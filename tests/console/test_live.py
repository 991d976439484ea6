"""Beside the builder: the draft's profile and its overlap with saved segments, within the reader's scope."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest
from django.test import Client

from kequn.console import waiting
from kequn.core.spec.reading import parse_spec
from kequn.ops.audiences.drafts import look_at_draft
from tests.console.test_pages import HTMX, RULE
from tests.ops.bank import Cast

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
RICH = "{kind: segment, name: draft_segment, title: -, where: {tag: asset_aum_eod, op: '>', value: %s}}"


def test_an_edit_loads_who_the_customers_are_and_whom_others_hold(definitions: None, desk: Desk) -> None:
    page = desk("zhaomin").post("/segments/new", RULE, headers=HTMX).content.decode()
    assert re.search(r'id="live-\d+">\s*<p class="kq-soft" hx-post="/segments/look"', page)
    assert "<html" not in page
    assert "kq-taglist" not in page.partition("<form")[0]  # the page holds the list of all tags already
    live = desk("zhaomin").post("/segments/look", RULE, headers=HTMX).content.decode()
    assert "这些客户是谁" in live
    assert 'href="/segments/rich/"' in live
    assert live.count("<option") == 3


def test_a_rule_that_is_wrong_shows_no_profile(definitions: None, desk: Desk) -> None:
    answer = desk("zhaomin").post("/segments/look", RULE | {"tag:0.0": "asset_aum_eodd"}, headers=HTMX)
    assert answer.status_code == 200
    assert "条件还不能计算" in answer.content.decode()


def test_overlap_counts_both_ways_and_only_within_scope(definitions: None, cast: Cast) -> None:
    [spec] = parse_spec(RICH % 0)
    whole, branch = look_at_draft(cast["zhaomin"], spec), look_at_draft(cast["liqiang"], spec)
    [rich] = [s for s in whole.shared if s.name == "rich"]
    assert rich.both == rich.size == 590
    assert rich.of_other == 1
    assert rich.of_draft == 590 / whole.profile.size
    assert [s.both for s in branch.shared if s.name == "rich"] == [295]
    assert branch.profile.size < whole.profile.size
    assert [s.alike for s in whole.shared] == sorted((s.alike for s in whole.shared), reverse=True)


def test_what_takes_too_long_to_compare_is_left_to_the_next_look(
    definitions: None, cast: Cast, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    [spec] = parse_spec(RICH % 0)
    compared = look_at_draft(cast["zhaomin"], spec)
    monkeypatch.setattr("kequn.ops.audiences.drafts.PATIENCE", -1.0)
    left = look_at_draft(cast["zhaomin"], spec)
    assert compared.waiting == 0 < left.waiting
    assert left.shared == ()
    assert left.profile == compared.profile
    live = desk("zhaomin").post("/segments/look", RULE, headers=HTMX).content.decode()
    assert "还没有比较" in live


def test_while_another_panel_is_computed_this_one_asks_again(
    definitions: None, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kequn.console.segments.live.look_at_draft", None)
    monkeypatch.setattr(waiting, "MOST_SECONDS", 0.0)
    with waiting.turn() as entered:
        assert entered
        answer = desk("zhaomin").post("/segments/look", RULE | {"facets": "demo"}, headers=HTMX).content.decode()
    assert 'hx-post="/segments/look"' in answer
    assert 'name="facets" value="demo"' in answer


def test_nothing_is_computed_for_a_reader_who_has_gone_on(
    definitions: None, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kequn.console.segments.live.look_at_draft", None)
    ours, theirs = socket.socketpair()
    theirs.close()
    gone = desk("zhaomin").post("/segments/look", RULE, headers=HTMX, **{"gunicorn.socket": ours})
    assert gone.status_code == 204
    ours.close()


def test_a_reader_who_waits_is_answered(definitions: None, desk: Desk) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        here = desk("zhaomin").post("/segments/look", RULE, headers=HTMX, **{"gunicorn.socket": ours})
    assert "这些客户是谁" in here.content.decode()
