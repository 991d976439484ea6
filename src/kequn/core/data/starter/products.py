"""What the starter bank sells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One product: ``term`` in days (0: none), yearly margin as a share, minimum in yuan."""

    code: str
    name: str
    name_en: str
    family: str
    risk: int
    term: int = 0
    margin: float = 0.0
    minimum: int = 0
    equity: bool = False
    weight: float = 1.0


PRODUCTS: tuple[Product, ...] = (
    Product("DD001", "活期存款", "Demand deposit", "demand", 1, margin=0.016),
    Product("TD003", "定期存款三个月", "Time deposit, 3 months", "time", 1, 90, 0.008, 50, weight=2),
    Product("TD006", "定期存款六个月", "Time deposit, 6 months", "time", 1, 180, 0.008, 50, weight=2.5),
    Product("TD012", "定期存款一年", "Time deposit, 1 year", "time", 1, 365, 0.009, 50, weight=3.5),
    Product("TD036", "定期存款三年", "Time deposit, 3 years", "time", 1, 1095, 0.006, 50, weight=2),
    Product("CD012", "大额存单一年", "Certificate of deposit, 1 year", "cd", 1, 365, 0.006, 200_000),
    Product("CD036", "大额存单三年", "Certificate of deposit, 3 years", "cd", 1, 1095, 0.005, 200_000),
    Product("WM101", "日日安现金管理", "Daily cash management", "wmp", 1, 0, 0.004, 1, weight=3),
    Product("WM203", "稳健季享", "Steady 90 days", "wmp", 2, 90, 0.006, 10_000, weight=2),
    Product("WM206", "稳健半年享", "Steady 180 days", "wmp", 2, 180, 0.007, 10_000, weight=2.5),
    Product("WM212", "稳健年享", "Steady 365 days", "wmp", 2, 365, 0.008, 10_000, weight=1.5),
    Product("WM312", "固收增强一年", "Fixed income plus, 1 year", "wmp", 3, 365, 0.01, 50_000),
    Product("FD201", "中短债基金", "Short bond fund", "fund", 2, 0, 0.006, 10, weight=2),
    Product("FD301", "偏债混合基金", "Balanced bond fund", "fund", 3, 0, 0.009, 10),
    Product("FD401", "沪深三百指数基金", "CSI 300 index fund", "fund", 4, 0, 0.01, 10, True),
    Product("FD501", "成长股票基金", "Growth equity fund", "fund", 5, 0, 0.012, 10, True),
    Product("IN201", "家庭年金保险", "Family annuity", "insurance", 2, 1825, 0.02, 5_000),
    Product("IN202", "终身寿险", "Whole life insurance", "insurance", 2, 3650, 0.025, 10_000),
    Product("GB036", "储蓄国债三年", "Savings bond, 3 years", "bond", 1, 1095, 0.003, 100),
    Product("GB060", "储蓄国债五年", "Savings bond, 5 years", "bond", 1, 1825, 0.003, 100),
    Product("GD301", "积存金", "Gold savings", "gold", 3, 0, 0.008, 700),
    Product("TR401", "家族信托", "Family trust", "trust", 4, 3650, 0.006, 3_000_000),
    Product("TR301", "固收类私募信托", "Private fixed income trust", "trust", 3, 730, 0.008, 1_000_000),
    Product("PS101", "个人养老金存款", "Personal pension deposit", "pension", 1, 0, 0.006, 1),
    Product("LM001", "个人住房贷款", "Home mortgage", "mortgage", 1, 0, 0.008),
    Product("LC001", "信用消费贷", "Consumer loan", "consumer_loan", 1, 0, 0.02),
    Product("LB001", "普惠经营贷", "Small business loan", "biz_loan", 1, 0, 0.015),
    Product("CC001", "标准信用卡", "Standard credit card", "credit_card", 1, 0, 0.03, weight=3),
    Product("CC002", "白金信用卡", "Platinum credit card", "credit_card", 1, 0, 0.035),
    Product("CS001", "第三方存管", "Securities custody", "custody", 1),
)

RAW_FAMILIES = {
    "demand": "HQ", "time": "DQ", "cd": "CD", "wmp": "LC", "fund": "JJ", "insurance": "BX", "bond": "GZ", "gold": "GJS",
    "trust": "XT", "pension": "YL", "mortgage": "FD", "consumer_loan": "XD", "biz_loan": "JD", "credit_card": "XYK",
    "custody": "SF",
}  # fmt: skip
"""Canonical family -> the bank's own product type."""

CODES = tuple(p.code for p in PRODUCTS)
NUMBER = {code: i for i, code in enumerate(CODES)}


QUOTA = {"wmp": 1_500, "cd": 1_200, "bond": 100}
"""Family -> what is left to sell, in yuan a customer of the bank; the others have no limit."""


def quota_left(family: str, customers: int) -> int | None:
    """Return how much of each product of a family may still be sold, in yuan."""
    return QUOTA[family] * customers if family in QUOTA else None


def of_family(family: str) -> list[int]:
    """Return the positions in ``PRODUCTS`` of one family."""
    return [i for i, p in enumerate(PRODUCTS) if p.family == family]
