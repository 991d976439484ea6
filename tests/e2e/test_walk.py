"""Every page, walked as each role, in both languages, at a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROLES = ("zhaomin", "zhoulv", "sunli", "admin", "liqiang", "wangfang", "yuanfang")
MOST_OF_A_KIND = 2
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def walked(page: Any, server: str) -> Iterator[str]:
    """Open the pages that links lead to from the first one on, at most two of a kind, and say which is open."""
    queue, seen, kinds = ["/"], [], {}
    while queue:
        path = queue.pop(0)
        kind = re.sub(r"(?<=/)([0-9a-f]{16,}|\d+|[a-z][a-z0-9_]*_[a-z0-9_]+)(?=/)", "X", path.split("?")[0])
        if path in seen or kinds.get(kind, 0) >= MOST_OF_A_KIND:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        seen.append(path)
        answer = page.goto(server + path)
        assert answer.status == 200, f"{path} answered {answer.status}"
        hrefs = page.eval_on_selector_all("a[href]:not([download])", "links => links.map(a => a.getAttribute('href'))")
        queue += [
            h
            for h in hrefs
            if h.startswith("/") and not h.startswith(("/static", "/api")) and "/yaml" not in h and "export=" not in h
        ]
        yield path


def check(page: Any, where: str) -> None:
    """A page is whole: no sideways scrolling, every chart drawn, one heading, every field named."""
    page.wait_for_function(  # on a phone charts are drawn when they come into sight, or for the printer: also those that come later
        """() => {
             dispatchEvent(new Event('beforeprint'));
             return [...document.querySelectorAll('kq-chart')].every(c => c.dataset.drawn);
           }""",
        polling=400,
        timeout=20_000,
    )
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 1, f"{where} scrolls sideways by {wide}px"
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(
             e => !e.labels?.length && !e.getAttribute('aria-label') && !e.closest('[hidden]')).map(e => e.name)"""
    )
    assert not nameless, f"{where}: fields without a name: {nameless}"
    assert page.locator("h1").count() == 1, f"{where} has no heading, or several"


@pytest.mark.parametrize(("language", "width"), [("zh-hans", 1440), ("zh-hans", 390), ("en", 390)])
@pytest.mark.parametrize("username", ROLES)
def test_each_role_walks_all_her_pages(
    username: str, language: str, width: int, desk: Any, server: str, shot: Any
) -> None:
    page = desk(username, width=width, language=language)
    seen = []
    for path in walked(page, server):
        check(page, f"{username} {path} at {width}")
        seen.append(path)
        name = re.sub(r"[^a-z0-9]+", "-", path.split("?")[0].lower()).strip("-")[:60] or "home"
        shot(page, f"{username}-{language[:2]}-{width}-{name}")
    assert len(seen) >= 8


@pytest.mark.parametrize("username", ROLES)
def test_english_pages_hold_no_chinese_of_the_console(username: str, desk: Any, server: str) -> None:
    page = desk(username, language="en")
    for item in page.eval_on_selector_all(".kq-nav a", "links => links.map(a => a.getAttribute('href'))"):
        page.goto(server + item)
        shown = page.evaluate(
            """() => [...document.querySelectorAll('.kq-nav, .kq-crumbs, h1, h2, h3, th, dt, label, .kq-tile-name')]
                 .filter(e => !e.closest('tbody, [translate=no]')).map(e => e.innerText).join(' ')"""  # names are the bank's own
        )
        left = CHINESE.findall(shown)
        assert not left or item == "/", f"{item}: {''.join(left)[:60]}"  # the first page greets her by her name
