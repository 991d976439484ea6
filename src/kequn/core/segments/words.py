"""A segment's rule as one sentence in Chinese or English, from the titles of tags and the words of values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from kequn.core.segments.chinese import Chinese
from kequn.core.segments.english import English
from kequn.core.segments.rule import Rule
from kequn.core.segments.understand import understand
from kequn.core.segments.voice import Voice
from kequn.core.spec.period import Day, Period
from kequn.core.spec.segment import Condition, SegmentSpec
from kequn.core.spec.tag import TagSpec


def in_words(
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    language: str,
) -> str:
    """Return a segment's rule as one sentence, or a single condition as a clause.

    >>> spec = SegmentSpec(name="on_list", title="名单客户", where={"not": {"list": "vip"}})
    >>> in_words(spec, tags={}, segments={}, language="en")
    'Customers for whom the following holds: not (on the list “vip”).'

    Raises:
        InvalidSpec and its kin: as `understand` does.
    """
    rule = understand(spec, tags=tags, segments=segments)
    return rule_in_words(rule, language, whole=isinstance(spec, SegmentSpec))


def rule_in_words(rule: Rule, language: str, *, whole: bool) -> str:
    """Return a rule as understood in words: the ``whole`` of a segment as a sentence, else a clause."""
    voice = _voice(language)
    clause = voice.clause(rule)
    return voice.sentence(clause) if whole else clause


def say_period(period: Period, language: str) -> str:
    """Return a period as a rule's sentence says it.

    >>> from kequn.core.spec.period import read_period
    >>> say_period(read_period("last 30 days"), "zh")
    '近 30 天'
    """
    return _voice(language).period(period)


def say_day(day: Day | date, language: str) -> str:
    """Return a day as a rule's sentence says it."""
    return _voice(language).day(day)


def _voice(language: str) -> Voice:
    return English() if language.startswith("en") else Chinese()
