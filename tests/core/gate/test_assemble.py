"""Facts come from the bank's tables and the overlay; what is missing stays unknown."""

from datetime import UTC, date, datetime

import numpy as np

from kequn.core.engine.footers import last_day
from kequn.core.gate import CHANNELS, Overlay, empty, facts_from, proposal_from, rows
from kequn.core.gate.facts import NO, UNKNOWN, YES, Content
from kequn.core.spec.offer import OfferSpec

AS_OF = date(2026, 6, 30)
SMS, CALL, WECOM, TASK = (CHANNELS.index(c) for c in ("sms", "call", "wecom", "rm_task"))


def person(ordinal, **more):
    return {
        "ordinal": ordinal, "opened_on": date(2020, 1, 1), "birth_on": date(1980, 5, 1), "status": "active",
        "is_deceased": False, "is_staff": False, "is_suppressed": False, "is_vulnerable": False,
        "personalisation_off": False, "risk_level": 3, "risk_expires_on": date(2027, 1, 1), "rm_no": "R1",
    } | more  # fmt: skip


def consent(ordinal, channel, granted, given_on, **more):
    return {
        "ordinal": ordinal, "purpose": "marketing", "channel": channel, "granted": granted, "given_on": given_on,
    } | more  # fmt: skip


def test_a_customer_whom_the_bank_does_not_have_is_left_out(bank):
    facts = facts_from(bank(customer=[person(0), person(2)]), [0, 1, 2], as_of=AS_OF)
    assert facts.ordinals.tolist() == [0, 2]


def test_an_empty_cell_stays_unknown(bank):
    nothing = {"ordinal": 0, "opened_on": AS_OF}
    facts = facts_from(bank(customer=[nothing]), [0], as_of=AS_OF)
    flags = ("status", "deceased", "suppressed", "staff", "vulnerable", "personalisation_off", "risk_level")
    assert [getattr(facts, name)[0] for name in flags] == [UNKNOWN] * len(flags)
    assert np.isnat(facts.born[0])
    assert np.isnat(facts.risk_expires[0])


def test_tables_that_were_never_loaded_leave_their_facts_unknown(bank):
    facts = facts_from(bank(customer=[person(0)]), [0], as_of=AS_OF)
    assert facts.open_complaint.tolist() == [UNKNOWN]
    assert facts.overdue.tolist() == [UNKNOWN]
    assert facts.touches is None


def test_an_empty_table_says_that_there_is_nothing(bank):
    facts = facts_from(bank(customer=[person(0)], service=[], contact=[], holding=[]), [0], as_of=AS_OF)
    assert facts.open_complaint.tolist() == [NO]
    assert facts.overdue.tolist() == [NO]
    assert len(facts.touches.rows) == 0


def test_the_latest_word_on_consent_counts(bank):
    ledger = [
        consent(0, "sms", True, date(2025, 1, 1)),
        consent(0, "sms", False, date(2026, 1, 1)),
        consent(1, "sms", False, date(2025, 1, 1)),
        consent(1, "sms", True, date(2026, 1, 1), expires_on=date(2028, 1, 1)),
    ]
    facts = facts_from(bank(customer=[person(0), person(1)], consent=ledger), [0, 1], as_of=AS_OF)
    assert facts.consent[:, SMS].tolist() == [NO, YES]
    assert facts.consent_expires[1, SMS] == np.datetime64("2028-01-01")


def test_a_grant_dated_after_the_business_date_does_not_count_yet_but_a_refusal_does(bank):
    ledger = [consent(0, "sms", True, date(2026, 7, 2)), consent(1, "sms", False, date(2026, 7, 2))]
    facts = facts_from(bank(customer=[person(0), person(1)], consent=ledger), [0, 1], as_of=AS_OF)
    assert facts.consent[:, SMS].tolist() == [UNKNOWN, NO]


def test_an_opt_out_of_today_beats_a_grant_of_the_same_day(bank):
    engine = bank(customer=[person(0)], consent=[consent(0, "sms", True, AS_OF)])
    said = rows("consents", ordinal=[0], channel=["sms"], granted=[False], at=[datetime(2026, 6, 30, 1, tzinfo=UTC)])
    assert facts_from(engine, [0], as_of=AS_OF, overlay=Overlay(consents=said)).consent[0, SMS] == NO


def test_a_refusal_without_a_time_beats_a_grant_given_earlier_that_day(bank):
    engine = bank(customer=[person(0)], consent=[consent(0, "sms", False, AS_OF)])
    said = rows("consents", ordinal=[0], channel=["sms"], granted=[True], at=[datetime(2026, 6, 30, 7, tzinfo=UTC)])
    assert facts_from(engine, [0], as_of=AS_OF, overlay=Overlay(consents=said)).consent[0, SMS] == NO


