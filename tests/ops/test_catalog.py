"""The catalog: versions, approvals, and what a text may not say."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.errors import InvalidSpec, NotAllowed, UnknownDefinition
from kequn.core.spec.offer import OfferSpec, TemplateSpec
from kequn.ops import runtime
from kequn.ops.catalog import queries, services
from kequn.ops.catalog.content import BANNED, marks, sms_parts
from kequn.ops.catalog.models import DefinitionVersion
from tests.ops.bank import OFFER, POLICY, SMS, TALK, Cast, approve


def sms(body: str, opt_out: str = "拒收请回复R", **more: object) -> TemplateSpec:
    return TemplateSpec(name="t", title="模板", channel="sms", body=f"【客群银行】{body}", opt_out=opt_out, **more)


def codes(spec: object, purpose: str | None = "marketing") -> set[str]:
    return {m.code for m in marks(spec, purpose=purpose)}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("本产品保本保息", "promise_of_return"), ("稳赚不赔", "promise_of_return"),
        ("Returns are GUARANTEED", "promise_of_return"), ("ｇｕａｒａｎｔｅｅｄ", "promise_of_return"),
        ("史上最高收益", "superlative"), ("手慢无", "false_urgency"), ("存款送礼品,存1万送红包", "deposit_gift"),
        ("别行不行", "belittling"), ("无视征信", "debt_inducement"), ("您是沉睡客户", "staff_words"),
        ("请回电13912345678", "private_number"), ("年化收益率3.2%", "figure_without_risk"),
        ("{{ balance }}", "merge_field"), ("{{ family_name", "merge_field"),
    ],
)  # fmt: skip
def test_banned_words_are_marked_with_their_reason(text: str, code: str) -> None:
    found = [m for m in marks(sms(text)) if m.code == code]
    assert found
    assert found[0].reason.zh
    assert found[0].reason.en


def test_every_reason_stands_in_both_languages() -> None:
    assert all(b.reason.zh and b.reason.en for b in BANNED)


def test_a_good_text_has_no_marks() -> None:
    assert codes(SMS) == set()
    assert codes(TALK) == set()
    assert codes(sms("基金年化收益率近一年3.2%,过往业绩不代表未来,投资有风险。")) == set()


def test_marketing_by_sms_says_how_to_refuse() -> None:
    assert codes(sms("您好", opt_out="")) == {"no_opt_out"}
    assert codes(sms("您好", opt_out="谢谢")) == {"unclear_opt_out"}
    assert codes(sms("您好", opt_out=""), purpose="service") == set()
    assert {m.grade for m in marks(sms("您好", opt_out=""))} == {"caution"}


@pytest.mark.parametrize(("length", "parts"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
def test_a_chinese_sms_is_billed_in_parts(length: int, parts: int) -> None:
    assert sms_parts("中" * length) == parts


def test_a_long_sms_is_a_caution_and_a_very_long_one_a_fault() -> None:
    assert codes(sms("好" * 80)) == {"sms_long"}
    assert codes(sms("好" * 300)) == {"sms_too_long"}


@given(st.text(max_size=300))
def test_any_text_can_be_checked(body: str) -> None:
    marks(TemplateSpec(name="t", title="t", channel="email", body=f"x{body}", subject="s"), purpose="marketing")


@pytest.mark.django_db
def test_a_text_with_faults_is_saved_but_not_submitted(bank_runtime: runtime.Runtime, cast: Cast) -> None:
    version = services.save_definition(cast["zhaomin"], sms("稳赚不赔"))
    with pytest.raises(InvalidSpec, match="稳赚"):
        services.submit_definition(cast["zhaomin"], version.pk)
    version.refresh_from_db()
    assert version.state == "draft"


@pytest.mark.django_db
def test_the_approved_version_is_in_use_until_a_newer_one_is_approved(
    bank_runtime: runtime.Runtime, cast: Cast
) -> None:
    first = services.save_definition(cast["zhaomin"], OFFER)
    with pytest.raises(UnknownDefinition, match="not approved"):
        queries.spec_of("offer", "fund_offer")
    services.submit_definition(cast["zhaomin"], first.pk)
    approve(cast, "fund_offer")
    cheaper = OfferSpec.model_validate(OFFER.model_dump() | {"unit_cost_cny": Decimal(1)})
    second = services.save_definition(cast["zhaomin"], cheaper)
    assert queries.spec_of("offer", "fund_offer") == OFFER
    services.submit_definition(cast["zhaomin"], second.pk)
    approve(cast, "fund_offer")
    assert queries.spec_of("offer", "fund_offer") == cheaper
    assert queries.pinned("offer", "fund_offer", first.fingerprint) == OFFER
    assert DefinitionVersion.objects.filter(is_current=True).count() == 1


@pytest.mark.django_db
def test_without_an_approved_policy_there_is_none(bank_runtime: runtime.Runtime, cast: Cast) -> None:
    with pytest.raises(UnknownDefinition):
        queries.policy()
    version = services.save_definition(cast["zhaomin"], POLICY)
    services.submit_definition(cast["zhaomin"], version.pk)
    approve(cast, "house")
    assert queries.policy() == POLICY
    services.retire_definition(cast["zhaomin"], version.pk)
    with pytest.raises(UnknownDefinition):
        queries.policy()
    back = services.save_definition(cast["zhaomin"], POLICY)
    assert services.submit_definition(cast["zhaomin"], back.pk).state == "submitted"


@pytest.mark.django_db
def test_only_a_maker_with_the_right_writes_definitions(bank_runtime: runtime.Runtime, cast: Cast) -> None:
    for name in ("wangfang", "liqiang", "zhoulv", "sunli", "admin"):
        with pytest.raises(NotAllowed):
            services.save_definition(cast[name], OFFER)
    with pytest.raises(NotAllowed):
        queries.definitions_for(cast["wangfang"])


@pytest.mark.django_db
def test_products_come_from_the_banks_table(bank: runtime.Runtime, cast: Cast) -> None:
    found = {p.code: p for p in queries.products_for(cast["zhaomin"])}
    assert found["FD201"].family == "fund"
    assert found["FD201"].risk_level == 2
