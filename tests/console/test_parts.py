"""Numbers, words and messages as people read them."""

from __future__ import annotations

import ast
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils.translation import override

from kequn.console.errors import said, translated
from kequn.console.templatetags import kq
from kequn.console.wordings import HINTS, MESSAGES
from kequn.console.words import VOCABULARIES, word_for
from kequn.core.errors import InvalidSpec, SeveralErrors, UnknownTag, Where
from kequn.ops.workbench import states as work

SOURCE = Path(__file__).resolve().parents[2] / "src" / "kequn"


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [(0, "0", "0"), (980, "980", "980"), (34_000, "3.4 万", "34.0k"), (126_000_000, "1.26 亿", "126.00m"), (-20_000, "-2.0 万", "-20.0k"),
     (Decimal("12.5"), "12.50", "12.50"), (None, "–", "–")],
)  # fmt: skip
def test_large_figures_are_said_as_each_language_says_them(value: Decimal | None, zh: str, en: str) -> None:
    with override("zh-hans"):
        assert kq.wan(value) == zh
    with override("en"):
        assert kq.wan(value) == en


def test_figures_dates_and_shares() -> None:
    assert kq.n0(17446) == "17,446"
    with override("zh-hans"):
        assert kq.fen(123_456_00) == "12.3 万"
    assert kq.pct1(0.1234) == "12.3%"
    assert kq.points(0.0452) == "+4.52"
    assert kq.dt(datetime(2026, 7, 1, 2, 0, tzinfo=UTC)) == "2026-07-01 10:00"
    assert kq.dt(date(2026, 7, 1)) == "2026-07-01"
    assert kq.n0(None) == kq.pct1(None) == kq.dt(None) == "–"


def test_every_code_of_the_work_has_its_word() -> None:
    for code, words in (work.CONTACTS | work.INTENTS).items():
        vocabulary = "contact" if code in work.CONTACTS else "intent"
        with override("zh-hans"):
            assert word_for(vocabulary, code) == words.zh


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert word_for("state", "brand_new") == "brand_new"
    assert all(str(word) for vocabulary in VOCABULARIES.values() for word in vocabulary.values())


def test_an_error_is_told_in_the_readers_language_with_its_facts() -> None:
    error = UnknownTag(
        "Tag 'agee' is not in the catalogue.", hint="Did you mean 'age'?", where=Where(field="where.tag")
    )
    with override("zh-hans"):
        told = said(error)[0]
        assert (told.text, told.hint, told.where) == ("标签目录里没有 agee。", "您是不是要用 age？", "where.tag")
    with override("en"):
        assert said(error)[0].text == "Tag 'agee' is not in the catalogue."
    assert len(said(SeveralErrors([error, InvalidSpec("x")]))) == 2


def test_an_error_calls_a_field_of_the_desk_as_its_form_does() -> None:
    error = InvalidSpec("'abc' is not an amount.", hint="Write digits only.", where=Where(field="amount_cny"))
    for language, title in (("zh-hans", "内容有误 · 金额（元）"), ("en", "There is a fault · Amount (CNY)")):
        with override(language):
            assert (said(error)[0].title, said(error)[0].where) == (title, "")


def test_a_message_without_chinese_is_told_as_it_is() -> None:
    with override("zh-hans"):
        assert translated("Nobody ever wrote this.", MESSAGES) == "Nobody ever wrote this."


def raised() -> tuple[set[str], set[str]]:
    """Return the messages and hints that errors are raised with, ``{}`` for what varies."""
    names = {
        n.name for n in ast.walk(ast.parse((SOURCE / "core" / "errors.py").read_text())) if isinstance(n, ast.ClassDef)
    }
    messages: set[str] = set()
    hints: set[str] = set()
    for path in [
        *SOURCE.rglob("ops/**/*.py"),
        *(SOURCE / "core").rglob("segments/*.py"),
        *(SOURCE / "console").rglob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names - {"Where"}:
                messages |= {t for t in map(_text, node.args[:1]) if t}
                hints |= {t for k in node.keywords if k.arg == "hint" for t in [_text(k.value)] if t}
    return messages, hints


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)  # type: ignore[misc]
    return ""


def test_what_a_page_can_be_refused_with_has_its_chinese() -> None:
    messages, hints = raised()
    assert len(messages) > 100
    with override("zh-hans"):
        said_in_english = sorted(m for m in messages if translated(m, MESSAGES) == m)
        hinted_in_english = sorted(h for h in hints if translated(h, HINTS) == h)
    assert said_in_english == []
    assert hinted_in_english == []
