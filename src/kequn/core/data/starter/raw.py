"""The bank's own tables: its column names and codes, made from one block of people."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kequn.core.data.starter import behaviour, places
from kequn.core.data.starter.block import Block
from kequn.core.data.starter.draws import Bools, Ints, happens, stream
from kequn.core.data.starter.files import birth_days, compact_days, flags, moments, words, yuan, yuan_or_null
from kequn.core.data.starter.flows import MCC
from kequn.core.data.starter.history import HoldingRows
from kequn.core.data.starter.ledger import CHANNELS
from kequn.core.data.starter.names import full_names, identity_numbers, padded, telephone_numbers
from kequn.core.data.starter.people import (
    INDUSTRIES,
    MERCHANT,
    MERCHANT_INDUSTRIES,
    OWNER,
    PENSIONER,
    People,
    employers,
)
from kequn.core.data.starter.products import CODES, PRODUCTS, RAW_FAMILIES

SCRAMBLE, SHIFT, MODULUS = 7_919, 1_234_567, 10**8
ROW_BASE = 10**7
"""Room for the rows of one block in a file's running numbers."""

OCCUPATIONS = ("不便分类", "农林牧渔", "企业职员", "机关事业单位人员", "学生", "退休", "个体工商户", "企业主")
"""By role."""
ACCOUNT_KINDS = ("DB", "CC", "LN", "MB", "WC", "GZH", "ETC", "SD", "DF", "SF", "GYL", "SBK", "KJ", "DK", "FR", "TS")
DB, CC, LN, MB, WC, GZH, ETC, SD, DF, SF, GYL, SBK, KJ, DK, FR, TS = range(len(ACCOUNT_KINDS))
DETAILS = ("WX", "ZFB", "DY", "MT", "SDR", "HF", "WY", "XF")
"""Wallets that a card is tied to, and bills that are paid by debit."""
POSTS = ("XT", "LC", "YC", "KH")
"""Who contacts: a system, a wealth manager, the remote centre, the relationship manager."""
POST_OF = (0, 0, 1, 2, 0, 3, 0)
"""By channel of a contact, in the order of ``behaviour.CONTACT_CHANNELS``."""
SPOKEN = (2, 3, 5)
"""Channels on which somebody talks, and writes a note."""
MEMOS = ("", "", "", "问了近况，暂时没有想法", "", "说不需要，以后再说", "想了解期限和风险，约下周再谈", "")
"""By outcome."""
TOLD = (3, 5, 6)
TOPICS = ("账户", "产品", "服务态度", "手续费")


def customer_numbers(number: Ints) -> pa.Array:
    """Return the bank's ten-digit numbers of customers by their position in the bank."""
    return padded((number * SCRAMBLE + SHIFT) % MODULUS, 8, "60")


def positions_of(numbers: list[str]) -> Ints:
    """Return the positions in the bank of customer numbers, the inverse of ``customer_numbers``."""
    digits = np.array([int(n[2:]) for n in numbers], dtype=np.int64)
    return np.asarray((digits - SHIFT) % MODULUS * pow(SCRAMBLE, -1, MODULUS) % MODULUS, dtype=np.int64)


def account_numbers(number: Ints, kind: Ints | int) -> pa.Array:
    """Return account numbers; they begin with 88, as no card does."""
    which = pa.array(np.broadcast_to(np.asarray(kind), number.shape) + 10).cast(pa.string())
    return pc.binary_join_element_wise("88", customer_numbers(number), which, "")


def rm_numbers(who: People, customers: int) -> pa.Array:
    """Return the staff number of each managed customer's RM; null for the others."""
    per_branch = places.rms_per_branch(customers)
    table = pa.array([places.rm_number(b, r) for b in range(places.N_BRANCHES) for r in range(per_branch)])
    mine = who.branch * per_branch + np.floor(who.rm_draw * per_branch).astype(np.int64)
    return table.take(pa.array(mine, mask=~who.managed))


