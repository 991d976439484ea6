"""A real bank of the 1990s through the whole product: every figure of its README is measured, and some counted again by hand."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kequn.core.errors import InvalidSpec
from kequn.core.measure import draw_holdout
from kequn.core.spec.campaign import CampaignSpec
from kequn.ops.audiences.queries import customer_ids, members_of, preview_segment, segment_named
from kequn.ops.audiences.services import compute_profile
from kequn.ops.campaigns import queries as campaigns
from kequn.ops.campaigns.contracts import Design
from kequn.ops.campaigns.freezing import strata_of
from kequn.ops.campaigns.services import submit_campaign
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.queries import branches_for
from kequn.ops.runtime import engine
from kequn.ops.sources.models import Load
from kequn.ops.sources.services import run_all
from kequn.ops.tags.queries import statistics_for
from kequn.ops.tags.services import refresh_tags
from tests.conftest import ROOT
from tests.examples.conftest import actor, at, define_data, define_work, figures

pytestmark = [pytest.mark.realdata, pytest.mark.slow, pytest.mark.django_db]

LEDGER_DAY, CONTRACT_DAY = date(1994, 3, 30), date(1998, 12, 31)
CONTRACT_TAGS = (
    "demo_age", "demo_age_band", "demo_gender", "acct_is_owner", "acct_statement", "acct_credit_card",
    "acct_pays_household", "acct_pays_insurance", "acct_orders_sum", "cc_card_kind", "loan_state", "loan_granted",
)  # fmt: skip
SEGMENTS = {
    "young_owners": CONTRACT_DAY, "in_debt": CONTRACT_DAY, "gold_cards": CONTRACT_DAY,
    "insured_households": CONTRACT_DAY, "cash_payers": LEDGER_DAY,
}  # fmt: skip
Rows = list[dict[str, str]]


@dataclass
class Spring:
    """The bank as of the ledger's last day."""

    loads: dict[str, Load]
    design: Design
    refusal: str


@pytest.fixture(scope="module")
def spring(real_data: Path, opened: None) -> Spring:
    """Load all, compute tags for the ledger's last day, have all approved, and try to submit the campaign on the day after."""
    define_data("berka")
    loads = {load.source: load for load in run_all(actor("sunli"), folder=real_data / "berka")}
    refresh_tags(actor("sunli"), as_of=LEDGER_DAY)
    define_work("berka")
    with at(datetime(1994, 3, 31, 8, tzinfo=UTC)):
        row = campaigns.campaign_named(actor("zhaomin"), "transfers_april")
        design = campaigns.design_campaign(actor("zhaomin"), row.pk)
        with pytest.raises(InvalidSpec) as refused:
            submit_campaign(actor("zhaomin"), row.pk)
    return Spring(loads, design, refused.value.message)


@pytest.fixture(scope="module")
def loads(spring: Spring) -> dict[str, Load]:
    """Compute the contracts' tags for the end of 1998 too; return the loads."""
    refresh_tags(actor("sunli"), as_of=CONTRACT_DAY, only=CONTRACT_TAGS)
    return spring.loads


@pytest.fixture(scope="module")
def files(real_data: Path) -> dict[str, Rows]:
    """Return the raw files, read by the standard library."""
    found = {}
    for name in ("client", "disp", "account", "order", "loan", "trans_19930101_19940331_raw"):
        with gzip.open(real_data / "berka" / f"{name}.asc.gz", "rt", encoding="ascii", newline="") as file:
            found[name.split("_")[0]] = list(csv.DictReader(file, delimiter=";"))
    return found


@pytest.fixture(scope="module")
def stated() -> dict[str, str]:
    return figures(ROOT / "examples" / "berka" / "README.md")


def one(query: str) -> Any:
    return engine().rows(query)[0][0]


def codes(tag: str) -> dict[str, int]:
    """Return how often each code of a tag occurs at the end of 1998."""
    return {row["code"]: row["n"] for row in statistics_for(actor("sunli"), tag, CONTRACT_DAY)["distribution"]}


def yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def measured(loads: dict[str, Load]) -> dict[str, int | Decimal]:
    """Return all figures of the README as the product has them."""
    statements, cards, loans, sexes = (
        codes(t) for t in ("acct_statement", "cc_card_kind", "loan_state", "demo_gender")
    )
    year = "FROM \"transaction\" WHERE booked_on < DATE '1994-01-01'"
    found: dict[str, int | Decimal] = {
        "branches": loads["branches"].n_loaded,
        "customers": loads["customers"].n_loaded,
        "customers, men": sexes["M"],
        "customers, women": sexes["F"],
        "accounts and holders": loads["accounts"].n_loaded,
        "accounts": one("SELECT count(DISTINCT account_no) FROM account WHERE kind = 'debit'"),
        "accounts, joint holders": one("SELECT count(*) FROM account WHERE role = 'joint'"),
        "statements monthly": statements["monthly"],
        "statements weekly": statements["weekly"],
        "statements after a transaction": statements["after_transaction"],
        "cards": loads["cards"].n_loaded,
        **{f"cards, {kind}": n for kind, n in cards.items()},
        "loans": loads["loans"].n_loaded,
        "loans, sum": yuan(one("SELECT sum(credit_limit) FROM account WHERE kind = 'loan'")),
        **{f"loans in state {state}": n for state, n in loans.items()},
        "standing orders": loads["standing_orders"].n_loaded,
        "standing orders, sum": yuan(one("SELECT sum(amount) FROM standing_order")),
        "ledger": loads["ledger"].n_loaded,
        "ledger, sum": yuan(one('SELECT sum(amount) FROM "transaction"')),
        "ledger, rows of 1993": one(f"SELECT count(*) {year}"),
        "ledger, accounts of 1993": one(f"SELECT count(DISTINCT account_no) {year}"),
        "loan positions on 1994-03-31": loads["loan_positions"].n_loaded,
        "customers on 1994-03-30": preview_segment(actor("zhaomin"), of("cash_payers"), as_of=LEDGER_DAY).bank,
    }
    for name, day in SEGMENTS.items():
        found[name] = preview_segment(actor("zhaomin"), of(name), as_of=day).size
    return found


def of(segment: str) -> int:
    return segment_named(actor("zhaomin"), segment).pk


def test_every_row_of_every_file_is_loaded(loads: dict[str, Load]) -> None:
    assert len(loads) == 9
    for load in loads.values():
        assert load.state == Load.State.LOADED
        assert load.n_rejected == 0
        assert load.n_read == load.n_loaded + load.n_skipped
    assert {name for name, load in loads.items() if load.n_skipped} == {"loan_positions", "bank"}


def test_every_district_stands_below_the_head_office(loads: dict[str, Load]) -> None:
    assert set(branches_for(system_actor()).values_list("path", flat=True)) == {
        "/HO/",
        *(f"/HO/{n}/" for n in range(1, 78)),
    }


def test_control_totals_of_file_and_store_agree(loads: dict[str, Load]) -> None:
    sums = {name: load.totals for name, load in loads.items() if load.totals}
    assert sums["ledger"]["amount"] == ["315486449.80", "315486449.80"]
    assert sums["standing_orders"]["amount"] == ["21228993.60", "21228993.60"]
    assert sums["loans"]["credit_limit"] == ["103261740.00", "103261740.00"]


def test_every_figure_of_the_readme_is_what_the_product_measures(
    loads: dict[str, Load], stated: dict[str, str]
) -> None:
    for name, figure in measured(loads).items():
        assert stated[name] == f"{figure:,}", name


def test_the_contracts_segments_hold_whom_the_raw_files_name(loads: dict[str, Load], files: dict[str, Rows]) -> None:
    owner = {r["account_id"]: r["client_id"] for r in files["disp"] if r["type"] == "OWNER"}
    born = {r["client_id"]: int(r["birth_number"][:2]) for r in files["client"]}
    paid = defaultdict(set)
    for order in files["order"]:
        paid[order["k_symbol"]].add(owner[order["account_id"]])
    in_debt = {owner[r["account_id"]] for r in files["loan"] if r["status"] == "D"}
    assert size("young_owners") == sum(98 - born[c] < 30 for c in set(owner.values()))  # nobody's birthday is to come
    assert size("in_debt") == len(in_debt)
    assert size("insured_households") == len((paid["SIPO"] & paid["POJISTNE"]) - in_debt)


