"""The starter bank's data folder: raw files as a bank would deliver them, and what is true about them.

    cust_info.csv.gz   customers      GBK, comma         acct_sign.txt.gz  accounts and agreements, separated by |
    prod_list.xlsx     products       Excel              org.csv, staff.csv
    hold_bal.parquet   holdings       month ends         txn.parquet       transactions
    evt_log.parquet    behaviour                         contact.csv.gz    contacts and responses
    service.csv        service calls                     consent.csv.gz    consents

A few seeded rows are wrong in ways that happen (``DIRT``); ``Truth.rejects`` says how many a load has to refuse.
``truth/`` lies beside the files and is never loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from kequn.core.data.starter import behaviour, flows, people, places, raw
from kequn.core.data.starter.draws import BLOCK, Bools, Ints, day, month_ends
from kequn.core.data.starter.files import CsvFile, ParquetFile, words, write_workbook
from kequn.core.data.starter.people import People
from kequn.core.data.starter.positions import Debts, Positions, debts, holding_rows, positions
from kequn.core.data.starter.products import PRODUCTS

FILES = {
    "customers": "cust_info.csv.gz",
    "accounts": "acct_sign.txt.gz",
    "products": "prod_list.xlsx",
    "branches": "org.csv",
    "staff": "staff.csv",
    "holdings": "hold_bal.parquet",
    "transactions": "txn.parquet",
    "events": "evt_log.parquet",
    "contacts": "contact.csv.gz",
    "service": "service.csv",
    "consents": "consent.csv.gz",
}
"""Source name -> raw file."""

Progress = Callable[[int, int | None, str], None]
DETAIL_DAYS = 185
"""Shopping, transfers and takings go back this far; wages, pensions and interest through all months."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a generated bank: sizes, the rows a load must refuse, and who belongs to which group.

    ``rows`` counts data rows a file, the wrong ones included; ``labels`` is a Parquet file beside the load with the
    customer's number, role, tier and groups; ``aum`` is the sum of month-average assets in yuan.
    """

    folder: Path
    customers: int
    seed: int
    as_of: date
    months: int
    rows: dict[str, int]
    rejects: dict[str, int]
    groups: dict[str, int]
    aum: Decimal
    labels: Path


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the bank: its people (the whole block) and what they have, and how many of them the bank has."""

    who: People
    held: Positions
    owed: Debts
    size: int


def block_of(seed: int, block: int, size: int, as_of: date) -> Block:
    """Make one block; what is drawn for a customer does not depend on how many of the block the bank has."""
    who = people.people(seed, block, as_of)
    return Block(who, positions(seed, who, as_of), debts(seed, who, as_of), size)


