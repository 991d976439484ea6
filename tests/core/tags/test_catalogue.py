"""The shipped catalogue holds together, and a bank's own tags are refused with a place and a cure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kequn.core.errors import (
    BadExpression,
    InvalidSpec,
    KequnError,
    SeveralErrors,
    TagCycle,
    UnknownTag,
)
from kequn.core.spec.reading import dump_spec, parse_spec
from kequn.core.stats.rfm import counts_by_group
from kequn.core.tags import catalogue, check_catalogue
from kequn.core.tags.pack import SHIPPED

TAG = """kind: tag
name: {name}
title: {{zh: 试, en: Try}}
family: txn
type: {type}
over: {over}
expression: {expression}
owner: data_asset
"""


def own(folder: Path, **fields: str) -> Path:
    """Write one tag into a bank's folder."""
    given = {"name": "txn_try", "type": "integer", "over": "transaction", "expression": "count(*)"} | fields
    (folder / f"{given['name']}.yaml").write_text(TAG.format(**given), encoding="utf-8")
    return folder


def refused(folder: Path, **fields: str) -> KequnError:
    """Return the error that a bank's tag gives."""
    with pytest.raises(KequnError) as caught:
        catalogue(own(folder, **fields))
    return caught.value


def test_the_shipped_catalogue_has_all_of_the_banks_tags() -> None:
    assert len(catalogue()) >= 175
    models = {"churn", "upgrade", "clv", "prop_wmp", "prop_fund", "prop_ins", "prop_deposit", "prop_loan", "prop_cc",
              "uplift", "cluster", "cluster_conf"}  # fmt: skip
    assert {f"model_{name}" for name in models} <= set(catalogue())
    families = {spec.family for spec in catalogue().values()}
    assert families >= {"demo", "acct", "asset", "loan", "cc", "txn", "chan", "risk", "mkt", "model", "value", "life"}


@pytest.mark.parametrize("path", sorted(SHIPPED.rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_tag_says_in_both_languages_what_it_is(path: Path) -> None:
    (spec,) = parse_spec(path.read_text(encoding="utf-8"), file=str(path))
    assert path.stem == spec.name
    assert path.parent.name == spec.family
    assert spec.title.zh
    assert spec.title.en
    assert spec.description is not None
    assert spec.description.en
    assert all(words.en for words in spec.values.values())
    assert spec.owner
    assert spec.given_by is None or (spec.given_by.zh and spec.given_by.en)
    chinese = [spec.title.zh, spec.description.zh, spec.given_by.zh if spec.given_by else ""]
    assert not [text for text in chinese if re.search(r"[\u4e00-\u9fff] ?[:;,]|[:;,] ?[\u4e00-\u9fff]", text)]
    assert parse_spec(dump_spec(spec)) == [spec]


def test_shipped_names_and_titles_are_unique() -> None:
    specs = catalogue().values()
    assert len({s.title.zh for s in specs}) == len({s.title.en for s in specs}) == len(specs)


def test_what_may_not_choose_customers_is_class_x() -> None:
    held_back = {n for n, s in catalogue().items() if s.sensitivity == "X"}
    assert {"demo_is_minor", "risk_suppress", "loan_overdue", "mkt_consent_sms"} <= held_back


def test_a_banks_own_tag_joins_the_catalogue(tmp_path: Path) -> None:
    assert catalogue(own(tmp_path))["txn_try"].expression == "count(*)"


def test_a_banks_definition_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    found = catalogue(own(tmp_path, name="txn_freq_90d"))
    assert found["txn_freq_90d"].expression == "count(*)"


def test_a_name_given_twice_by_the_bank_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(InvalidSpec, match="defined twice") as caught:
        catalogue(own(tmp_path / "a"), own(tmp_path / "b"))
    assert caught.value.where.file.endswith("b/txn_try.yaml")
    assert caught.value.where.line == 2


def test_an_unknown_column_is_named_with_its_line_and_the_nearest_one(tmp_path: Path) -> None:
    error = refused(tmp_path, expression="sum(amuont)")
    assert isinstance(error, BadExpression)
    assert "amuont" in error.message
    assert "amount" in error.hint
    assert (error.where.file, error.where.line) == (str(tmp_path / "txn_try.yaml"), 7)


def test_an_unknown_tag_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    error = refused(tmp_path, over="tags", expression="asset_aum_eodd")
    assert isinstance(error, UnknownTag)
    assert "asset_aum_eod" in error.hint
    assert error.where.line == 7


@pytest.mark.parametrize(
    "expression",
    [
        "count(*); drop table customer",
        "(select count(*) from customer)",
        "sum((select 1))",
        "count(read_csv('/etc/passwd'))",
        "max(getenv('HOME'))",
        "count(*) over ()",
        "as_of - current_date",
    ],
)
def test_what_is_not_one_plain_expression_is_refused(tmp_path: Path, expression: str) -> None:
    error = refused(tmp_path, expression=f'"{expression}"')
    assert isinstance(error, BadExpression)
    assert error.where.file.endswith("txn_try.yaml")


def test_a_result_of_another_type_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, type="boolean")
    assert isinstance(error, BadExpression)
    assert "BIGINT" in error.message
    assert error.where.line == 7


def test_a_column_outside_an_aggregate_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, expression="amount")
    assert isinstance(error, BadExpression)
    assert "GROUP BY" in error.message