def test_the_ledgers_segment_holds_whom_the_raw_ledger_names(loads: dict[str, Load], files: dict[str, Rows]) -> None:
    drawn: dict[str, list[Decimal]] = defaultdict(list)
    out: dict[str, Decimal] = defaultdict(Decimal)
    for row in files["trans"]:
        if not "931231" <= row["date"] <= "940330" or row["type"] == "PRIJEM":
            continue
        out[row["account_id"]] += Decimal(row["amount"])
        if row["operation"] == "VYBER" and not row["k_symbol"].strip():
            drawn[row["account_id"]].append(Decimal(row["amount"]))
    expected = [a for a, amounts in drawn.items() if len(amounts) >= 3 and 2 * sum(amounts) >= out[a]]
    assert size("cash_payers") == len(expected)


def size(segment: str) -> int:
    return preview_segment(actor("zhaomin"), of(segment), as_of=SEGMENTS[segment]).size


def test_young_owners_differ_by_junior_cards(loads: dict[str, Load]) -> None:
    profile = compute_profile(actor("zhaomin"), of("young_owners"), as_of=CONTRACT_DAY)
    assert (profile.size, profile.customers) == (1_131, 5_369)
    cards = next(t for t in profile.tags if t.tag == "cc_card_kind")
    junior = next(c for c in cards.cells if c.en == "junior")
    assert junior.n == 145  # every junior card is a young owner's
    assert junior.tgi is not None
    assert 100 < junior.low <= junior.tgi <= junior.high
    share, bank = 145 / cards.known, 145 / cards.bank_known
    assert junior.tgi == pytest.approx(100 * share / bank)
    told = {d.tag for d in profile.top_differences}
    assert "cc_card_kind" in told
    assert not told & {"demo_age", "acct_is_owner"}  # by which the segment was made


def test_a_tag_that_was_not_computed_for_a_date_is_refused_and_not_taken_for_zero(loads: dict[str, Load]) -> None:
    with pytest.raises(Exception, match="txn_cash_share_90d") as refused:
        preview_segment(actor("zhaomin"), of("cash_payers"), as_of=CONTRACT_DAY)
    assert getattr(refused.value, "hint", "")


def test_nobody_can_be_contacted_since_nothing_is_known_of_consents(spring: Spring, stated: dict[str, str]) -> None:
    design = spring.design
    assert design.members == 806
    assert design.contactable.rate == 0
    assert f"{design.contactable.n_contactable:,}" == stated["contactable of cash_payers"]
    reasons = {r.code: r.n for channel in design.contactable.channels for r in channel.reasons}
    assert reasons["NO_CONSENT"] == reasons["DECEASED"] == 806
    assert design.unknown_facts["consent.rm_task"] == 1
    assert [f.code for f in design.blocks] == ["nobody_contactable"]
    assert spring.refusal == "Nobody can be contacted."


def test_a_stratified_control_group_is_drawn_from_the_audience(loads: dict[str, Load], stated: dict[str, str]) -> None:
    spec = campaigns.campaign_named(actor("zhaomin"), "transfers_april").spec
    assert isinstance(spec, CampaignSpec)
    assert spec.holdout is not None
    segment = segment_named(actor("zhaomin"), spec.segment).spec
    members = members_of(actor("zhaomin"), segment, as_of=LEDGER_DAY)
    strata = strata_of(members, spec.holdout.strata, as_of=LEDGER_DAY)
    held = draw_holdout(customer_ids(members), strata, rate=spec.holdout.rate, salt=spec.holdout.salt)
    assert f"{held.sum():,}" == stated["held out of cash_payers"]
    assert len(np.unique(strata)) > 8  # two sexes by the bands of age that occur
    for stratum in np.unique(strata):
        here = strata == stratum
        assert abs(held[here].sum() - spec.holdout.rate * here.sum()) < 1
    mixed = np.random.default_rng(1).permutation(len(members))
    again = draw_holdout(customer_ids(members[mixed]), strata[mixed], rate=spec.holdout.rate, salt=spec.holdout.salt)
    assert np.array_equal(again, held[mixed])