def test_opting_out_of_all_stops_every_channel(bank):
    engine = bank(customer=[person(0)], consent=[consent(0, c, True, date(2026, 1, 1)) for c in CHANNELS])
    said = rows("consents", ordinal=[0], channel=["all"], granted=[False], at=[datetime(2026, 6, 30, 7, tzinfo=UTC)])
    facts = facts_from(engine, [0], as_of=AS_OF, overlay=Overlay(consents=said))
    assert facts.consent[0].tolist() == [NO] * len(CHANNELS)


def test_a_task_rests_on_consent_to_a_call_or_to_wecom(bank):
    ledger = [
        consent(0, "call", False, date(2026, 1, 1)),
        consent(0, "wecom", True, date(2026, 1, 1), expires_on=date(2027, 1, 1)),
        consent(1, "call", False, date(2026, 1, 1)),
        consent(2, "sms", True, date(2026, 1, 1)),
        consent(3, "wecom", True, date(2026, 1, 1)),
        consent(3, "rm_task", False, date(2025, 1, 1)),
    ]
    engine = bank(customer=[person(i) for i in range(4)], consent=ledger)
    facts = facts_from(engine, range(4), as_of=AS_OF)
    assert facts.consent[:, TASK].tolist() == [YES, NO, UNKNOWN, NO]
    assert facts.consent_expires[0, TASK] == np.datetime64("2027-01-01")


def test_complaints_of_both_sides_are_joined(bank):
    calls = [
        {"ordinal": 0, "happened_on": date(2026, 5, 1), "kind": "complaint", "status": "closed"},
        {"ordinal": 0, "happened_on": date(2026, 4, 1), "kind": "complaint", "status": "open"},
        {"ordinal": 1, "happened_on": date(2026, 5, 1), "kind": "call"},
        {"ordinal": 2, "happened_on": date(2026, 5, 1), "kind": "complaint", "status": "closed"},
    ]
    noted = rows(
        "complaints", ordinal=[0, 2, 3], on=[date(2026, 1, 1), date(2026, 6, 1), date(2026, 6, 2)],
        open=[False, False, True],
    )  # fmt: skip
    engine = bank(customer=[person(i) for i in range(5)], service=calls)
    facts = facts_from(engine, range(5), as_of=AS_OF, overlay=Overlay(complaints=noted))
    assert facts.open_complaint.tolist() == [YES, NO, NO, YES, NO]
    assert facts.last_complaint.astype(str).tolist() == ["2026-05-01", "NaT", "2026-06-01", "2026-06-02", "NaT"]


def test_a_complaint_without_a_status_is_open(bank):
    calls = [{"ordinal": 0, "happened_on": date(2020, 5, 1), "kind": "complaint"}]
    facts = facts_from(bank(customer=[person(0)], service=calls), [0], as_of=AS_OF)
    assert facts.open_complaint.tolist() == [YES]


def test_reachability_is_derived_where_the_bank_knows_and_unknown_elsewhere(bank):
    accounts = [
        {"account_no": 1, "ordinal": 0, "kind": "wecom", "opened_on": date(2024, 1, 1), "status": "active"},
        {"account_no": 2, "ordinal": 1, "kind": "wecom", "opened_on": date(2024, 1, 1), "status": "closed"},
    ]
    engine = bank(customer=[person(0), person(1, rm_no=None)], account=accounts)
    known = rows("reachable", ordinal=[0, 1], channel=["sms", "sms"], reachable=[True, False])
    facts = facts_from(engine, [0, 1], as_of=AS_OF, overlay=Overlay(reachable=known))
    assert facts.reachable[:, WECOM].tolist() == [YES, NO]
    assert facts.reachable[:, SMS].tolist() == [YES, NO]
    assert facts.reachable[:, CALL].tolist() == [UNKNOWN, UNKNOWN]
    assert facts.reachable[:, TASK].tolist() == [YES, NO]


def test_a_contact_in_both_ledgers_is_one_contact_and_a_load_hides_none(bank):
    loaded = [
        {"ordinal": 0, "contacted_on": date(2026, 6, day), "channel": "sms", "purpose": "marketing"} for day in (10, 29)
    ]
    own = rows(
        "touches", ordinal=[0, 0, 0, 0], channel=["sms", "sms", "sms", "call"],
        on=[date(2026, 6, 10), date(2026, 6, 10), date(2026, 6, 20), date(2026, 6, 29)],
    )  # fmt: skip
    found = facts_from(
        bank(customer=[person(0)], contact=loaded), [0], as_of=AS_OF, overlay=Overlay(touches=own)
    ).touches
    days = sorted((str(day), CHANNELS[channel]) for day, channel in zip(found.days, found.channels, strict=True))
    assert days == [
        ("2026-06-10", "sms"), ("2026-06-10", "sms"), ("2026-06-20", "sms"), ("2026-06-29", "call"), ("2026-06-29", "sms"),
    ]  # fmt: skip