def generate(
    folder: Path,
    *,
    customers: int = 50_000,
    seed: int = 20260630,
    as_of: date = date(2026, 6, 30),
    months: int = 13,
    progress: Progress | None = None,
    volume: float = 1.0,
    transactions: Literal["parquet", "csv"] = "parquet",
) -> Truth:
    """Write the raw files of a bank with ``customers`` customers into ``folder`` and return what is true about it.

    The same arguments give the same bytes, and the first customers are the same in a larger bank (but for their RM).
    ``volume`` scales shopping, transfers and takings (1 gives some 30 transactions a customer); ``transactions="csv"``
    writes ``txn.csv`` in place of ``txn.parquet``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth").mkdir(exist_ok=True)
    names = FILES | ({"transactions": "txn.csv"} if transactions == "csv" else {})
    rows = _small_files(folder, customers)
    counts: dict[str, int] = {}
    aum = 0
    with ExitStack() as stack:
        files: dict[str, Any] = {
            name: stack.enter_context(_opened(folder, name, file)) for name, file in names.items() if name not in rows
        }
        labels = stack.enter_context(ParquetFile(folder / "truth" / "labels.parquet"))
        for block, size in people.blocks(customers):
            part = block_of(seed, block, size, as_of)
            aum += _write_block(files, part, seed=seed, customers=customers, as_of=as_of, months=months, volume=volume)
            truths = groups_of(part.who, part.held, as_of)
            for name, members in truths.items():
                counts[name] = counts.get(name, 0) + int(members[:size].sum())
            labels.write(_labels(part, truths))
            if progress is not None:
                progress(min((block + 1) * BLOCK, customers), customers, "customers")
        rows |= {name: file.rows for name, file in files.items()}
    truth = Truth(folder, customers, seed, as_of, months, rows, {n: len(DIRT.get(n, ())) for n in FILES}, counts,
                  Decimal(aum) / 100, folder / "truth" / "labels.parquet")  # fmt: skip
    _write_truth(truth)
    return truth


def read_truth(folder: Path) -> Truth:
    """Return what is true of the bank that was generated into ``folder``."""
    facts = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    return Truth(folder, facts["customers"], facts["seed"], date.fromisoformat(facts["as_of"]), facts["months"], facts["rows"],
                 facts["rejects"], facts["groups"], Decimal(facts["aum"]), folder / "truth" / "labels.parquet")  # fmt: skip


def _write_truth(truth: Truth) -> None:
    facts = {"customers": truth.customers, "seed": truth.seed, "as_of": truth.as_of.isoformat(), "months": truth.months,
             "rows": truth.rows, "rejects": truth.rejects, "groups": truth.groups, "aum": str(truth.aum)}  # fmt: skip
    (truth.folder / "truth" / "truth.json").write_text(
        json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def _opened(folder: Path, name: str, file: str) -> CsvFile | ParquetFile:
    if file.endswith(".parquet"):
        return ParquetFile(folder / file)
    return CsvFile(
        folder / file, separator="|" if name == "accounts" else ",", encoding="gbk" if name == "customers" else "utf-8"
    )


def _write_block(
    files: dict[str, Any], part: Block, *, seed: int, customers: int, as_of: date, months: int, volume: float
) -> int:
    """Write one block into every file, the wrong rows after the first; return its month-average assets in fen."""
    who, held, owed = part.who, part.held, part.owed
    today, size = day(as_of), part.size
    history = month_ends(as_of, months)[0].replace(day=1)
    recent = max(history, as_of - timedelta(days=DETAIL_DAYS))
    rows = holding_rows(seed, who, as_of, months)
    book = flows.ledger(seed, who, held, owed, as_of=as_of, start=history, end=as_of, detail_from=recent, volume=volume)
    base = who.block * raw.ROW_BASE
    tables = {
        "customers": raw.customer_table(seed, who, customers, today).slice(0, size),
        "accounts": only(raw.account_table(seed, who, held, owed, today), who, size),
        "holdings": raw.holding_table(who, rows).filter(pa.array(rows.who < size)),
        "transactions": raw.transaction_table(who, book.sorted_columns(day(history), today, who.opened, size), base),
        "events": only(raw.event_table(who, behaviour.events(seed, who, start=recent, end=as_of), base), who, size),
        "contacts": only(
            raw.contact_table(who, behaviour.contacts(seed, who, start=as_of - timedelta(days=364), end=as_of), base),
            who,
            size,
        ),
        "service": only(
            raw.service_table(who, behaviour.services(seed, who, start=as_of - timedelta(days=364), end=as_of), base),
            who,
            size,
        ),
        "consents": only(raw.consent_table(who, behaviour.consents(seed, who, as_of=as_of)), who, size),
    }
    for name, table in tables.items():
        files[name].write(table)
        if who.block == 0:
            _spoil(files[name], name, table)
    mine = (rows.who < size) & (rows.as_of == today) & (rows.average >= 0) & (rows.slot < 20)
    return int(rows.average[mine].sum())


def only(table: pa.Table, who: People, size: int) -> pa.Table:
    """Keep the rows of the first ``size`` customers of a block."""
    if size >= len(who):
        return table
    numbers = raw.customer_numbers(who.number[:size])
    return table.filter(pa.compute.is_in(table["CUST_NO"], value_set=numbers))


DIRT: dict[str, tuple[dict[str, Any] | str, ...]] = {
    "customers": (
        {"CUST_NO": "6099999901", "OPEN_DT": "99999999"},
        {"CUST_NO": "6099999902", "性别": "X"},
        "6099999903,缺字段的行,20200101",
        {"CUST_NM": "重复客户"},
    ),
    "accounts": ({"ACCT_NO": "880000000001", "BIZ_TYP": "ZZ"}, {"ACCT_NO": "880000000002", "OPEN_DT": "20259999"}),
    "holdings": ({"POS_NO": "90", "PROD_TYP": "??"},),
    "transactions": (
        {"TXN_SEQ": -1, "TXN_DT": "20260231"},
        {"TXN_SEQ": -2, "TX_CD": "ZZ99"},
        {"TXN_SEQ": -3, "AMT": -100},
        {"TXN_SEQ": -4, "CUST_NO": "6099999904"},
    ),
    "events": ({"EVT_ID": -1, "CUST_NO": "6099999904"},),
    "contacts": ({"CT_NO": -1, "CT_DT": "2026-13-01"},),
    "service": ({"SVC_NO": -1, "SVC_TYP": "??"}, "8,坏行"),
    "consents": ({"AGR_FLG": "MAYBE"},),
}
"""Wrong rows, added after the first block: the columns that differ from the file's first row, or a whole ragged line.

