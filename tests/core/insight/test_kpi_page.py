"""The page on KPIs says what the definitions say."""

from __future__ import annotations

from kequn.core.insight import Kpi, definitions
from tests.conftest import ROOT


def page_rows() -> list[str]:
    """Return the table's rows as the page must have them."""
    return [_row(kpi) for kpi in definitions().values()]


def _row(kpi: Kpi) -> str:
    mind = f"{kpi.caveat_zh or kpi.lacks_zh}<br>{kpi.caveat_en or kpi.lacks_en}"
    return f"| `{kpi.name}` | {kpi.zh}<br>{kpi.en} | {kpi.formula_zh}<br>{kpi.formula_en} | {mind} |"


def test_the_page_on_kpis_is_equal_to_the_definitions() -> None:
    page = (ROOT / "docs" / "concepts" / "kpi.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("| `")] == page_rows()
