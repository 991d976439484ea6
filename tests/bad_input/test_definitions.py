"""A bad definition ends the command with file, line and field, and nothing of its folder is saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from kequn.ops.audiences.models import SegmentVersion
from kequn.ops.governance.models import AuditEntry
from kequn.ops.orgs.actor import Actor
from kequn.ops.sources.models import SourceVersion
from kequn.ops.tags.models import TagVersion
from tests.cli.conftest import Kequn

pytestmark = pytest.mark.django_db

SEGMENT = "kind: segment\nname: {name}\ntitle: 客群\nwhere: {{segment: {within}}}\n"
GOOD_TAG = (
    "kind: tag\nname: demo_home\ntitle: 所在地\nfamily: demo\ntype: text\nover: customer\nexpression: city\nowner: x\n"
)


def refused(call: Kequn, path: Path, *lines: str) -> None:
    """Assert that check and apply end with these lines, and that nothing was saved."""
    entries = AuditEntry.objects.count()
    for words in (("check", path), ("apply", path, "--as", "sunli")):
        said = call(*words)
        assert said.code == 1
        assert not said.out
        for line in lines:
            assert line in said.err
    assert not SegmentVersion.objects.exists()
    assert not TagVersion.objects.exists()
    assert not SourceVersion.objects.exists()
    assert AuditEntry.objects.count() == entries


def test_an_unknown_key_is_told_with_its_place_and_the_key_meant(
    tmp_path: Path, cast: dict[str, Actor], kequn: Kequn
) -> None:
    path = tmp_path / "rich.yaml"
    path.write_text("kind: segment\nname: rich\ntitle: 富裕\nwehre: {tag: asset_aum_eod, op: '>=', value: 1}\n")
    refused(kequn, path, f"✗ {path}:4:1 [wehre] ", "→ Did you mean 'where'?")


def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path: Path, cast: dict[str, Actor], kequn: Kequn) -> None:
    path = tmp_path / "rich.yaml"
    path.write_text("kind: segment\nname: rich\ntitle: 富裕\ntitle: 贫穷\nwhere: {all: []}\n")
    refused(kequn, path, f"✗ {path}:4:1 ", "'title' stands twice; the first is on line 3")


def test_a_ring_of_segments_is_told_with_its_members_and_places(
    tmp_path: Path, cast: dict[str, Actor], kequn: Kequn
) -> None:
    for name, within in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.yaml").write_text(SEGMENT.format(name=name, within=within))
    refused(kequn, tmp_path, f"✗ {tmp_path / 'a.yaml'}:4:", "[where.segment]", "a → b → c → a")


def test_a_segment_within_itself_is_a_ring(tmp_path: Path, cast: dict[str, Actor], kequn: Kequn) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(SEGMENT.format(name="a", within="a"))
    refused(kequn, path, f"✗ {path}:4:", "a → a")


def test_segments_are_saved_after_those_within_them_whatever_their_names(
    tmp_path: Path, cast: dict[str, Actor], kequn: Kequn
) -> None:
    (tmp_path / "a.yaml").write_text(SEGMENT.format(name="a", within="b"))
    (tmp_path / "b.yaml").write_text("kind: segment\nname: b\ntitle: 客群\nwhere: {tag: demo_gender, value: F}\n")
    said = kequn("apply", tmp_path, "--as", "zhaomin", "--json")
    assert [s["name"] for s in said.json] == ["b", "a"]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("city; DROP TABLE customer", "not several statements"),
        ("(select max(city) from customer)", "A query inside an expression"),
        ("read_text('/etc/passwd')", "'read_text' is not allowed"),
        ("read_csv('/etc/passwd')", "not allowed"),
        ("getenv('HOME')", "'getenv' is not allowed"),
        ("city) from customer; --", ""),
    ],
)
def test_an_expression_that_goes_beyond_its_row_is_refused(
    expression: str, says: str, tmp_path: Path, cast: dict[str, Actor], kequn: Kequn
) -> None:
    path = tmp_path / "tag.yaml"
    path.write_text(GOOD_TAG.replace("expression: city", f'expression: "{expression}"'))
    refused(kequn, path, f"✗ {path}:7:13 [expression] ", says)


def test_a_source_is_checked_as_a_tag_is(tmp_path: Path, cast: dict[str, Actor], kequn: Kequn) -> None:
    path = tmp_path / "source.yaml"
    path.write_text(
        "kind: source\nname: people\ntitle: 客户\ntable: customer\ninput: {format: csv, path: a.csv}\ncolumns:\n"
        "  customer_no: no\n  opened_on: {sql: \"read_text('/etc/passwd')\"}\n  cty: city\n"
    )
    refused(kequn, path, f"✗ {path}:8:", "'read_text' is not allowed", f"✗ {path}:9:", "→ Did you mean 'city'?")


def test_one_bad_file_keeps_the_good_ones_of_its_folder_out(
    tmp_path: Path, cast: dict[str, Actor], kequn: Kequn
) -> None:
    (tmp_path / "a.yaml").write_text(GOOD_TAG)
    (tmp_path / "b.yaml").write_text("kind: segment\nname: b\ntitle: 客群\nwhere: {tag: demo_hoem, value: 上海}\n")
    refused(kequn, tmp_path, f"✗ {tmp_path / 'b.yaml'}:4:", "'demo_hoem'", "Did you mean 'demo_home'")
