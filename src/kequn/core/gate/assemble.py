"""Facts from the bank's tables and from the operational side, joined so that a missing fact stays missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.engine.duck import Engine
from kequn.core.engine.footers import latest
from kequn.core.gate.facts import (
    CHANNELS,
    COLUMN,
    NEVER,
    NO,
    STATUSES,
    UNKNOWN,
    YES,
    Content,
    Days,
    Facts,
    Flags,
    Ordinals,
    Proposal,
    Touches,
    blank_facts,
)
from kequn.core.gate.overlay import Overlay, empty
from kequn.core.spec.offer import OfferSpec

LONGEST_CAP = 366  # days; no cap looks further back
BY_ACCOUNT = frozenset({"wecom", "app_push"})
"""Channels that an account of the customer's opens."""
RM_CONTACTS_BY = ("call", "wecom")
"""How an RM reaches a customer: consent to either is the basis of a task where there is no word on tasks themselves."""


def facts_from(
    engine: Engine,
    ordinals: npt.ArrayLike,
    *,
    as_of: date,
    overlay: Overlay | None = None,
    touch_days: int = LONGEST_CAP,
    channels: Collection[str] = CHANNELS,
) -> Facts:
    """Return what is known about customers on a business date; ordinals the bank does not have are left out.

    A table that was never loaded leaves its facts unknown, and so does an empty cell. The overlay's rows count whatever
    their date: they are newer than any load. ``touch_days`` may be lowered to the policy's longest cap,
    and ``channels`` to those that will be asked about: who has an account for another stays unknown.
    """
    reader = _Reader(engine, ordinals, as_of)
    more = overlay or Overlay()
    found = reader.columns("customers", statuses=list(STATUSES)) if reader.declared("customer") else {}
    if not found:
        return blank_facts([])
    columns: dict[str, Any] = {name: found[name] for name in _PLAIN}
    columns |= {name: found[name].astype("datetime64[D]") for name in ("born", "risk_expires")}
    facts = replace(blank_facts(found["ordinal"]), **columns)
    at = _Rows(facts.ordinals)
    opened, last = _complaints(reader, more, at)
    consent, expires = _consents(reader, more, at)
    zones, zone = _zones(more, at)
    return replace(
        facts,
        overdue=_overdue(reader, at),
        open_complaint=opened,
        last_complaint=last,
        consent=consent,
        consent_expires=expires,
        reachable=_reachable(reader, more, at, has_rm=found["has_rm"], opens=BY_ACCOUNT & {*channels}),
        touches=_touches(reader, more, at, touch_days),
        listed=at.marked(_scope(more, "all", as_of)),
        listed_for_marketing=at.marked(_scope(more, "marketing", as_of)),
        in_progress=at.marked(_column(more.in_progress, "ordinal")),
        zones=zones,
        zone=zone,
        full_channels=more.full_channels,
    )


def proposal_from(engine: Engine, offer: OfferSpec, content: Mapping[str, Content]) -> Proposal:
    """Return what the gate must know of an offer; a product that is not in the product table is not known."""
    query = "SELECT family, risk_level FROM product WHERE product_code = ?"
    rows = engine.rows(query, [offer.product]) if engine.has("product") else []
    family, risk_level = rows[0] if rows else ("", None)
    return Proposal(
        product_known=bool(rows),
        family=family,
        risk_level=risk_level,
        has_benefit=offer.benefit is not None,
        valid_until=offer.valid_until,
        content=dict(content),
    )


_PLAIN = ("status", "deceased", "suppressed", "staff", "vulnerable", "personalisation_off", "risk_level")


_EMPTY_LEDGER = {
    "ordinal": pa.array([], pa.uint32()),
    "purpose": pa.array([], pa.string()),
    "channel": pa.array([], pa.string()),
    "granted": pa.array([], pa.bool_()),
    "given_on": pa.array([], pa.date32()),
    "expires_on": pa.array([], pa.date32()),
}


_Ledger = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int8], Days]
"""Contacts, one row each: ordinals, positions in ``CHANNELS`` (-1: another), days."""