def customer_table(seed: int, who: People, customers: int, today: int) -> pa.Table:
    """The customer file: one row a customer."""
    rng = stream(seed, "identities", who.block)
    n = len(who)
    name, document = full_names(rng, who.male), identity_numbers(rng, who.born, who.male)
    phone = telephone_numbers(rng, n)
    number = customer_numbers(who.number)
    leaf = places.leaves()
    street = pa.array([f"{b.city}{s}" for b in leaf for s in places.STREETS])
    address = pc.binary_join_element_wise(
        street.take(pa.array(who.branch * len(places.STREETS) + rng.integers(0, len(places.STREETS), n))),
        pa.array(rng.integers(1, 300, n)).cast(pa.string()), "号", "",
    )  # fmt: skip
    mail = pc.binary_join_element_wise("c", number, "@mail.kequn.test", "")
    firm = employers(seed)
    shop = np.isin(who.role, (MERCHANT, OWNER))
    industry = np.where(
        who.employer >= 0, firm.industry[who.employer], np.where(shop, len(INDUSTRIES) + who.industry, -1)
    )
    kind = np.where(who.employer >= 0, firm.kind[who.employer], np.where(shop, 5, -1))
    away = who.elsewhere >= 0
    city = pc.if_else(
        pa.array(away),
        words(who.elsewhere, tuple(c for _, c in places.OTHER_CITIES)),
        words(who.branch, tuple(b.city for b in leaf)),
    )
    province = pc.if_else(
        pa.array(away),
        words(who.elsewhere, tuple(p for p, _ in places.OTHER_CITIES)),
        words(who.branch, tuple(b.province for b in leaf)),
    )
    foreign = rng.random(n) < 0.003
    resident = np.where(foreign, 2 + (rng.random(n) < 0.4), who.newcomer.astype(np.int64))
    stage = np.searchsorted(np.array((6, 12, 18, 26)), who.child_age, side="right")
    closed = who.closed >= 0
    status = np.where(closed, 3, np.where(who.frozen, 2, np.where(who.active, 0, 1)))
    valid = today + rng.integers(-200, 3_650, n)
    qualified = (who.tier >= 4) & (who.number % 3 == 0)
    return pa.table({
        "CUST_NO": number,
        "CUST_NM": name,
        "CERT_NO": pc.if_else(pa.array(who.birth_known), document, pc.binary_join_element_wise("EX", number, "")),
        "MOBILE": _where(happens(rng, 0.985, n), phone),
        "EMAIL": _where(happens(rng, np.where(who.card, 0.85, 0.42), n), mail),
        "ADDR": address,
        "OPEN_DT": compact_days(who.opened),
        "BIRTH_DT": birth_days(who.born, who.birth_known),
        "性别": words(np.where(happens(rng, 0.004, n), 2, np.where(who.male, 0, 1)), ("1", "2", "9")),
        "常住城市": city,
        "省份": province,
        "AREA_CD": words(who.area, ("10", "20", "30")),
        "MARR_STS": words(who.marital, ("10", "20", "30", "40")),
        "CHILD_FLG": words(np.where(who.child_age >= 0, 1, np.where(who.child_age == -1, 0, -1)), ("N", "Y")),
        "CHILD_STG": words(np.where(who.child_age >= 0, stage, -1), ("A", "B", "C", "D", "E")),
        "EDU_CD": words(who.education, ("61", "41", "31", "21", "11")),
        "OCC_NM": words(np.where(happens(rng, 0.15, n), -1, who.role), OCCUPATIONS),
        "IND_NM": words(industry, INDUSTRIES + MERCHANT_INDUSTRIES),
        "EMP_TYP": words(kind, ("JG", "SY", "GQ", "MQ", "WQ", "GT")),
        "EMP_NO": _where(who.employer >= 0, padded(who.employer + 1, 5, "EMP")),
        "RESID_TYP": words(resident, ("BD", "XSM", "GAT", "WJ")),
        "HH_NO": _where(who.household >= 0, padded(np.maximum(who.household, 0), 9, "H")),
        "ORG_NO": words(who.branch, tuple(b.code for b in leaf)),
        "MGR_NO": rm_numbers(who, customers),
        "RISK_LV": words(np.where(who.risk_on >= 0, who.risk - 1, -1), ("C1", "C2", "C3", "C4", "C5")),
        "RISK_DT": compact_days(who.risk_on),
        "RISK_EXP_DT": compact_days(np.where(who.risk_on >= 0, who.risk_on + 365, -1)),
        "INV_CLS": words(np.where(qualified & (who.tier >= 5), 1, -1), ("PT", "ZY")),
        "QLF_EXP_DT": compact_days(np.where(qualified, today + who.number % 700 - 60, -1)),
        "CERT_EXP_DT": compact_days(np.where(happens(rng, 0.94, n), valid, -1)),
        "CUST_STS": words(status, ("0", "1", "2", "9")),
        "CLS_DT": compact_days(who.closed),
        "DEAD_FLG": flags(who.deceased),
        "STAFF_FLG": flags(who.staff),
        "BLK_FLG": flags(who.suppressed),
        "CARE_FLG": flags(who.vulnerable),
        "PSN_OFF": flags(who.unpersonal),
    })  # fmt: skip


