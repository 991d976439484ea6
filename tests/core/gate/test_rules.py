"""Each rule of the chain has its trap, and a missing fact springs it too."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kequn.core.gate import ALLOW, BLOCK, BY_CODE, CHANNELS, HOLD, RULES, RULES_VERSION, STEPS, Content, Proposal
from kequn.core.gate.facts import NEVER, NO, UNKNOWN, YES
from kequn.core.spec.campaign import Cap

MISSING = {  # what the gate must know -> the rule that fails when it does not
    "deceased": "DECEASED", "personalisation_off": "PERSONALISATION_OFF", "suppressed": "SUPPRESSED",
    "status": "NOT_ACTIVE", "open_complaint": "COMPLAINT",
}  # fmt: skip


def codes(decisions):
    return decisions.codes(0)


def test_the_customer_of_these_tests_passes_on_every_channel(gate):
    for channel in CHANNELS:
        for proposal in (gate.DEPOSIT, gate.FUND, gate.CARD):
            found = gate.verdict(gate.welcome(), channel=channel, proposal=proposal)
            assert (found.verdict[0], codes(found)) == (ALLOW, ())


def test_a_stranger_is_blocked_for_every_purpose(gate):
    for purpose in ("marketing", "service", "maturity_notice"):
        assert codes(gate.verdict(gate.welcome(), ordinal=7, purpose=purpose)) == ("UNKNOWN_CUSTOMER",)


def test_nobody_is_reached_without_any_customer_data(gate):
    assert codes(gate.verdict(gate.welcome(0), purpose="service")) == ("UNKNOWN_CUSTOMER",)


@pytest.mark.parametrize(("column", "code"), MISSING.items())
def test_a_missing_fact_blocks(gate, column, code):
    found = gate.verdict(gate.changed(gate.welcome(), **{column: UNKNOWN}))
    assert (found.verdict[0], codes(found)) == (BLOCK, (code,))


def test_facts_of_which_nothing_is_known_fail_every_rule_that_needs_one(gate):
    from kequn.core.gate import blank_facts

    found = gate.verdict(blank_facts([0]), proposal=replace(gate.FUND, risk_level=3))
    assert codes(found) == (
        "DECEASED", "MINOR", "NO_CONSENT", "PERSONALISATION_OFF", "SUPPRESSED", "COMPLAINT", "NOT_ACTIVE",
        "RISK_TEST_MISSING", "VULNERABLE_R3", "NO_ADDRESS", "FREQUENCY",
    )  # fmt: skip


@pytest.mark.parametrize("purpose", ["marketing", "service", "maturity_notice"])
def test_the_deceased_are_left_in_peace(gate, purpose):
    assert codes(gate.verdict(gate.changed(gate.welcome(), deceased=YES), purpose=purpose)) == ("DECEASED",)


@pytest.mark.parametrize(
    ("born", "is_minor"),
    [
        ("2008-07-02", True),  # 17 years and 364 days
        ("2008-07-01", False),
        ("2026-07-02", True),  # born tomorrow: no credible date
        ("1900-01-01", True),  # the bank's placeholder
        ("NaT", True),
    ],
)
def test_minors_and_those_of_unknown_age_get_no_marketing(gate, born, is_minor):
    facts = gate.changed(gate.welcome(), born=np.datetime64(born))
    assert codes(gate.verdict(facts)) == (("MINOR",) if is_minor else ())
    assert codes(gate.verdict(facts, purpose="service")) == ()


def test_a_leap_day_child_comes_of_age_in_march(gate):
    facts = gate.changed(gate.welcome(), born=np.datetime64("2008-02-29"))
    assert codes(gate.verdict(facts, now=datetime.fromisoformat("2026-02-28T12:00+08:00"))) == ("MINOR",)
    assert codes(gate.verdict(facts, now=datetime.fromisoformat("2026-03-01T12:00+08:00"))) == ()


def test_turning_eighteen_is_no_consent(gate):
    facts = gate.changed(gate.welcome(), born=np.datetime64("2008-07-01"), consent=UNKNOWN)
    assert codes(gate.verdict(facts)) == ("NO_CONSENT",)


@pytest.mark.parametrize(("word", "code"), [(UNKNOWN, "NO_CONSENT"), (NO, "OPTED_OUT")])
def test_consent_is_by_channel_and_only_for_marketing(gate, word, code):
    facts = gate.changed(gate.welcome(), channel="sms", consent=word)
    assert codes(gate.verdict(facts)) == (code,)
    assert codes(gate.verdict(facts, channel="email")) == ()
    assert codes(gate.verdict(facts, purpose="service")) == ()
    assert codes(gate.verdict(facts, purpose="maturity_notice")) == ()


def test_consent_holds_through_its_last_day(gate):
    today = gate.changed(gate.welcome(), channel="sms", consent_expires=gate.TODAY)
    assert codes(gate.verdict(today)) == ()
    yesterday = gate.changed(gate.welcome(), channel="sms", consent_expires=gate.TODAY - 1)
    assert codes(gate.verdict(yesterday)) == ("CONSENT_EXPIRED",)
    endless = gate.changed(gate.welcome(), channel="sms", consent_expires=NEVER)
    assert codes(gate.verdict(endless)) == ()


def test_the_day_is_the_banks_day(gate):
    facts = gate.changed(gate.welcome(), channel="sms", consent_expires=np.datetime64("2026-06-30"))
    late = datetime.fromisoformat("2026-06-30T20:30:00+00:00")  # already July in Shanghai
    assert "CONSENT_EXPIRED" in codes(gate.verdict(facts, now=late))


def test_with_personalisation_off_nothing_chosen_by_features_is_sent(gate):
    facts = gate.changed(gate.welcome(), personalisation_off=YES)
    assert codes(gate.verdict(facts)) == ("PERSONALISATION_OFF",)
    assert codes(gate.verdict(facts, purpose="service")) == ()


def test_the_grounds_of_a_suppression_cannot_be_told_apart(gate):
    gift = replace(gate.CARD, has_benefit=True)
    grounds = [
        gate.changed(gate.welcome(), suppressed=YES),
        gate.changed(gate.welcome(), suppressed=UNKNOWN),
        gate.changed(gate.welcome(), staff=YES),
        gate.changed(gate.welcome(), staff=UNKNOWN),
        gate.changed(gate.welcome(), listed=True),
        gate.changed(gate.welcome(), listed_for_marketing=True),
    ]
    found = [gate.verdict(facts, proposal=gift) for facts in grounds]
    assert {(codes(d), int(d.missing[0])) for d in found} == {(("SUPPRESSED",), 0)}
    assert BY_CODE["SUPPRESSED"].opaque


def test_suppression_stops_service_too_but_a_marketing_list_does_not(gate):
    for column in ("suppressed", "listed"):
        facts = gate.changed(gate.welcome(), **{column: YES})
        assert codes(gate.verdict(facts, purpose="service")) == ("SUPPRESSED",)
    assert codes(gate.verdict(gate.changed(gate.welcome(), listed_for_marketing=True), purpose="service")) == ()


def test_staff_may_be_told_but_not_rewarded(gate):
    facts = gate.changed(gate.welcome(), staff=YES)
    assert codes(gate.verdict(facts, proposal=gate.CARD)) == ()
    assert codes(gate.verdict(facts, proposal=replace(gate.CARD, has_benefit=True))) == ("SUPPRESSED",)


def test_complaints_brake_marketing_until_closed_and_cool(gate):
    days = gate.POLICY.complaint_days
    for age, stops in ((0, True), (days - 1, True), (days, False)):
        facts = gate.changed(gate.welcome(), last_complaint=gate.TODAY - age)
        assert codes(gate.verdict(facts)) == (("COMPLAINT",) if stops else ())
        assert codes(gate.verdict(facts, purpose="service")) == ()
    old_but_open = gate.changed(gate.welcome(), last_complaint=gate.TODAY - 900, open_complaint=YES)
    assert codes(gate.verdict(old_but_open)) == ("COMPLAINT",)


@pytest.mark.parametrize(
    ("status", "served"), [("active", True), ("dormant", True), ("frozen", False), ("closed", False)]
)
def test_frozen_and_closed_customers_get_no_marketing(gate, status, served):
    facts = gate.changed(gate.welcome(), status=["active", "dormant", "frozen", "closed"].index(status))
    assert codes(gate.verdict(facts)) == (() if served else ("NOT_ACTIVE",))


def test_an_unknown_product_is_not_offered(gate):
    assert codes(gate.verdict(gate.welcome(), proposal=Proposal(product_known=False, content=gate.CONTENT))) == (
        "PRODUCT_UNKNOWN",
    )


def test_an_offer_holds_through_its_last_day(gate):
    assert codes(gate.verdict(gate.welcome(), proposal=replace(gate.DEPOSIT, valid_until=date(2026, 7, 1)))) == ()
    expired = replace(gate.DEPOSIT, valid_until=date(2026, 6, 30))
    assert codes(gate.verdict(gate.welcome(), proposal=expired)) == ("OFFER_EXPIRED",)


@pytest.mark.parametrize("overdue", [YES, UNKNOWN])
def test_the_overdue_are_offered_no_credit(gate, overdue):
    facts = gate.changed(gate.welcome(), overdue=overdue)
    assert codes(gate.verdict(facts, proposal=gate.CARD)) == ("LOAN_OVERDUE",)
    assert codes(gate.verdict(facts, proposal=gate.DEPOSIT)) == ()


def test_only_fifteen_of_the_twenty_five_cells_of_c_by_r_pass(gate):
    found = {
        (c, r): codes(
            gate.verdict(gate.changed(gate.welcome(), risk_level=c), proposal=replace(gate.FUND, risk_level=r))
        )
        for c in range(1, 6)
        for r in range(1, 6)
    }
    assert found == {(c, r): () if r <= c else ("UNSUITABLE",) for c in range(1, 6) for r in range(1, 6)}
    assert sum(not failing for failing in found.values()) == 15


def test_without_a_valid_risk_test_investments_are_blocked_and_deposits_are_not(gate):
    traps = {
        "RISK_TEST_MISSING": gate.changed(gate.welcome(), risk_level=UNKNOWN),
        "RISK_TEST_EXPIRED": gate.changed(gate.welcome(), risk_expires=gate.TODAY - 1),
    }
    for code, facts in traps.items():
        assert codes(gate.verdict(facts, proposal=gate.FUND)) == (code,)
        assert codes(gate.verdict(facts, proposal=gate.DEPOSIT)) == ()
        assert codes(gate.verdict(facts, proposal=gate.FUND, purpose="service")) == ()
    unknown_validity = gate.changed(gate.welcome(), risk_expires=NEVER)
    assert codes(gate.verdict(unknown_validity, proposal=gate.FUND)) == ("RISK_TEST_EXPIRED",)
    assert codes(gate.verdict(gate.changed(gate.welcome(), risk_expires=gate.TODAY), proposal=gate.FUND)) == ()


def test_an_investment_without_a_risk_level_is_offered_to_nobody(gate):
    assert codes(gate.verdict(gate.welcome(), proposal=replace(gate.FUND, risk_level=None))) == (
        "PRODUCT_RISK_UNKNOWN",
    )
    unheard = Proposal(product_known=True, family="something_new", content=gate.CONTENT)
    assert codes(gate.verdict(gate.welcome(), proposal=unheard)) == ("PRODUCT_RISK_UNKNOWN",)


def test_seniors_and_the_vulnerable_get_nothing_of_r3_and_above(gate):
    careful = [
        gate.changed(gate.welcome(), born=np.datetime64("1961-07-01")),
        gate.changed(gate.welcome(), vulnerable=YES),
        gate.changed(gate.welcome(), vulnerable=UNKNOWN),
    ]
    for facts in careful:
        assert codes(gate.verdict(facts, proposal=replace(gate.FUND, risk_level=3))) == ("VULNERABLE_R3",)
        assert codes(gate.verdict(facts, proposal=replace(gate.FUND, risk_level=2))) == ()
    nearly = gate.changed(gate.welcome(), born=np.datetime64("1961-07-02"))
    assert codes(gate.verdict(nearly, proposal=replace(gate.FUND, risk_level=3))) == ()


def test_nothing_is_said_that_was_not_approved(gate):
    for content in ({}, {"sms": Content(approved=False, has_opt_out=True)}):
        found = gate.verdict(gate.welcome(), proposal=replace(gate.DEPOSIT, content=content), purpose="service")
        assert codes(found) == ("CONTENT_NOT_APPROVED",)


def test_no_gift_goes_with_a_deposit(gate):
    assert codes(gate.verdict(gate.welcome(), proposal=replace(gate.DEPOSIT, has_benefit=True))) == ("DEPOSIT_GIFT",)


@pytest.mark.parametrize(("channel", "needed"), [("sms", True), ("email", True), ("wecom", False), ("call", False)])
def test_marketing_texts_say_how_to_refuse(gate, channel, needed):
    mute = replace(gate.DEPOSIT, content={channel: Content(approved=True)})
    assert codes(gate.verdict(gate.welcome(), channel=channel, proposal=mute)) == (
        ("NO_OPT_OUT_TEXT",) if needed else ()
    )
    assert codes(gate.verdict(gate.welcome(), channel=channel, proposal=mute, purpose="service")) == ()


@pytest.mark.parametrize("known", [NO, UNKNOWN])
def test_without_an_address_there_is_no_channel(gate, known):
    facts = gate.changed(gate.welcome(), channel="email", reachable=known)
    assert codes(gate.verdict(facts, channel="email", purpose="service")) == ("NO_ADDRESS",)
    assert codes(gate.verdict(facts)) == ()


def test_at_night_a_message_waits_for_the_morning_and_a_task_does_not(gate):
    found = gate.verdict(gate.welcome(), now=gate.NIGHT)
    assert (found.verdict[0], codes(found)) == (HOLD, ("QUIET_HOURS",))
    assert found.held_until(0) == datetime.fromisoformat("2026-07-02T08:00:00+08:00")
    assert gate.verdict(gate.welcome(), now=gate.NIGHT, channel="rm_task").verdict[0] == ALLOW
    assert gate.verdict(gate.welcome(), now=gate.NIGHT, purpose="service").verdict[0] == HOLD


def test_who_is_blocked_is_not_held(gate):
    found = gate.verdict(gate.changed(gate.welcome(), deceased=YES), now=gate.NIGHT)
    assert (found.verdict[0], codes(found), found.held_until(0)) == (BLOCK, ("DECEASED", "QUIET_HOURS"), None)


def test_quiet_hours_are_those_of_the_customers_place(gate):
    facts = replace(gate.welcome(), zones=("Asia/Urumqi", "Europe/London"), zone=np.array([1], dtype=np.int16))
    noon_in_shanghai = gate.verdict(facts)  # five in the morning in London
    assert noon_in_shanghai.held_until(0) == datetime.fromisoformat("2026-07-01T08:00:00+01:00")
    unknown = replace(facts, zone=np.array([UNKNOWN], dtype=np.int16))
    assert gate.verdict(unknown).verdict[0] == ALLOW


@pytest.mark.parametrize(
    ("contacts", "channel", "stops"),
    [
        ([(0, "sms", "2026-06-25"), (0, "sms", "2026-07-01")], "sms", True),
        ([(0, "sms", "2026-06-24"), (0, "sms", "2026-07-01")], "sms", False),  # the first left the week
        ([(0, "sms", "2026-06-25"), (0, "sms", "2026-07-01")], "email", False),
        ([(0, "branch", "2026-06-25")] * 6, "email", True),  # other channels count together
        ([(0, "email", "2026-06-25")] * 5, "email", False),
        ([(0, "call", "2026-06-30")], "call", True),
        ([(0, "sms", "2026-07-09")] * 2, "sms", True),  # under way
    ],
)
def test_caps_count_rolling_days(gate, contacts, channel, stops):
    facts = gate.touched(gate.welcome(), *contacts)
    assert codes(gate.verdict(facts, channel=channel)) == (("FREQUENCY",) if stops else ())
    assert codes(gate.verdict(facts, channel=channel, purpose="service")) == ()


def test_without_a_ledger_no_cap_can_be_kept_and_without_caps_none_is_needed(gate):
    facts = replace(gate.welcome(), touches=None)
    assert codes(gate.verdict(facts)) == ("FREQUENCY",)
    assert codes(gate.verdict(facts, policy=gate.POLICY.model_copy(update={"caps": ()}))) == ()


def test_other_peoples_touches_do_not_count(gate):
    facts = gate.touched(gate.welcome(2), (1, "sms", "2026-07-01"), (1, "sms", "2026-07-01"))
    assert gate.verdict(facts, ordinal=0).passes[0]
    assert not gate.verdict(facts, ordinal=1).passes[0]


def test_a_customer_somebody_works_with_is_left_alone(gate):
    facts = gate.changed(gate.welcome(), in_progress=True)
    assert codes(gate.verdict(facts)) == ("IN_PROGRESS",)
    assert codes(gate.verdict(facts, purpose="service")) == ()


def test_a_full_channel_takes_no_more(gate):
    facts = replace(gate.welcome(), full_channels=frozenset({"call"}))
    assert codes(gate.verdict(facts, channel="call")) == ("CHANNEL_FULL",)
    assert codes(gate.verdict(facts)) == ()


def test_all_failing_rules_are_told_in_the_order_of_the_chain(gate):
    facts = gate.changed(gate.welcome(), deceased=YES, consent=NO, reachable=NO, in_progress=True)
    assert codes(gate.verdict(facts)) == ("DECEASED", "OPTED_OUT", "NO_ADDRESS", "IN_PROGRESS")


def test_a_withdrawal_between_plan_and_sending_changes_the_result(gate):
    facts = gate.welcome()
    assert gate.verdict(facts).verdict[0] == ALLOW
    withdrawn = gate.changed(facts, channel="sms", consent=NO)
    assert codes(gate.verdict(withdrawn, now=gate.NOON + timedelta(seconds=1))) == ("OPTED_OUT",)


def test_every_rule_has_its_words_in_both_languages_and_stands_in_order(gate):
    assert [rule.step for rule in RULES] == sorted(rule.step for rule in RULES)
    assert {rule.step for rule in RULES} == set(range(1, len(STEPS) + 1))
    assert len({rule.code for rule in RULES}) == len(RULES) <= 64
    for rule in RULES:
        assert all(text.zh and text.en for text in (rule.title, rule.explanation, rule.basis, rule.cure))
        assert rule.overridable == (rule.step > 7)


def test_each_rule_has_a_trap_above(gate):
    source = Path(__file__).read_text(encoding="utf-8")
    assert [rule.code for rule in RULES if f'"{rule.code}"' not in source] == []


def test_the_version_names_the_rules_and_the_policy(gate):
    one = gate.verdict(gate.welcome())
    other = gate.verdict(gate.welcome(), policy=gate.POLICY.model_copy(update={"quiet_until": time(9)}))
    assert one.version.startswith(RULES_VERSION)
    assert one.version != other.version
    assert one.version == gate.verdict(gate.welcome()).version


def test_an_instant_without_a_zone_is_refused(gate):
    with pytest.raises(ValueError, match="time zone"):
        gate.verdict(gate.welcome(), now=datetime(2026, 7, 1, 12))  # noqa: DTZ001 - that is the point


def test_no_caps_on_other_channels_leak(gate: SimpleNamespace):
    policy = gate.POLICY.model_copy(update={"caps": (Cap(channel="email", days=1, times=1),)})
    facts = gate.touched(gate.welcome(), (0, "sms", "2026-07-01"), (0, "email", "2026-06-30"))
    assert codes(gate.verdict(facts, channel="email", policy=policy)) == ()
