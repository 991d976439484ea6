"""Class X never chooses, also not through another segment; class S only on a separate consent that is declared."""

from __future__ import annotations

import pytest

from kequn.core.errors import ConsentNotDeclared, SeveralErrors, TagNotSelectable
from kequn.core.segments import check, consents_needed, understand
from kequn.core.spec.segment import SegmentSpec
from tests.core.segments.bank import TAGS

CHILD = {"tag": "demo_child_stage", "value": "0-5"}
SUPPRESSED = {"tag": "risk_suppress", "value": False}


def segment(where: object, name: str = "try", **more: object) -> SegmentSpec:
    return SegmentSpec.model_validate({"name": name, "title": "试", "where": where} | more)


@pytest.mark.parametrize("where", [SUPPRESSED, {"not": SUPPRESSED}, {"any": [{"list": "vip"}, {"all": [SUPPRESSED]}]}])
def test_a_suppressing_tag_is_refused_wherever_it_stands(where: object) -> None:
    with pytest.raises(TagNotSelectable, match="class X"):
        check(segment(where), tags=TAGS, segments={})


def test_a_suppressing_tag_is_refused_through_other_segments() -> None:
    inner, middle = segment(SUPPRESSED, "inner"), segment({"segment": "inner"}, "middle")
    with pytest.raises(TagNotSelectable, match="inner") as caught:
        check(segment({"all": [{"segment": "middle"}]}), tags=TAGS, segments={"inner": inner, "middle": middle})
    assert caught.value.where.field == "where.all.0.segment"


def test_sensitive_information_needs_a_declared_consent() -> None:
    with pytest.raises(ConsentNotDeclared, match="separate consent 'child_data'") as caught:
        check(segment({"all": [{"list": "vip"}, CHILD]}), tags=TAGS, segments={})
    assert caught.value.where.field == "where.all.1.tag"
    assert "separate_consent: [child_data]" in caught.value.hint
    check(segment({"all": [{"list": "vip"}, CHILD]}, separate_consent=["child_data"]), tags=TAGS, segments={})


def test_another_consent_is_not_the_one_that_is_needed() -> None:
    with pytest.raises(ConsentNotDeclared):
        check(segment(CHILD, separate_consent=["care_data"]), tags=TAGS, segments={})


def test_using_a_segment_that_rests_on_a_consent_is_using_the_information() -> None:
    families = segment(CHILD, "families", separate_consent=["child_data"])
    outer = segment({"all": [{"segment": "families"}, {"not": {"segment": "families"}}]})
    with pytest.raises(SeveralErrors) as caught:
        check(outer, tags=TAGS, segments={"families": families})
    assert [e.where.field for e in caught.value.errors] == ["where.all.0.segment", "where.all.1.not.segment"]


def test_the_declaration_is_part_of_what_a_segment_means() -> None:
    assert segment(CHILD).fingerprint() != segment(CHILD, separate_consent=["child_data"]).fingerprint()


def test_the_consents_of_a_rule_are_told_with_their_tags() -> None:
    rule = understand(segment({"any": [CHILD, {"tag": "demo_city", "value": "合肥"}]}), tags=TAGS, segments={})
    assert consents_needed(rule) == {"child_data": ("demo_child_stage",)}


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (CHILD | {"as_of": "90 days ago"}, "where.tag"),
        ({"all": [{"list": "vip"}, {"segment": "families", "as_of": "90 days ago"}]}, "where.all.1.segment"),
        ({"not": {"segment": "were_families"}}, "where.not.segment"),
    ],
)
def test_what_a_sensitive_tag_was_before_a_consent_was_withdrawn_never_chooses(where: object, place: str) -> None:
    consented = {"separate_consent": ["child_data"]}
    families = segment(CHILD, "families", **consented)
    others = {
        "families": families,
        "were_families": segment(CHILD | {"as_of": "2026-01-31"}, "were_families", **consented),
    }
    with pytest.raises(TagNotSelectable, match="earlier day") as caught:
        check(segment(where, **consented), tags=TAGS, segments=others)
    assert caught.value.where.field == place


@pytest.mark.parametrize(
    "where",
    [
        {"rank": {"tag": "demo_age", "top": 10, "among": SUPPRESSED}},
        {"segment": "held_back", "as_of": "90 days ago"},
        SUPPRESSED | {"as_of": "90 days ago"},
        {"union": [{"list": "vip"}, "held_back"]},
        {"except": [{"list": "vip"}, "held_back"]},
    ],
)
def test_a_suppressing_tag_is_refused_in_ranks_on_earlier_days_and_in_sums_of_groups(where: object) -> None:
    with pytest.raises(TagNotSelectable, match="class X"):
        check(segment(where), tags=TAGS, segments={"held_back": segment(SUPPRESSED, "held_back")})
