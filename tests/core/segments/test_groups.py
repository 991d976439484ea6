"""The shipped groups: eighteen, with sub-groups, in both languages, by tags that may choose customers."""

from __future__ import annotations

import re

import pytest

from kequn.core.errors import UnknownSegment
from kequn.core.segments import (
    Group,
    check,
    consents_needed,
    group_named,
    groups,
    in_words,
    shipped_segments,
    tags_in,
    tags_wanting,
    understand,
)
from kequn.core.spec.base import Text
from kequn.core.tags import catalogue

EVERY = pytest.mark.parametrize("group", groups().values(), ids=lambda g: g.spec.name)
SENTENCES = ("needs", "timing", "who", "talk", "avoid", "goal")


def test_there_are_eighteen_groups_and_most_have_sub_groups() -> None:
    assert len(groups()) == 18
    assert all(group.subgroups for group in groups().values())
    assert len(shipped_segments()) == sum(len(g.segments) for g in groups().values())
    merchants = [s.name for s in group_named("seg_merchant").subgroups]
    assert merchants == [f"seg_merchant_{kind}" for kind in ("catering", "hotel", "leisure", "wholesale")]
    assert len(group_named("seg_family").subgroups) == 5


@EVERY
def test_a_group_can_be_checked_and_said_in_both_languages(group: Group) -> None:
    for spec in group.segments:
        check(spec, tags=catalogue(), segments=shipped_segments())
        for language in ("zh", "en"):
            assert in_words(spec, tags=catalogue(), segments=shipped_segments(), language=language)
    texts = [getattr(group.spec.card, field) for field in SENTENCES]
    texts += [t for spec in (group.spec, *group.segments) for t in (spec.title, spec.description)]
    for text in texts:
        assert isinstance(text, Text)
        assert text.en
        assert not re.search(r"[一-鿿][:;,]|[:;,][一-鿿]", text.zh), text.zh


@EVERY
def test_a_group_chooses_by_allowed_classes_only(group: Group) -> None:
    for spec in group.segments:
        rule = understand(spec, tags=catalogue(), segments=shipped_segments())
        assert {catalogue()[name].sensitivity for name in tags_in(rule)} <= {"C1", "C2", "S"}
        assert set(consents_needed(rule)) == set(spec.separate_consent)


def test_public_servants_are_found_by_their_employer_alone() -> None:
    rule = understand(group_named("seg_public").segment, tags=catalogue(), segments=shipped_segments())
    assert tags_in(rule) == ("demo_employer_type",)


def test_a_group_tells_which_tags_the_bank_does_not_have() -> None:
    tags, spec = catalogue(), shipped_segments()["seg_churn_model"]
    assert tags_wanting(spec, tags=tags, computed=set(tags)) == ()
    assert tags_wanting(spec, tags=tags, computed=set(tags) - {"model_churn"}) == ("model_churn",)
    without = {n: s for n, s in tags.items() if n != "model_churn"}
    assert tags_wanting(spec, tags=without, computed=set(without)) == ("model_churn",)
    inner = shipped_segments()["seg_merchant_hotel"]
    assert tags_wanting(inner, tags=tags, computed=set(tags) - {"acct_merchant"}) == ("acct_merchant",)


def test_a_group_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownSegment) as caught:
        group_named("seg_merchants")
    assert "seg_merchant" in caught.value.hint
