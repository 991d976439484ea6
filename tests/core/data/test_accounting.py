"""Random deliveries, good and bad rows mixed: nothing is lost, and what is loaded is what a slow reader would load."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.data.identity import ordinals_for
from tests.core.data.conftest import KEY, TRANSACTIONS, Bank

HEADER = ["no", "cust", "day", "dc", "amt"]
KNOWN = ["C1", "C2", "客户三"]

keys = st.sampled_from([f"T{i}" for i in range(30)])
customers = st.sampled_from([*KNOWN, *KNOWN, "C9", "", " C1 "])
days = st.one_of(
    st.dates(date(2020, 1, 1), date(2026, 6, 30)).map(str),
    st.sampled_from(["2026-02-30", "9999-99-99", "", "2026/01/05", "20260105", "2199-01-01", "x\ny"]),
)
directions = st.sampled_from(["C", "D", "C", "D", "X", ""])
amounts = st.one_of(
    st.decimals(0, 10**9, places=2).map(str),
    st.sampled_from(["1,234.50", "1,23", "-1", "", "1.005", '5"', "￥7", "abc", "０.５"]),
)
rows = st.lists(st.tuples(keys, customers, days, directions, amounts).map(list), max_size=40)
damage = st.sampled_from(["", "", "", "ragged", "nul", "encoding", "blank"])


def verdict(fields: list[str], seen: set[str]) -> str | tuple[str, str, date, str, int]:
    """What a person would decide about one row: the reason against it, or its values."""
    number, customer, day, direction, amount = (f.strip(" ") for f in fields)
    iso = re.fullmatch(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", day)
    try:
        booked = date(*map(int, iso.groups())) if iso else None
    except ValueError:
        booked = None
    plain = amount.translate(str.maketrans("０５．", "05.")).removeprefix("￥")
    match = re.fullmatch(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d{0,2}0*)?", plain)
    money = Decimal(plain.replace(",", "")) if match else None
    reasons = [
        ("MISSING_REQUIRED", not number or not customer or not day or not direction or not amount),
        ("NOT_A_DATE", booked is None),
        ("OUT_OF_RANGE", booked is not None and (booked > date(2027, 7, 1) or booked < date(1900, 1, 1))),
        ("UNKNOWN_CODE", direction not in ("C", "D")),
        ("NOT_MONEY", money is None),
        ("OUT_OF_RANGE", money is not None and money < 0),
        ("UNKNOWN_CUSTOMER", customer not in KNOWN),
        ("DUPLICATE_KEY", number in seen),
    ]
    found = [reason for reason, holds in reasons if holds]
    if found:
        return "|".join(dict.fromkeys(found))
    assert booked is not None
    assert money is not None
    seen.add(number)
    return number, customer, booked, {"C": "in", "D": "out"}[direction], int(money * 100)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(st.tuples(st.tuples(keys, customers, days, directions, amounts).map(list), damage), max_size=40),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "gb18030"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from([64, 1 << 20]),
)
def test_every_record_is_loaded_or_rejected_for_a_reason_that_holds(
    make_bank: Callable[[], Bank], written, separator, encoding, quoting, size
):
    data, expected, line, lines = b"", [], 2, []
    seen: set[str] = set()
    for fields, harm in written:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=separator, lineterminator="\n", quoting=quoting).writerow(fields)
        raw = out.getvalue().encode(encoding)
        if harm == "ragged":
            raw = raw[:-1] + separator.encode() + b"more\n"
        elif harm == "nul":
            raw = b"\x00" + raw
        elif harm == "encoding":
            raw = raw[:-1] + b"\xff\n"
        elif harm == "blank":
            data, line = data + b"\n", line + 1
        reason = {"ragged": "RAGGED_ROW", "nul": "NUL_BYTE", "encoding": "BAD_ENCODING"}.get(harm)
        if harm == "nul" and raw.startswith(b'\x00"'):
            reason = (
                "NUL_BYTE|RAGGED_ROW|BAD_QUOTE"  # the mark is then inside the field, and the record may end elsewhere
            )
            if b"\n" in raw[:-1] or quoting == csv.QUOTE_ALL:
                continue
        lines.append(line)
        expected.append(reason or verdict(fields, seen))
        data += raw
        line += raw.count(b"\n")
    bank = make_bank()
    bank.customers(*KNOWN)
    bank.write("txn.csv", separator.join(HEADER).encode() + b"\n" + data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kequn.core.data.readers.BLOCK", size)
        report = bank.load(
            TRANSACTIONS,
            input={"format": "csv", "path": "txn.csv", "separator": separator, "encoding": encoding},
            max_reject_rate=1,
        )
    good = [e for e in expected if isinstance(e, tuple)]
    assert (report.read, report.loaded, report.rejected, report.skipped) == (
        len(expected),
        len(good),
        len(expected) - len(good),
        0,
    )
    rejected = {r.line: r.reason for r in bank.rejects()}
    assert set(rejected) == {n for n, e in zip(lines, expected, strict=True) if isinstance(e, str)}
    for number, reason in zip(lines, expected, strict=True):
        if isinstance(reason, str):
            assert rejected[number] in reason.split("|")
    loaded = bank.rows("SELECT ordinal, booked_on, direction, amount FROM transaction") if good else []
    ordinals = dict(zip(KNOWN, ordinals_for(bank.store, KEY, KNOWN).tolist(), strict=True))
    assert sorted(loaded) == sorted((ordinals[c], d, way, fen) for _, c, d, way, fen in good)
    assert report.totals["amount"][1] == Decimal(sum(g[4] for g in good)).scaleb(-2)
