"""The starter bank's data folder: raw files as a bank would deliver them, and what is true about them.

    cust_info.csv.gz   customers      GBK, comma         acct_sign.txt.gz  accounts and agreements, separated by |
    prod_list.xlsx     products       Excel              org.csv, staff.csv
    hold_bal.parquet   holdings       month ends         txn.parquet       transactions
    evt_log.parquet    behaviour                         contact.csv.gz    contacts and responses
    service.csv        service calls                     consent.csv.gz    consents

A few seeded rows are wrong in ways that happen (``dirt.DIRT``); ``Truth.rejects`` says how many a load has to refuse.
``truth/`` lies beside the files and is never loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from kequn.core.data.starter import behaviour, places, raw
from kequn.core.data.starter.block import Block, block_of
from kequn.core.data.starter.dirt import DIRT, spoil
from kequn.core.data.starter.draws import BLOCK, day, month_ends
from kequn.core.data.starter.files import FILES, CsvFile, ParquetFile, opened, write_workbook
from kequn.core.data.starter.flows import ledger_of
from kequn.core.data.starter.groups import groups_of, labels
from kequn.core.data.starter.history import holding_rows
from kequn.core.data.starter.ledger import Span
from kequn.core.data.starter.people import blocks
from kequn.core.data.starter.products import PRODUCTS, RAW_FAMILIES, quota_left

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
class _Wanted:
    """What one bank is to be."""

    customers: int
    seed: int
    as_of: date
    months: int
    volume: float

    @property
    def start(self) -> date:
        return month_ends(self.as_of, self.months)[0].replace(day=1)

    @property
    def recent(self) -> date:
        return max(self.start, self.as_of - timedelta(days=DETAIL_DAYS))


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
    ``volume`` scales shopping and transfers (1 gives some 33 transactions a customer in all); ``transactions="csv"``
    writes ``txn.csv`` in place of ``txn.parquet``.
    """
    wanted = _Wanted(customers, seed, as_of, months, volume)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    names = FILES | ({"transactions": "txn.csv"} if transactions == "csv" else {})
    rows = _small_files(folder, customers)
    counts: dict[str, int] = {}
    aum = 0
    with ExitStack() as stack:
        files: dict[str, CsvFile | ParquetFile] = {}
        for name, file in names.items():
            if name not in rows:
                files[name] = opened(folder / file, name)
                stack.callback(files[name].close)
        answers = ParquetFile(folder / "truth" / "labels.parquet")
        stack.callback(answers.close)
        for block, size in blocks(customers):
            part = block_of(seed, block, size, as_of)
            aum += _write_block(files, part, wanted)
            groups = groups_of(part, as_of)
            counts = {name: counts.get(name, 0) + int(members[:size].sum()) for name, members in groups.items()}
            answers.write(labels(part, groups))
            if progress is not None:
                progress(min((block + 1) * BLOCK, customers), customers, "customers")
        rows |= {name: written.rows for name, written in files.items()}
    truth = Truth(
        folder=folder, customers=customers, seed=seed, as_of=as_of, months=months, rows=rows,
        rejects={name: len(DIRT.get(name, ())) for name in FILES}, groups=counts, aum=Decimal(aum) / 100,
        labels=folder / "truth" / "labels.parquet",
    )  # fmt: skip
    _write_truth(truth)
    return truth


def read_truth(folder: Path) -> Truth:
    """Return what is true of the bank that was generated into ``folder``."""
    facts: dict[str, Any] = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    facts |= {"as_of": date.fromisoformat(facts["as_of"]), "aum": Decimal(facts["aum"])}
    return Truth(folder=folder, labels=folder / "truth" / "labels.parquet", **facts)


def _write_truth(truth: Truth) -> None:
    facts = {k: v for k, v in asdict(truth).items() if k not in ("folder", "labels")}
    facts |= {"as_of": truth.as_of.isoformat(), "aum": str(truth.aum)}
    text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
    (truth.folder / "truth" / "truth.json").write_text(text, encoding="utf-8")


def _write_block(files: dict[str, CsvFile | ParquetFile], part: Block, wanted: _Wanted) -> int:
    """Write one block into every file, the wrong rows after the first; return its month-average assets in fen."""
    who, seed, size = part.who, part.seed, part.size
    today, base = day(wanted.as_of), who.block * raw.ROW_BASE
    year_ago = wanted.as_of - timedelta(days=364)
    positions = holding_rows(part, wanted.as_of, wanted.months)
    span = Span(wanted.start, wanted.recent, wanted.as_of, wanted.as_of, wanted.volume)
    book = ledger_of(part, span).sorted_columns(day(wanted.start), today, who.opened, size)
    events = behaviour.events(seed, who, start=wanted.recent, end=wanted.as_of)
    contacts = behaviour.contacts(seed, who, start=year_ago, end=wanted.as_of)
    services = behaviour.services(seed, who, start=year_ago, end=wanted.as_of)
    tables = {
        "customers": raw.customer_table(seed, who, wanted.customers, today),
        "accounts": raw.account_table(part, today),
        "holdings": raw.holding_table(who, positions),
        "transactions": raw.transaction_table(who, book, base),
        "events": raw.event_table(who, events, base),
        "contacts": raw.contact_table(who, contacts, base),
        "service": raw.service_table(who, services, base),
        "consents": pa.concat_tables(
            [
                raw.consent_table(who, behaviour.consents(seed, who, as_of=wanted.as_of)),
                raw.separate_consent_table(seed, who, wanted.as_of),
            ]
        ),
    }
    for name, table in tables.items():
        kept = raw.only(table, part)
        files[name].write(kept)
        if who.block == 0:
            spoil(files[name], name, kept)
    mine = (positions.who < size) & (positions.as_of == today) & (positions.slot < 20)
    return int(positions.average[mine].sum())


def _small_files(folder: Path, customers: int) -> dict[str, int]:
    """Write products, branches and staff; return their rows."""
    header: list[Any] = [
        "产品代码",
        "产品名称",
        "英文名称",
        "产品类型",
        "风险等级",
        "权益类",
        "年化毛利率",
        "起点金额",
        "剩余额度",
    ]
    listed: list[list[Any]] = [
        [
            p.code,
            p.name,
            p.name_en,
            RAW_FAMILIES[p.family],
            f"R{p.risk}",
            "否是"[p.equity],
            p.margin,
            p.minimum,
            quota_left(p.family, customers),
        ]
        for p in PRODUCTS
    ]
    write_workbook(folder / FILES["products"], "产品", [header, *listed])
    tree, team = places.branches(), places.staff(customers)
    with closing(CsvFile(folder / FILES["branches"])) as file:
        levels = {"head_office": "1", "province": "2", "city": "3", "branch": "4"}
        file.write(pa.table({
            "ORG_NO": [b.code for b in tree], "ORG_NM": [b.name for b in tree], "ORG_EN": [b.name_en for b in tree],
            "UP_ORG": [b.parent or None for b in tree], "LVL": [levels[b.level] for b in tree],
            "CITY": [b.city or None for b in tree], "PROV": [b.province for b in tree],
        }))  # fmt: skip
    with closing(CsvFile(folder / FILES["staff"])) as file:
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
            "TEL": [f"0999-{p.number:0>8}" for p in team],  # an area code that no place has
        }))  # fmt: skip
    return {"products": len(PRODUCTS), "branches": len(tree), "staff": len(team)}
