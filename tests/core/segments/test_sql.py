"""The SQL that people read and other engines run: the same text each time, per dialect."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from kequn.core.errors import InvalidSpec
from kequn.core.segments import DIALECTS, EXECUTED, members_sql
from tests.core.segments.bank import AS_OF, TAGS
from tests.core.segments.cases import GOLDEN, sql_of
from tests.core.segments.trees import segment


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_text_of_every_case_is_as_agreed(dialect: str, caplog: pytest.LogCaptureFixture):
    assert sql_of(dialect) == (GOLDEN / f"{dialect}.sql").read_text(encoding="utf-8")
    assert not caplog.records


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_not_executed_says_so(dialect: str):
    first = (GOLDEN / f"{dialect}.sql").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"-- {dialect}: {'executed' if dialect in EXECUTED else 'not executed'}"


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d not in EXECUTED])
def test_other_engines_get_no_subquery_inside_a_condition_and_no_escape(dialect: str):
    text = (GOLDEN / f"{dialect}.sql").read_text(encoding="utf-8")
    assert not re.search(r"\bIN \(\s*SELECT", text)
    assert "ESCAPE" not in text
    assert "NULLS" not in text
    assert "FILTER" not in text


def test_an_unknown_dialect_is_refused_with_those_there_are():
    with pytest.raises(InvalidSpec, match="'oracle' is not a dialect") as caught:
        members_sql(segment({"all": []}), tags=TAGS, segments={}, as_of=AS_OF, dialect="oracle")
    assert "starrocks" in caught.value.hint


def test_text_of_the_spec_reaches_the_sql_only_as_a_literal():
    evil = "'; DROP TABLE customer_tags; --"
    text = members_sql(segment({"tag": "demo_city", "value": evil}), tags=TAGS, segments={}, as_of=AS_OF)
    assert "demo_city = '''; DROP TABLE customer_tags; --'" in text


def test_the_text_does_not_depend_on_how_deep_the_caller_is():
    where: dict[str, Any] = {"tag": "demo_age", "op": "known"}
    for i in range(29):
        where = {"all" if i % 2 else "any": [{"tag": "demo_age", "value": i}, {"not": where}]}
    spec = segment(where)
    texts = []

    def at_depth(frames: int) -> None:
        if frames:
            at_depth(frames - 1)
        else:
            texts.append(members_sql(spec, tags=TAGS, segments={}, as_of=AS_OF))

    for frames in (1, 600):
        thread = threading.Thread(target=at_depth, args=(frames,))
        thread.start()
        thread.join()
    assert len(texts) == 2
    assert texts[0] == texts[1]