def _where(has: Bools, texts: pa.Array) -> pa.Array:
    """Return the texts where there are any, null elsewhere."""
    return pc.if_else(pa.array(has), texts, pa.scalar(None, pa.string()))


def account_table(part: Block, today: int) -> pa.Table:
    """The accounts and agreements file: a row for each card, loan, wallet, debit order and signed service."""
    who, held, owed = part.who, part.held, part.owed
    rng = stream(part.seed, "agreements", who.block)
    n = len(who)
    old, live = who.age >= 55, who.active
    shops = np.isin(who.role, (MERCHANT, OWNER))
    signed: list[tuple[int, Bools, int]] = [
        (DB, np.ones(n, dtype=np.bool_), -1),
        (MB, who.app, -1),
        (WC, behaviour.wecom(who), -1),
        (GZH, live & happens(rng, 0.28, n), -1),
        (ETC, who.car & happens(rng, 0.7, n), -1),
        (SD, shops & ((who.role == MERCHANT) | (who.number % 3 == 0)), -1),
        (DF, who.employer >= 0, -1),
        (SF, live & (who.tier >= 1) & (who.number % 11 == 0), -1),
        (GYL, held.average[:, 11] > 0, -1),
        (SBK, happens(rng, np.where(who.role == PENSIONER, 0.7, 0.16), n), -1),
        (KJ, live & happens(rng, np.where(old, 0.3, 0.86), n), 0),
        (KJ, live & happens(rng, np.where(old, 0.15, 0.70), n), 1),
        (KJ, live & happens(rng, np.where(who.age < 35, 0.4, 0.12), n), 2),
        (KJ, live & happens(rng, np.where(who.age < 35, 0.35, 0.08), n), 3),
        (DK, live & (who.number % 5 == 0), 4),
        (DK, live & happens(rng, 0.10, n), 5),
        (DK, live & happens(rng, 0.05, n), 6),
        (DK, live & (who.child_age >= 3) & (who.child_age < 19) & happens(rng, 0.15, n), 7),
        (FR, who.role == OWNER, -1),
        (TS, who.app & (who.number % 8 < 5), -1),
    ]
    w = np.concatenate([np.flatnonzero(has) for _, has, _ in signed])
    kind = np.concatenate([np.full(int(has.sum()), k) for k, has, _ in signed])
    detail = np.concatenate([np.full(int(has.sum()), d) for _, has, d in signed])
    opened = np.where(
        kind == DB, who.opened[w], who.opened[w] + ((today - who.opened[w]) * rng.beta(1, 1.3, len(w))).astype(np.int64)
    )
    is_card = np.array([p.family == "credit_card" for p in PRODUCTS])[owed.product]
    w, kind = np.concatenate((w, owed.who)), np.concatenate((kind, np.where(is_card, CC, LN)))
    detail = np.concatenate((detail, np.full(len(owed.who), -1)))
    opened = np.concatenate((opened, owed.opened))
    limit = np.concatenate((np.full(len(opened) - len(owed.who), -1), np.rint(owed.limit * 100).astype(np.int64)))
    product = np.concatenate((np.full(len(opened) - len(owed.who), 0), owed.product))
    fee_due = np.where(kind == CC, opened + -(-(today - opened + 1) // 365) * 365, -1)
    closed = np.where(who.closed[w] >= 0, who.closed[w], -1)
    serial = np.where(detail >= 0, 20 + detail, np.where(kind == LN, 40 + product, kind))
    order = np.lexsort((serial, w))
    w, kind, detail, opened, limit = w[order], kind[order], detail[order], opened[order], limit[order]
    fee_due, closed, serial = fee_due[order], closed[order], serial[order]
    status = np.where(closed >= 0, 3, np.where(who.frozen[w], 2, np.where(who.active[w] | (kind != DB), 0, 1)))
    return pa.table({
        "ACCT_NO": account_numbers(who.number[w], serial),
        "CUST_NO": customer_numbers(who.number[w]),
        "BIZ_TYP": words(kind, ACCOUNT_KINDS),
        "MAIN_FLG": words(np.zeros(len(w), dtype=np.int64), ("1",)),
        "CLS_CD": words(np.where(kind == DB, np.where(who.wealth[w] < 5, who.number[w] % 3, 0), -1), ("1", "2", "3")),
        "STS": words(status, ("A", "D", "F", "C")),
        "OPEN_DT": compact_days(opened),
        "CLS_DT": compact_days(closed),
        "ORG_NO": words(who.branch[w], tuple(b.code for b in places.leaves())),
        "DTL": words(detail, DETAILS),
        "LMT_AMT": yuan_or_null(limit),
        "FEE_DT": compact_days(fee_due),
    })  # fmt: skip


def holding_table(who: People, rows: HoldingRows) -> pa.Table:
    """The holdings file: positions at month ends."""
    kinds = pa.array([RAW_FAMILIES[p.family] for p in PRODUCTS])
    product = pa.array(rows.product)
    return pa.table({
        "CUST_NO": customer_numbers(who.number[rows.who]),
        "PROD_CD": pa.array(CODES).take(product),
        "POS_NO": pa.array(rows.slot).cast(pa.string()),
        "DATA_DT": compact_days(rows.as_of),
        "PROD_TYP": kinds.take(product),
        "BAL": yuan(rows.balance),
        "MAVG_BAL": yuan(rows.average),
        "COST_AMT": yuan_or_null(rows.cost),
        "LMT_AMT": yuan_or_null(rows.limit),
        "VAL_DT": compact_days(rows.opened),
        "MAT_DT": compact_days(rows.matures),
        "RPY_DAY": pa.array(rows.repay_day, mask=rows.repay_day < 0),
        "OVD_DAYS": pa.array(rows.overdue, mask=rows.overdue < 0),
        "INST_FLG": _where(rows.repay_day > 0, flags(rows.instalment)),
    })  # fmt: skip


def transaction_table(who: People, columns: dict[str, Any], base: int) -> pa.Table:
    """The ledger: one row a transaction; ``base`` is the running number before the first."""
    w = columns["who"]
    other = columns["other"].astype(np.int64)
    partner = pc.if_else(pa.array(other < 1_000_000), padded(other, 5, "EMP"), padded(other, 11, "P"))
    account = pa.DictionaryArray.from_arrays(pa.array(w * 2 + columns["card"]), _both_accounts(who)).dictionary_decode()
    n = len(w)
    return pa.table({
        "TXN_SEQ": pa.array(base + 1 + np.arange(n, dtype=np.int64)),
        "CUST_NO": customer_numbers(who.number).take(pa.array(w)),
        "ACCT_NO": account,
        "TXN_DT": compact_days(columns["day"]),
        "TXN_TS": moments(columns["day"], columns["second"]),
        "DC_FLG": words(columns["into"].astype(np.int64), ("D", "C")),
        "AMT": pa.array(columns["amount"]),
        "TX_CD": pa.array(columns["category"]).cast(pa.string()),
        "CHNL_CD": words(columns["channel"].astype(np.int64), CHANNELS),
        "MCC": words(np.where(columns["mcc"] > 0, columns["mcc"], -1), tuple(str(m) for m in MCC)),
        "PROD_CD": words(columns["product"].astype(np.int64), CODES),
        "OPP_NO": _where(other > 0, partner),
        "EXT_FLG": pa.array(columns["external"].astype(np.int8)),
        "ACT_FLG": pa.array(columns["initiated"].astype(np.int8)),
        "ONL_FLG": pa.array(columns["online"].astype(np.int8)),
        "FRN_FLG": pa.array(columns["foreign"].astype(np.int8)),
    })  # fmt: skip


def _both_accounts(who: People) -> pa.Array:
    number = np.repeat(who.number, 2)
    return account_numbers(number, np.tile(np.array((DB, CC)), len(who)))


def event_table(who: People, rows: behaviour.Events, base: int) -> pa.Table:
    """The behaviour log."""
    codes = pa.array(behaviour.EVENTS)
    visit = np.isin(rows.kind, (behaviour.BRANCH,))
    return pa.table({
        "EVT_ID": pa.array(base + 1 + np.arange(len(rows.who), dtype=np.int64)),
        "CUST_NO": customer_numbers(who.number).take(pa.array(rows.who)),
        "EVT_DT": compact_days(rows.day),
        "EVT_TS": moments(rows.day, rows.second),
        "EVT_CD": codes.take(pa.array(rows.kind)),
        "CHNL": words(np.where(visit, 1, np.where(rows.kind == behaviour.WECOM, 2, 0)), ("APP", "BRCH", "WECOM")),
    })  # fmt: skip


def contact_table(
    who: People, rows: behaviour.Contacts, base: int, campaigns: tuple[str, ...] = behaviour.CAMPAIGNS
) -> pa.Table:
    """The contact history of all departments; ``campaigns`` are the names of what ``rows.campaign`` counts."""
    return pa.table({
        "CT_NO": pa.array(base + 1 + np.arange(len(rows.who), dtype=np.int64)),
        "CUST_NO": customer_numbers(who.number).take(pa.array(rows.who)),
        "CT_DT": compact_days(rows.day),
        "CT_HH": pa.array(rows.hour),
        "CHNL": words(rows.channel, behaviour.CONTACT_CHANNELS),
        "PURP": words(rows.purpose, ("MKT", "SVC", "MAT")),
        "ACT_NM": words(rows.campaign, campaigns),
        "RSLT": words(rows.outcome, behaviour.OUTCOMES),
        "RSP_FLG": flags(rows.answered_on >= 0),
        "RSP_DT": compact_days(rows.answered_on),
        "RSP_HH": pa.array(rows.answer_hour, mask=rows.answer_hour < 0),
        "BNFT": words(np.where(rows.benefit > 0, rows.benefit, -1), behaviour.BENEFITS),
        "POST": words(np.array(POST_OF)[rows.channel], POSTS),
        "MEMO": words(np.where(np.isin(rows.channel, SPOKEN) & np.isin(rows.outcome, TOLD), rows.outcome, -1), MEMOS),
    })  # fmt: skip


def service_table(who: People, rows: behaviour.Services, base: int) -> pa.Table:
    """Service calls, requests and complaints."""
    return pa.table({
        "SVC_NO": pa.array(base + 1 + np.arange(len(rows.who), dtype=np.int64)),
        "CUST_NO": customer_numbers(who.number).take(pa.array(rows.who)),
        "SVC_DT": compact_days(rows.day),
        "SVC_TYP": words(rows.kind, ("ZX", "TS", "YW")),
        "TOPIC": words(rows.topic, TOPICS),
        "STS": words(rows.open.astype(np.int64), ("CLOSED", "OPEN")),
    })  # fmt: skip


def consent_table(who: People, rows: behaviour.Consents) -> pa.Table:
    """The consent ledger."""
    return pa.table({
        "CUST_NO": customer_numbers(who.number).take(pa.array(rows.who)),
        "PURP": words(np.zeros(len(rows.who), dtype=np.int64), ("MKT",)),
        "CHNL": words(rows.channel, behaviour.CONSENT_CHANNELS),
        "AGR_FLG": words(rows.granted.astype(np.int64), ("0", "1")),
        "AGR_DT": compact_days(rows.given),
        "EXP_DT": compact_days(rows.expires),
        "PROOF": words(rows.channel % 2, ("电子授权书", "纸质授权书")),
    })  # fmt: skip


def separate_consent_table(seed: int, who: People, as_of: date) -> pa.Table:
    """What the consent ledger says on sensitive information: no channel, one purpose at a time."""
    w, purpose, granted, given = behaviour.separate_consents(seed, who, as_of=as_of)
    return pa.table({
        "CUST_NO": customer_numbers(who.number).take(pa.array(w)),
        "PURP": words(purpose, ("CHILD", "CARE")),
        "CHNL": words(np.zeros(len(w), dtype=np.int64), ("ANY",)),
        "AGR_FLG": words(granted.astype(np.int64), ("0", "1")),
        "AGR_DT": compact_days(given),
        "EXP_DT": compact_days(np.full(len(w), -1)),
        "PROOF": words(np.zeros(len(w), dtype=np.int64), ("单独同意书",)),
    })  # fmt: skip


def only(table: pa.Table, part: Block) -> pa.Table:
    """Keep the rows of the customers whom the bank has."""
    if part.size >= len(part.who):
        return table
    numbers = customer_numbers(part.who.number[: part.size])
    return table.filter(pc.is_in(table["CUST_NO"], value_set=numbers))