class _Reader:
    """Runs the named steps over one engine for one set of customers."""

    def __init__(self, engine: Engine, ordinals: npt.ArrayLike, as_of: date) -> None:
        self.engine, self.as_of = engine, as_of
        wanted = np.unique(np.asarray(ordinals, dtype=np.uint32))
        engine.register("gate_wanted", pa.table({"ordinal": wanted}))

    def declared(self, table: str) -> bool:
        """Whether the bank supplies a table, be it empty."""
        return table in self.engine.manifest.tables

    def columns(self, step: str, **parameters: Any) -> dict[str, npt.NDArray[Any]]:
        """Run one step; nulls become ``UNKNOWN`` or NaT."""
        query = (files("kequn.core.gate") / "sql" / f"{step}.sql").read_text(encoding="utf-8")
        named = {name: value for name, value in {"as_of": self.as_of, **parameters}.items() if f"${name}" in query}
        found = self.engine.cursor().execute(query, named).fetchnumpy()
        return {name: _filled(column) for name, column in found.items()}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where customers stand among the sorted ordinals."""

    ordinals: Ordinals

    def of(self, who: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return (positions of those that are there, which ones are there)."""
        if not len(self.ordinals):
            return np.zeros(0, dtype=np.int64), np.zeros(len(who), dtype=bool)
        at = np.minimum(np.searchsorted(self.ordinals, who), len(self.ordinals) - 1)
        there = self.ordinals[at] == who
        return at[there].astype(np.int64), there

    def marked(self, who: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return a flag a customer: whether it is among ``who``."""
        return np.isin(self.ordinals, who)


def _complaints(reader: _Reader, more: Overlay, at: _Rows) -> tuple[Flags, Days]:
    known = reader.declared("service") or more.complaints is not None
    opened = np.full(len(at.ordinals), NO if known else UNKNOWN, dtype=np.int8)
    last = np.full(len(at.ordinals), NEVER)
    if reader.engine.has("service"):
        found = reader.columns("complaints")
        rows, there = at.of(found["ordinal"])
        opened[rows] = found["open"][there]
        last[rows] = found["last_on"][there].astype("datetime64[D]")
    if more.complaints is not None:
        rows, there = at.of(_column(more.complaints, "ordinal"))
        np.maximum.at(opened, rows, _column(more.complaints, "open")[there].astype(np.int8))
        days = np.full(len(at.ordinals), np.iinfo(np.int64).min + 1)
        np.maximum.at(days, rows, _column(more.complaints, "on")[there].astype("datetime64[D]").astype(np.int64))
        added = np.where(days > np.iinfo(np.int64).min + 1, days, 0).astype("datetime64[D]")
        last = np.where(days > np.iinfo(np.int64).min + 1, np.fmax(last, added), last)
    return opened, last


def _consents(reader: _Reader, more: Overlay, at: _Rows) -> tuple[Flags, Days]:
    if reader.engine.has("consent"):
        reader.engine.run("CREATE OR REPLACE TEMP VIEW gate_ledger AS SELECT * FROM consent")
    else:
        reader.engine.register("gate_ledger", pa.table(_EMPTY_LEDGER))
    reader.engine.register("gate_changes", empty("consents") if more.consents is None else more.consents)
    found = reader.columns("consents", channels=list(CHANNELS), zone=reader.engine.manifest.zone)
    grid = (len(at.ordinals), len(CHANNELS))
    consent, expires = np.full(grid, UNKNOWN, dtype=np.int8), np.full(grid, NEVER)
    rows, there = at.of(found["ordinal"])
    channels = found["channel"][there]
    consent[rows, channels] = found["granted"][there]
    expires[rows, channels] = found["expires"][there].astype("datetime64[D]")
    _base_tasks(consent, expires)
    return consent, expires


def _base_tasks(consent: Flags, expires: Days) -> None:
    """Give RM tasks the better of the words on the channels an RM uses, where there is none on tasks themselves."""
    task = COLUMN["rm_task"]
    silent = consent[:, task] == UNKNOWN
    for channel in RM_CONTACTS_BY:
        word, end = consent[:, COLUMN[channel]], expires[:, COLUMN[channel]]
        longer = (word == YES) & ~np.isnat(expires[:, task]) & (np.isnat(end) | (end > expires[:, task]))
        better = silent & ((word > consent[:, task]) | ((word == consent[:, task]) & longer))
        consent[better, task], expires[better, task] = word[better], end[better]


def _reachable(reader: _Reader, more: Overlay, at: _Rows, *, has_rm: Flags, opens: Collection[str]) -> Flags:
    reachable = np.full((len(at.ordinals), len(CHANNELS)), UNKNOWN, dtype=np.int8)
    reachable[:, COLUMN["rm_task"]] = has_rm
    reachable[:, COLUMN["file_drop"]] = YES
    if opens and reader.engine.has("account"):
        found = reader.columns("accounts")
        rows, there = at.of(found["ordinal"])
        for channel in sorted(opens):
            reachable[:, COLUMN[channel]] = NO
            reachable[rows, COLUMN[channel]] = found[channel][there]
    if more.reachable is not None:
        who, channels, is_ = (_column(more.reachable, name) for name in ("ordinal", "channel", "reachable"))
        for channel in CHANNELS:
            rows, there = at.of(who[channels == channel])
            reachable[rows, COLUMN[channel]] = is_[channels == channel][there]
    return reachable


def _overdue(reader: _Reader, at: _Rows) -> Flags:
    overdue = np.full(len(at.ordinals), NO if reader.declared("holding") else UNKNOWN, dtype=np.int8)
    if reader.engine.has("holding"):
        found = reader.columns("overdue", latest=latest(reader.engine, "holding", reader.as_of))
        rows, there = at.of(found["ordinal"])
        overdue[rows] = found["overdue"][there]
    return overdue


def _touches(reader: _Reader, more: Overlay, at: _Rows, days: int) -> Touches | None:
    if more.touches is None and not reader.declared("contact"):
        return None
    loaded: _Ledger = (np.zeros(0, np.uint32), np.zeros(0, np.int8), np.zeros(0, "datetime64[D]"))
    own = loaded
    if reader.engine.has("contact"):
        found = reader.columns("touches", channels=list(CHANNELS), days=days)
        loaded = (found["ordinal"], found["channel"], found["day"].astype("datetime64[D]"))
    if more.touches is not None:
        codes = np.array([COLUMN.get(c, UNKNOWN) for c in more.touches["channel"].to_pylist()], dtype=np.int8)
        own = (_column(more.touches, "ordinal"), codes, _column(more.touches, "on").astype("datetime64[D]"))
    other = _besides(own, loaded)
    who = np.concatenate((loaded[0], other[0]))
    channels, when = np.concatenate((loaded[1], other[1])), np.concatenate((loaded[2], other[2]))
    rows, there = at.of(who)
    return Touches(rows, channels[there], when[there])


def _besides(own: _Ledger, loaded: _Ledger) -> _Ledger:
    """Return the own contacts that the bank's table does not report: a contact in both ledgers is one contact.

    Of one customer, channel and day the longer of the two ledgers counts. Whether a load brought the own contacts back
    cannot be told from its date, so nothing is left out on that ground.
    """
    dated = ~np.isnat(own[2])
    own = (own[0][dated], own[1][dated], own[2][dated])
    mine, first, times = np.unique(_packed(own), return_index=True, return_counts=True)
    theirs, reported = np.unique(_packed(loaded), return_counts=True)
    if len(theirs):
        at = np.minimum(np.searchsorted(theirs, mine), len(theirs) - 1)
        times = np.maximum(times - np.where(theirs[at] == mine, reported[at], 0), 0)
    rows = np.repeat(first, times)
    return own[0][rows], own[1][rows], own[2][rows]


def _packed(ledger: _Ledger) -> npt.NDArray[np.int64]:
    """Customer, day and channel of each contact as one number."""
    who, channels, when = ledger
    return (who.astype(np.int64) << 24 | when.astype(np.int64) & 0xFFFFF) << 4 | (channels.astype(np.int64) + 1)


def _zones(more: Overlay, at: _Rows) -> tuple[tuple[str, ...], npt.NDArray[np.int16] | None]:
    if more.zones is None:
        return (), None
    names, codes = np.unique(_column(more.zones, "zone").astype(str), return_inverse=True)
    zone = np.full(len(at.ordinals), UNKNOWN, dtype=np.int16)
    rows, there = at.of(_column(more.zones, "ordinal"))
    zone[rows] = codes[there]
    return tuple(names.tolist()), zone


def _scope(more: Overlay, scope: str, as_of: date) -> npt.NDArray[Any]:
    if more.suppressions is None:
        return np.zeros(0, dtype=np.uint32)
    until = _column(more.suppressions, "until").astype("datetime64[D]")
    lasts = np.isnat(until) | (until >= np.datetime64(as_of, "D"))
    return np.asarray(_column(more.suppressions, "ordinal")[lasts & (_column(more.suppressions, "scope") == scope)])


def _column(table: pa.Table | None, name: str) -> npt.NDArray[Any]:
    if table is None:
        return np.zeros(0, dtype=np.uint32)
    column: npt.NDArray[Any] = table[name].to_numpy()
    return column


def _filled(column: Any) -> npt.NDArray[Any]:
    if not isinstance(column, np.ma.MaskedArray):
        return np.asarray(column)
    return np.asarray(column.filled(np.datetime64("NaT") if column.dtype.kind == "M" else UNKNOWN))
