"""What people type keeps no phone, card or document number, however it is grouped; amounts and dates stay readable."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.ops.customers.contracts import Cleaned
from kequn.ops.customers.masking import clean
from kequn.ops.workbench.recording import flagged_note, masked_note

PHONES = st.from_regex(r"\A1[3-9][0-9]{9}\Z")
CARDS = st.from_regex(r"\A[3-6][0-9]{15,18}\Z")
DOCUMENTS = st.from_regex(r"\A[1-6][1-7][0-9]{4}(19|20)[0-9]{9}[0-9Xx]\Z")
GAPS = st.text(" \u00a0\u3000.．·•-‐–—－/_", min_size=1, max_size=3)
WIDE = str.maketrans("0123456789Xx", "０１２３４５６７８９Ｘｘ")
AROUND = st.one_of(st.text(max_size=20), st.sampled_from(["卡号", "¥", "电话:", "2026-07-01 ", "(", "+86 ", "第3条 "]))


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """Return a private number, and one way to write it."""
    number = draw(st.one_of(PHONES, CARDS, DOCUMENTS))
    cuts = draw(st.sets(st.integers(1, len(number) - 1)))
    shown = "".join((draw(GAPS) if n in cuts else "") + digit for n, digit in enumerate(number))
    return number, shown.translate(WIDE) if draw(st.booleans()) else shown


def digits_of(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c.isdecimal())


@given(number=written(), before=AROUND, after=AROUND)
def test_a_private_number_never_survives_however_it_is_written(
    number: tuple[str, str], before: str, after: str
) -> None:
    plain, shown = number
    kept = clean(f"{before}{shown}{after}", longest=1000)
    assert digits_of(plain) not in digits_of(kept.text)
    assert shown not in kept.text
    assert "number" in kept.flags


@given(
    amount=st.decimals(1000, Decimal(10) ** 12, places=2, allow_nan=False),
    day=st.dates(date(1950, 1, 1), date(2099, 12, 31)),
    n=st.integers(0, 999_999),
)
def test_amounts_and_dates_survive(amount: Decimal, day: date, n: int) -> None:
    for text in (
        f"{amount:,.2f}", f"约 {amount:,.2f} 元，{day} 到期", f"{day} 10:30", f"{day} {day + timedelta(days=4)}",
        f"{day:%Y.%m.%d} - {day:%Y.%m.%d}", f"{n}", f"{n * 100 + 1_000_000}元", f"¥{n + 1_000_000}.50", f"{n}张 {day:%Y/%m/%d}",
    ):  # fmt: skip
        assert clean(text, longest=200) == Cleaned(text, ())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("打 138 0013 8000 找他", "打 *** 找他"),
        ("打１３８—００１３—８０００", "打***"),
        ("卡 6222.0212.3456.7890.123 已销", "卡 *** 已销"),
        ("证 110101 19900307 123X", "证 ***"),
        ("座机 65521234", "座机 ***"),
        ("138\u200b0013\u200b8000", "***"),
        ("¥13800138000", "¥***"),
        ("存 200,000.00 元，2026-07-01 到期", "存 200,000.00 元，2026-07-01 到期"),
        ("1. 5000\n2. 6000\n3. 7000", "1. 5000\n2. 6000\n3. 7000"),
    ],
)
def test_what_people_write_in_notes(text: str, kept: str) -> None:
    assert clean(text, longest=200).text == kept


def test_a_note_of_a_contact_is_kept_by_the_same_rule() -> None:
    note = "打 138 0013 8000 <script>"
    assert flagged_note(note) == ("打 *** <script>", "number,markup")
    assert masked_note(note) == ("打 *** <script>", True)
    assert masked_note("到期 2026-07-01") == ("到期 2026-07-01", False)