def test_touches_of_both_ledgers_are_counted_and_service_is_not(bank):
    contacts = [
        {"contact_no": 1, "ordinal": 0, "contacted_on": date(2026, 6, 20), "channel": "sms", "purpose": "marketing"},
        {"contact_no": 2, "ordinal": 0, "contacted_on": date(2026, 6, 21), "channel": "branch"},
        {"contact_no": 3, "ordinal": 0, "contacted_on": date(2026, 6, 21), "channel": "sms", "purpose": "service"},
        {"contact_no": 4, "ordinal": 0, "contacted_on": date(2024, 6, 21), "channel": "sms", "purpose": "marketing"},
    ]
    mine = rows("touches", ordinal=[1, 9], channel=["sms", "sms"], on=[date(2026, 7, 1), date(2026, 7, 1)])
    engine = bank(customer=[person(0), person(1)], contact=contacts)
    touches = facts_from(engine, [0, 1], as_of=AS_OF, overlay=Overlay(touches=mine)).touches
    assert sorted(zip(touches.rows.tolist(), touches.channels.tolist(), touches.days.astype(str), strict=True)) == [
        (0, UNKNOWN, "2026-06-21"), (0, SMS, "2026-06-20"), (1, SMS, "2026-07-01"),
    ]  # fmt: skip


def test_suppressions_hold_to_their_last_day_and_by_scope(bank):
    listed = rows(
        "suppressions", ordinal=[0, 1, 2], scope=["all", "marketing", "all"], until=[AS_OF, None, date(2026, 6, 29)]
    )
    engine = bank(customer=[person(i) for i in range(3)])
    facts = facts_from(engine, range(3), as_of=AS_OF, overlay=Overlay(suppressions=listed))
    assert facts.listed.tolist() == [True, False, False]
    assert facts.listed_for_marketing.tolist() == [False, True, False]


def test_zones_and_opportunities_are_taken_over(bank):
    engine = bank(customer=[person(0), person(1)])
    more = Overlay(
        zones=rows("zones", ordinal=[1], zone=["Asia/Urumqi"]), in_progress=rows("in_progress", ordinal=[0]),
        full_channels=frozenset({"call"}), touches=empty("touches"),
    )  # fmt: skip
    facts = facts_from(engine, [0, 1], as_of=AS_OF, overlay=more)
    assert (facts.zones, facts.zone.tolist()) == (("Asia/Urumqi",), [UNKNOWN, 0])
    assert facts.in_progress.tolist() == [True, False]
    assert facts.full_channels == {"call"}
    assert facts.touches is not None


def test_overdue_is_read_at_the_latest_positions(bank):
    def loan(ordinal, as_of, overdue_days, family="mortgage"):
        return {"ordinal": ordinal, "product_code": "L1", "as_of": as_of, "family": family, "balance": 1,
                "overdue_days": overdue_days}  # fmt: skip

    held = [
        loan(0, date(2026, 5, 31), 30), loan(0, AS_OF, 0), loan(1, AS_OF, 5), loan(2, AS_OF, None),
        loan(3, AS_OF, None, family="demand"),
    ]  # fmt: skip
    facts = facts_from(bank(customer=[person(i) for i in range(5)], holding=held), range(5), as_of=AS_OF)
    assert facts.overdue.tolist() == [NO, YES, UNKNOWN, NO, NO]


def test_positions_of_later_days_do_not_hide_those_of_the_day_asked_about(bank):
    loan = {"ordinal": 0, "family": "mortgage", "product_code": "M", "balance": 1}
    known = bank(
        customer=[person(0)],
        holding=[loan | {"as_of": day, "overdue_days": late} for day, late in ((AS_OF, 9), (date(2026, 7, 31), 0))],
    )
    assert facts_from(known, [0], as_of=AS_OF).overdue.tolist() == [YES]
    assert facts_from(known, [0], as_of=date(2026, 8, 1)).overdue.tolist() == [NO]
    assert facts_from(known, [0], as_of=date(2026, 1, 1)).overdue.tolist() == [NO]
    assert last_day(known, "holding", "as_of") == date(2026, 7, 31)
    assert last_day(known, "holding", "nothing") is None


def test_who_has_an_account_for_a_channel_that_is_not_asked_about_stays_unknown(bank):
    known = bank(customer=[person(0)], account=[{"ordinal": 0, "kind": "wecom", "opened_on": date(2020, 1, 1)}])
    assert facts_from(known, [0], as_of=AS_OF).reachable[0, WECOM] == YES
    assert facts_from(known, [0], as_of=AS_OF, channels=["wecom"]).reachable[0, WECOM] == YES
    assert facts_from(known, [0], as_of=AS_OF, channels=["call"]).reachable[0, WECOM] == UNKNOWN


def test_an_offer_of_a_product_the_bank_does_not_have_is_not_known(bank):
    engine = bank(product=[{"product_code": "P1", "name": "稳健", "family": "wmp", "risk_level": 2}])
    offer = OfferSpec(name="o", title="推荐", product="P1", valid_until=AS_OF)
    found = proposal_from(engine, offer, {"sms": Content(approved=True)})
    assert (found.product_known, found.family, found.risk_level, found.has_benefit) == (True, "wmp", 2, False)
    assert not proposal_from(engine, offer.model_copy(update={"product": "P2"}), {}).product_known
    assert not proposal_from(bank(), offer, {}).product_known