Dates that do not exist, codes nobody knows, a negative amount, customers the bank does not have, a customer twice.
"""


def _spoil(file: CsvFile | ParquetFile, name: str, table: pa.Table) -> None:
    sample = table.slice(0, 1).to_pylist()[0]
    for wrong in DIRT.get(name, ()):
        if isinstance(wrong, str):
            assert isinstance(file, CsvFile)
            file.write_line(wrong)
        else:
            file.write(pa.Table.from_pylist([sample | wrong], schema=table.schema))


def _small_files(folder: Path, customers: int) -> dict[str, int]:
    """Write products, branches and staff; return their rows."""
    kinds = {"demand": "HQ", "time": "DQ", "cd": "CD", "wmp": "LC", "fund": "JJ", "insurance": "BX", "bond": "GZ", "gold": "GJS",
             "trust": "XT", "pension": "YL", "mortgage": "FD", "consumer_loan": "XD", "biz_loan": "JD", "credit_card": "XYK", "custody": "SF"}  # fmt: skip
    header: list[Any] = ["产品代码", "产品名称", "英文名称", "产品类型", "风险等级", "权益类", "年化毛利率", "起点金额"]
    write_workbook(folder / FILES["products"], "产品", [header] + [
        [p.code, p.name, p.name_en, kinds[p.family], f"R{p.risk}", "是" if p.equity else "否", p.margin, p.minimum] for p in PRODUCTS
    ])  # fmt: skip
    tree, team = places.branches(), places.staff(customers)
    with CsvFile(folder / FILES["branches"]) as file:
        levels = {"head_office": "1", "province": "2", "city": "3", "branch": "4"}
        file.write(pa.table({
            "ORG_NO": [b.code for b in tree], "ORG_NM": [b.name for b in tree], "ORG_EN": [b.name_en for b in tree],
            "UP_ORG": [b.parent or None for b in tree], "LVL": [levels[b.level] for b in tree],
            "CITY": [b.city or None for b in tree], "PROV": [b.province for b in tree],
        }))  # fmt: skip
    with CsvFile(folder / FILES["staff"]) as file:
        posts = {
            "rm": "理财经理",
            "branch_head": "支行长",
            "marketer": "营销经办",
            "checker": "合规复核",
            "analyst": "数据分析",
            "admin": "系统管理",
        }
        file.write(pa.table({
            "EMP_ID": [p.number for p in team], "EMP_NM": [p.name for p in team], "POST": [posts[p.role] for p in team],
            "ORG_NO": [p.branch for p in team], "CAP": [p.capacity or None for p in team],
        }))  # fmt: skip
    return {"products": len(PRODUCTS), "branches": len(tree), "staff": len(team)}


def groups_of(who: People, held: Positions, as_of: date) -> dict[str, Bools]:
    """Return who truly belongs to each of the bank's groups, by what the customers are and not by their tags."""
    soon = (held.matures > day(as_of)) & (held.matures <= day(as_of) + 30)
    due: Any = (np.where(soon, held.average, 0.0)).sum(axis=1)
    child: Ints = who.child_age
    return {
        "payroll": who.employer >= 0,
        "senior": (who.age >= 55) & (who.role == people.PENSIONER),
        "merchant": who.role == people.MERCHANT,
        "owner": who.role == people.OWNER,
        "family": (child >= 0) & (child < 18),
        "genz": (who.role == people.YOUNG) & who.active,
        "midclass": (who.age >= 30)
        & (who.age <= 45)
        & np.isin(who.tier, (3, 4))
        & ((who.mortgage > 0) | (who.pay >= 15_000)),
        "public": who.role == people.PUBLIC,
        "county": who.area > 0,
        "car": who.car,
        "card": who.card,
        "private": who.tier >= 5,
        "mortgage": who.mortgage > 0,
        "newcitizen": who.newcomer,
        "windfall": who.windfall > 0,
        "maturity": due >= 10_000,
        "churn": who.leaving,
        "dormant": ~who.active,
    }


def _labels(part: Block, truths: dict[str, Bools]) -> pa.Table:
    who, size = part.who, part.size
    columns = {
        "customer_no": raw.customer_numbers(who.number),
        "role": words(who.role, people.ROLES),
        "tier": pa.array(who.tier.astype(np.int8)),
    }
    return pa.table(columns | {f"is_{name}": pa.array(members) for name, members in truths.items()}).slice(0, size)
