"""The causal world: who is moved by contacts and who is not, and what is written about it."""

from __future__ import annotations

import csv
import gzip
import hashlib
from datetime import date, datetime
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from kequn.core.data.starter import FILES, Contacted, generate, respond, world
from kequn.core.data.starter.block import block_of
from kequn.core.data.starter.causes import CHANNELS, Touches, chances, gains, minds
from kequn.core.data.starter.draws import BLOCK, day
from kequn.core.data.starter.kinds import DO_NOT_DISTURB, LOST_CAUSE, PERSUADABLE, SURE_THING
from kequn.core.data.starter.people import employers
from kequn.core.data.starter.products import NUMBER
from kequn.core.data.starter.raw import positions_of
from kequn.core.errors import NoData

START, DAYS = date(2026, 7, 1), 30
AT = datetime(2026, 7, 2, 10, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture(scope="module")
def labels(bank):
    return pq.read_table(bank.labels)


@pytest.fixture(scope="module")
def audience(labels):
    """Payroll customers with some money: 85 in a hundred to be contacted."""
    numbers = np.array(labels["customer_no"].to_pylist())
    worth = np.array(labels["is_payroll"]) & (np.array(labels["tier"]) >= 1)
    members = numbers[worth]
    treated = np.random.default_rng(1).random(len(members)) < 0.85
    return members, treated


def contacts(members, *, channel="sms", offer="WM206", delivered=True):
    return [Contacted(no, channel, offer, AT.replace(day=2 + i % 5), delivered, "七月") for i, no in enumerate(members)]


@pytest.fixture(scope="module")
def outcome(bank, audience, tmp_path_factory):
    members, treated = audience
    out = tmp_path_factory.mktemp("july")
    made = contacts(members[treated])
    return respond(bank.folder, made, seed=5, start_on=START, days=DAYS, out=out, spillover=0.0)


@pytest.fixture(scope="module")
def part():
    return block_of(20260630, 0, BLOCK, date(2026, 6, 30))


def all_touched(n, *, channel="sms", offer="WM206", on=date(2026, 7, 2), times=1):
    who = np.repeat(np.arange(n), times)
    full = np.full(len(who), 1)
    return Touches(who, full * CHANNELS.index(channel), full * NUMBER[offer], full * day(on), full.astype(bool))


def test_the_same_window_comes_out_the_same(bank, audience, outcome, tmp_path):
    members, treated = audience
    again = respond(
        bank.folder, contacts(members[treated]), seed=5, start_on=START, days=DAYS, out=tmp_path, spillover=0.0
    )
    assert (again.bought == outcome.bought).all()
    for name in outcome.rows:
        one, other = (hashlib.sha256((f / FILES[name]).read_bytes()).hexdigest() for f in (outcome.folder, tmp_path))
        assert one == other, name


def test_contacts_raise_the_rate_of_the_treated(outcome, audience):
    members, treated = audience
    effect = outcome.effect(members[treated])
    assert 0.015 < effect.expected < 0.07
    assert effect.rate > effect.rate_alone
    assert effect.n == treated.sum()


def test_without_spillover_nobody_else_is_touched(outcome, audience):
    members, treated = audience
    control = outcome.effect(members[~treated])
    assert (control.expected, control.realised, control.growth) == (0, 0, 0)
    assert (outcome.bought == outcome.bought_alone)[~outcome.touched].all()


def test_with_spillover_members_of_a_treated_household_gain(bank, audience, tmp_path):
    members, treated = audience
    outcome = respond(
        bank.folder, contacts(members[treated]), seed=5, start_on=START, days=DAYS, out=tmp_path, spillover=0.8
    )
    gained = (outcome.chance - outcome.chance_alone)[~outcome.touched]
    assert gained.min() >= 0
    assert gained.max() > 0.01
    assert (gained > 0).mean() < 0.1


def test_without_contacts_both_worlds_are_one(bank, tmp_path):
    outcome = respond(bank.folder, [], seed=5, start_on=START, days=DAYS, out=tmp_path)
    assert (outcome.chance == outcome.chance_alone).all()
    assert (outcome.bought == outcome.bought_alone).all()


def test_what_was_not_delivered_does_nothing(bank, audience, tmp_path):
    members, _ = audience
    made = contacts(members, delivered=False)
    outcome = respond(bank.folder, made, seed=5, start_on=START, days=DAYS, out=tmp_path)
    assert outcome.effect(members).expected == 0


def test_answers_do_not_depend_on_who_else_is_contacted(bank, outcome, audience, tmp_path):
    members, treated = audience
    half = members[treated][::2]
    fewer = respond(bank.folder, contacts(half), seed=5, start_on=START, days=DAYS, out=tmp_path, spillover=0.0)
    assert (fewer.bought_alone == outcome.bought_alone).all()


def test_the_truth_is_the_mean_of_many_windows(part):
    touches = all_touched(BLOCK)
    realised, expected = [], []
    for seed in range(60):
        mind = minds(part, seed=seed, start=START, days=DAYS)
        own = gains(part, mind, touches)
        chance = chances(mind.alone, own, np.ones(BLOCK, bool), part.who.household, spillover=0.0)
        realised.append((mind.answer < chance).mean() - (mind.answer < mind.alone).mean())
        expected.append((chance - mind.alone).mean())
    spread = np.std(realised, ddof=1) / np.sqrt(len(realised))
    assert abs(np.mean(realised) - np.mean(expected)) < 4 * spread


def test_each_kind_answers_as_it_should(part):
    mind = minds(part, seed=1, start=START, days=DAYS)
    gain = gains(part, mind, all_touched(BLOCK, channel="call"))
    mean = [gain[mind.kind == kind].mean() for kind in range(4)]
    assert mean[PERSUADABLE] > 0.08
    assert 0 < mean[SURE_THING] < 0.03
    assert 0 < mean[LOST_CAUSE] < 0.01
    assert mean[DO_NOT_DISTURB] < -0.02
    alone = [mind.alone[mind.kind == kind].mean() for kind in range(4)]
    assert alone[SURE_THING] > 0.25
    assert alone[LOST_CAUSE] < 0.01


def test_a_persons_word_counts_more_than_a_message(part):
    mind = minds(part, seed=1, start=START, days=DAYS)
    mean = {c: gains(part, mind, all_touched(BLOCK, channel=c)).mean() for c in CHANNELS}
    assert mean["rm_task"] > mean["call"] > mean["sms"] > mean["email"]


def test_further_contacts_do_less(part):
    mind = minds(part, seed=1, start=START, days=DAYS)
    once, twice = (gains(part, mind, all_touched(BLOCK, times=n)).mean() for n in (1, 2))
    assert once < twice < 1.7 * once


def test_a_contact_after_the_payday_counts_more(part):
    mind = minds(part, seed=1, start=START, days=DAYS)
    paid = (employers(part.seed).payday[part.who.employer] == 15) & (part.who.employer >= 0)
    near, far = (gains(part, mind, all_touched(BLOCK, on=date(2026, 7, d)))[paid].mean() for d in (16, 24))
    assert near == pytest.approx(1.4 * far, rel=0.05)


def test_older_customers_prefer_deposits(part):
    mind = minds(part, seed=1, start=START, days=DAYS)
    old = (part.who.age >= 60) & (mind.kind == PERSUADABLE)
    deposit, fund = (gains(part, mind, all_touched(BLOCK, offer=o))[old].mean() for o in ("TD012", "FD401"))
    assert deposit > fund


def test_purchases_stand_in_the_ledger_and_in_the_holdings(outcome, bank, labels):
    ledger, holdings = (str(outcome.folder / FILES[n]) for n in ("transactions", "holdings"))
    sql = f"SELECT DISTINCT CUST_NO FROM '{ledger}' WHERE TX_CD = '7001'"
    buyers = [no for (no,) in duckdb.connect().execute(sql).fetchall()]
    assert sorted(positions_of(buyers).tolist()) == np.flatnonzero(outcome.bought).tolist()
    sql = f"SELECT DISTINCT CUST_NO FROM '{holdings}' WHERE POS_NO = '40'"
    assert {no for (no,) in duckdb.connect().execute(sql).fetchall()} == set(buyers)


def test_holdings_are_those_of_the_last_day(outcome):
    holdings = str(outcome.folder / FILES["holdings"])
    days, negative = duckdb.connect().execute(
        f"SELECT list(DISTINCT DATA_DT), count(*) FILTER (BAL < 0 OR MAVG_BAL < 0) FROM '{holdings}'"
    ).fetchone()  # fmt: skip
    assert days == ["20260730"]
    assert negative == 0
    assert outcome.as_of == date(2026, 7, 30)


def test_money_on_demand_is_worth_its_price_before_and_after(outcome, bank):
    """Gains and losses are told at cost: money that came due and waits on demand must not look as if it had left."""
    for folder in (bank.folder, outcome.folder):
        holdings = str(folder / FILES["holdings"])
        least, most, n = duckdb.connect().execute(
            f"SELECT min(COST_AMT / BAL), max(COST_AMT / BAL), count(*) FROM '{holdings}' WHERE POS_NO = '0' AND BAL > 1000"
        ).fetchone()  # fmt: skip
        assert n > 100
        assert 0.98 < least <= most < 1.0


def test_the_ledger_of_the_window_continues_that_of_the_bank(outcome, bank):
    old, new = (str(f / FILES["transactions"]) for f in (bank.folder, outcome.folder))
    sql = f"SELECT count(*) FROM '{old}' JOIN '{new}' USING (TXN_SEQ)"
    assert duckdb.connect().execute(sql).fetchone() == (0,)
    first, last = duckdb.connect().execute(f"SELECT min(TXN_DT), max(TXN_DT) FROM '{new}'").fetchone()
    assert first >= "20260701"
    assert last == "20260730"


def test_every_contact_stands_in_the_contact_ledger(outcome, audience):
    with gzip.open(outcome.folder / FILES["contacts"], "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    members, treated = audience
    assert sorted(row["CUST_NO"] for row in rows) == sorted(members[treated])
    assert {row["ACT_NM"] for row in rows} == {"七月"}
    assert 0 < sum(row["RSP_FLG"] == "Y" for row in rows) < 0.3 * len(rows)


@pytest.mark.parametrize(
    "wrong",
    [
        Contacted("6000000000", "sms", "WM206", AT),
        Contacted("6001234567", "pigeon", "WM206", AT),
        Contacted("6001234567", "sms", "XX", AT),
    ],
)
def test_contacts_with_nobody_or_nothing_are_refused(bank, tmp_path, wrong):
    with pytest.raises(NoData, match="starter bank has no"):
        respond(bank.folder, [wrong], seed=1, start_on=START, days=DAYS, out=tmp_path)


def test_a_world_without_spillover_leaves_the_untreated_alone():
    stage = world(3_000, seed=3)
    treated = np.random.default_rng(1).random(3_000) < 0.5
    alone = stage.chances(np.zeros(3_000, bool))
    assert (stage.chances(treated)[~treated] == alone[~treated]).all()


def test_a_world_with_spillover_does_not():
    stage = world(3_000, seed=3, spillover=0.5)
    treated = np.random.default_rng(1).random(3_000) < 0.5
    assert (stage.chances(treated) - stage.chances(np.zeros(3_000, bool)))[~treated].max() > 0


def test_the_average_of_many_runs_is_the_effect_of_the_world():
    stage = world(4_000, seed=3)
    found = []
    for seed in range(150):
        treated = np.random.default_rng(seed).random(4_000) < 0.5
        seen = stage.observe(treated, seed=seed)
        found.append(seen.bought[treated].mean() - seen.bought[~treated].mean())
    assert abs(np.mean(found) - stage.average_effect()) < 4 * np.std(found) / np.sqrt(len(found))


def test_a_sample_keeps_households_together():
    stage = world(3_000, seed=3)
    sample = stage.sample(1_000, seed=1)
    homes, sizes = np.unique(stage.household, return_counts=True)
    couples = homes[(homes >= 0) & (sizes == 2)]
    kept = np.array([(sample.household == home).sum() for home in couples])
    assert len(sample) == 1_000
    assert (kept == 2).sum() > 50
    assert (kept == 1).sum() <= 1


@pytest.mark.slow
def test_the_main_campaigns_effect_can_be_seen(tmp_path):
    stage = world(12_000)
    seen = 0
    for seed in range(200):
        campaign = stage.sample(4_000, seed=seed)
        treated = np.random.default_rng(seed).random(4_000) < 0.85
        bought = campaign.observe(treated, seed=seed).bought
        one, other = bought[treated], bought[~treated]
        error = np.sqrt(one.var() / len(one) + other.var() / len(other))
        seen += one.mean() - other.mean() > 1.96 * error
    assert seen > 0.8 * 200


def test_a_window_on_another_bank_uses_that_bank(tmp_path):
    small = generate(tmp_path / "bank", customers=300, seed=9)
    outcome = respond(small.folder, [], seed=1, start_on=START, days=10, out=tmp_path / "out")
    assert len(outcome.bought) == 300
    assert outcome.as_of == date(2026, 7, 10)