def test_a_table_without_customers_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, over="product")
    assert "product" in error.message
    assert "transaction" in error.hint


def test_tags_made_from_one_another_are_refused_with_the_ring(tmp_path: Path) -> None:
    own(tmp_path, name="txn_a", over="tags", expression="txn_b + 1")
    own(tmp_path, name="txn_b", over="tags", expression="txn_c + 1")
    own(tmp_path, name="txn_c", over="tags", expression="txn_a + 1")
    with pytest.raises(TagCycle) as caught:
        catalogue(tmp_path)
    assert caught.value.facts["path"] == ["txn_a", "txn_b", "txn_c", "txn_a"]
    assert caught.value.where.file.endswith("txn_a.yaml")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    own(tmp_path, name="txn_a", expression="sum(amuont)")
    own(tmp_path, name="txn_b", expression="sum(amount); select 1")
    with pytest.raises(SeveralErrors) as caught:
        catalogue(tmp_path)
    assert [e.where.line for e in caught.value.errors] == [7, 7]


def test_a_set_of_tags_without_files_is_checked_by_name() -> None:
    spec = catalogue()["txn_freq_90d"].model_copy(update={"expression": "count(nothing)"})
    with pytest.raises(BadExpression) as caught:
        check_catalogue({**catalogue(), "txn_freq_90d": spec})
    assert caught.value.where.field == "txn_freq_90d.expression"


def test_a_class_s_tag_without_the_tag_of_its_consent_is_refused(tmp_path: Path) -> None:
    text = TAG.format(name="txn_try", type="integer", over="transaction", expression="count(*)")
    (tmp_path / "txn_try.yaml").write_text(f"{text}sensitivity: S\nconsent: hobby_data\n", encoding="utf-8")
    with pytest.raises(InvalidSpec, match="'hobby_data' is not a separate consent") as caught:
        catalogue(tmp_path)
    assert (caught.value.where.line, caught.value.where.field) == (10, "consent")
    assert "child_data" in caught.value.hint


def test_a_file_that_says_nothing_to_compute_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "txn_try.yaml").write_text(
        "kind: tag\nname: txn_try\ntitle: 试\nfamily: txn\ntype: integer\nover: given\nowner: x\n", encoding="utf-8"
    )
    with pytest.raises(InvalidSpec, match="given_by") as caught:
        catalogue(tmp_path)
    assert caught.value.where.file.endswith("txn_try.yaml")
    assert caught.value.where.line is not None


def test_the_rfm_tag_and_the_formula_have_the_same_cut_points() -> None:
    codes = dict(catalogue()["txn_rfm_group"].values)
    assert set(codes) == set(counts_by_group([]))
    assert all("rfm-1" in catalogue()[name].description.zh for name in ("txn_rfm", "txn_rfm_group"))  # type: ignore[union-attr]
