"""Each step of the loop by its verb, on a bank with approved definitions: tables for people, JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kequn.ops.orgs.actor import Actor
from tests.cli.conftest import Kequn, Said
from tests.conftest import ROOT
from tests.ops.bank import CAMPAIGN, approve, approved_campaign

pytestmark = pytest.mark.django_db
Cast = dict[str, Actor]

SEGMENT = "kind: segment\nname: poor\ntitle: {zh: 资产较低, en: Few assets}\nwhere: {tag: asset_aum_eod, op: '<', value: 11000}\n"


@pytest.fixture
def poor(tmp_path: Path) -> Path:
    path = tmp_path / "poor.yaml"
    path.write_text(SEGMENT, encoding="utf-8")
    return path


def fault(said: Said, *words: str) -> None:
    """Assert that a call ended as a fault a user can act on: no trace, nothing on standard output, and these words."""
    assert said.code == 1
    assert not said.out
    assert said.err.startswith("✗ ")
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


def test_definitions_are_checked_without_a_database(kequn: Kequn) -> None:
    rows = kequn("check", ROOT / "examples" / "starter_bank", "--json").json
    assert {"source", "segment", "metric", "campaign"} <= {r["kind"] for r in rows}
    assert all(set(r) == {"kind", "name", "title", "fingerprint", "file"} for r in rows)
    assert "fingerprint" in kequn("check", ROOT / "examples" / "starter_bank").out


def test_applying_twice_gives_the_same_version(poor: Path, definitions: None, kequn: Kequn) -> None:
    first = kequn("apply", poor, "--as", "zhaomin", "--json").json
    assert [(s["kind"], s["name"]) for s in first] == [("segment", "poor")]
    assert kequn("apply", poor, "--as", "zhaomin", "--json").json == first


def test_what_one_person_made_another_approves(poor: Path, definitions: None, kequn: Kequn) -> None:
    assert kequn("apply", poor, "--submit", "--as", "zhaomin").code == 0
    (waiting,) = kequn("approval", "list", "--as", "zhoulv", "--json").json
    assert (waiting["name"], waiting["state"], waiting["maker"]) == ("poor", "waiting", "赵敏")
    fault(kequn("approval", "decide", waiting["id"], "--as", "zhaomin"), "approval.decide")
    (decided,) = kequn("approval", "decide", waiting["id"], "--as", "zhoulv", "--json").json
    assert decided["state"] == "approved"
    states = {r["segment"]: r["state"] for r in kequn("segment", "list", "--json").json}
    assert states["poor"] == "approved"


def test_who_made_it_cannot_approve_it_with_whatever_right(poor: Path, definitions: None, kequn: Kequn) -> None:
    kequn("apply", poor, "--submit")  # by the operator at the machine, who has every right
    (waiting,) = kequn("approval", "list", "--json").json
    fault(kequn("approval", "decide", waiting["id"]))
    assert kequn("approval", "list", "--json").json == [waiting]


def test_a_refusal_needs_a_reason(poor: Path, definitions: None, kequn: Kequn) -> None:
    kequn("apply", poor, "--submit", "--as", "zhaomin")
    (waiting,) = kequn("approval", "list", "--json").json
    fault(kequn("approval", "decide", waiting["id"], "--refuse", "--as", "zhoulv"), "reason")
    (refused,) = kequn(
        "approval", "decide", waiting["id"], "--refuse", "--reason", "口径不明", "--as", "zhoulv", "--json"
    ).json
    assert refused["state"] == "refused"


def test_a_step_beyond_the_role_is_refused_and_says_whom_to_ask(poor: Path, definitions: None, kequn: Kequn) -> None:
    fault(kequn("apply", poor, "--as", "wangfang"), "segment.edit", "→ Ask an administrator")
    fault(kequn("load", "accounts", "--as", "wangfang"), "source.load")
    fault(kequn("tag", "refresh", "--as", "wangfang"), "tag.refresh")


@pytest.mark.parametrize(
    "words",
    [("load", "--list"), ("tag", "list"), ("segment", "list"), ("campaign", "list"), ("approval", "list"), ("user", "list")],
    ids=" ".join,
)  # fmt: skip
def test_nobody_acts_under_a_name_that_is_not_there(words: tuple[str, ...], cast: Cast, kequn: Kequn) -> None:
    fault(kequn(*words, "--as", "nobody"), "'nobody'")


def test_tags_are_listed_and_shown(definitions: None, kequn: Kequn) -> None:
    rows = {r["name"]: r for r in kequn("tag", "list", "--json").json}
    assert rows["demo_gender"]["coverage"] == 1
    assert rows["mkt_contacts_30d"]["coverage"] is None  # not computed on this bank
    assert "demo_gender" in kequn("tag", "list").out
    shown = kequn("tag", "show", "demo_gender").json
    assert sum(cell["n"] for cell in shown["statistics"]["distribution"]) == 600
    fault(kequn("tag", "show", "demo_gendre"), "'demo_gendre'", "Did you mean 'demo_gender'?")


def test_chosen_tags_are_computed_for_another_date(definitions: None, kequn: Kequn) -> None:
    found = kequn(
        "tag", "refresh", "--as-of", "2026-06-29", "--only", "demo_gender", "--only", "demo_age", "--json"
    ).json
    assert (found["as_of"], found["tags"], found["customers"]) == ("2026-06-29", 2, 600)
    fault(kequn("tag", "refresh", "--only", "demo_gendre", "--as-of", "2026-06-30"), "demo_gendre")


def test_segments_are_counted_explained_and_profiled(definitions: None, kequn: Kequn) -> None:
    found = kequn("segment", "count", "rich", "--json").json
    assert found["bank"] == 600
    assert found["size"] == found["steps"][-1]["left"] == 590
    text = kequn("segment", "count", "rich").out
    assert "590" in text
    assert "满足以下条件的客户" in text
    profile = kequn("segment", "profile", "women", "--json").json
    assert profile["size"] == 200
    assert kequn("segment", "profile", "women").code == 0
    fault(kequn("segment", "count", "rihc"), "rihc")


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_the_rule_of_a_segment_is_shown_as_sql(dialect: str, definitions: None, kequn: Kequn) -> None:
    import sqlglot

    text = kequn("segment", "sql", "rich", "--dialect", dialect, "--as-of", "2026-06-30").out
    assert sqlglot.parse_one(text, dialect=dialect).find(sqlglot.exp.Select)
    assert "asset_aum_eod" in text


def test_a_campaign_goes_from_design_to_touches(definitions: None, cast: Cast, kequn: Kequn) -> None:
    approved_campaign(cast)
    name = CAMPAIGN.name
    design = kequn("campaign", "design", name, "--json").json
    assert design["members"] == 590
    assert "detectable" in design
    assert "cost" in kequn("campaign", "design", name).out
    (frozen,) = kequn("campaign", "freeze", name, "--as", "zhaomin", "--json").json
    assert frozen["passed the gate"] == frozen["treated"] + frozen["control"]
    assert frozen["control"] == pytest.approx(0.2 * frozen["passed the gate"], abs=1)
    (again,) = kequn("campaign", "freeze", name, "--as", "zhaomin", "--json").json
    assert again == frozen
    (launched,) = kequn("campaign", "launch", name, "--as", "zhaomin", "--json").json
    assert launched["touches"] == frozen["treated"]
    shown = kequn("campaign", "show", name, "--json").json
    assert sum(shown["funnel"]["touches"].values()) == frozen["treated"]
    assert "refused because" in kequn("campaign", "show", name).out
    (row,) = [r for r in kequn("campaign", "list", "--json").json if r["campaign"] == name]
    assert row["state"] == "running"
    fault(kequn("campaign", "stop", name, "--reason", "x", "--as", "wangfang"), "campaign.view")
    (stopped,) = kequn("campaign", "stop", name, "--reason", "投诉过多", "--as", "zhaomin", "--json").json
    assert stopped["state"] == "stopped"


def test_a_campaign_is_submitted_and_approved_by_another(definitions: None, cast: Cast, kequn: Kequn) -> None:
    from kequn.ops.campaigns.services import save_campaign

    save_campaign(cast["zhaomin"], CAMPAIGN)
    (row,) = kequn("campaign", "submit", CAMPAIGN.name, "--as", "zhaomin", "--json").json
    assert row["state"] == "submitted"
    fault(kequn("campaign", "freeze", CAMPAIGN.name, "--as", "zhaomin"), "awaits approval")
    approve(cast, CAMPAIGN.name)
    assert kequn("campaign", "freeze", CAMPAIGN.name, "--as", "zhaomin").code == 0


def test_a_review_before_its_time_says_that_nothing_can_be_concluded(
    definitions: None, cast: Cast, kequn: Kequn
) -> None:
    approved_campaign(cast)
    fault(kequn("review", CAMPAIGN.name, "--as", "zhaomin"))
    kequn("campaign", "freeze", CAMPAIGN.name, "--as", "zhaomin")
    found: Any = kequn("review", CAMPAIGN.name, "--as", "zhaomin", "--json").json
    assert found["goal"]["lift"] is None
    assert found["goal"]["conclusion"]["text"]["zh"]
    assert kequn("review", CAMPAIGN.name, "--as", "zhaomin").code == 0
    fault(kequn("review", "no_such_experiment", "--control", "none", "--metric", "fund_interest"))


def test_a_load_without_any_source_says_how_to_define_one(cast: Cast, kequn: Kequn) -> None:
    fault(kequn("load", "--as", "sunli"), "kequn apply")


def test_what_is_due_is_sent_once(definitions: None, kequn: Kequn) -> None:
    assert set(kequn("dispatch", "--json").json) == {"sent", "settled"}


def test_users_are_added_listed_and_given_a_password(cast: Cast, kequn: Kequn) -> None:
    assert kequn("user", "save", "qianduo", "--name", "钱多", "--role", "rm", "--branch", "0001").code == 0
    assert "钱多" in kequn("user", "list").out
    said = kequn("user", "password", "qianduo", "--generate").out.strip()
    assert len(said) >= 12
    from kequn.ops.orgs.models import User

    assert User.objects.get(username="qianduo").check_password(said)
    assert len(kequn("user", "token", "qianduo", "--label", "nightly").out.strip()) > 20
    fault(kequn("user", "save", "x", "--name", "x", "--role", "king", "--branch", "0001"), "'king'", "marketer")
    fault(kequn("user", "save", "x", "--name", "x", "--role", "rm", "--branch", "9999"), "9999")
    fault(
        kequn("user", "save", "x", "--name", "x", "--role", "rm", "--branch", "0001", "--as", "wangfang"), "user.manage"
    )


def test_a_member_of_staff_gets_a_login_name(cast: Cast, kequn: Kequn) -> None:
    assert kequn("user", "login", "R001", "fang").code == 0
    assert "fang" in kequn("user", "list").out
    fault(kequn("user", "login", "R999", "somebody"), "R999")
