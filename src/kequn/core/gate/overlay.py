"""What the operational side knows beyond the bank's tables: handed in as small tables, one row a fact."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pyarrow as pa

ALL_CHANNELS = "all"

COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "consents": {
        "ordinal": pa.uint32(), "channel": pa.string(), "granted": pa.bool_(), "at": pa.timestamp("us", "UTC"),
        "expires_on": pa.date32(),
    },
    "suppressions": {"ordinal": pa.uint32(), "scope": pa.string(), "until": pa.date32()},
    "reachable": {"ordinal": pa.uint32(), "channel": pa.string(), "reachable": pa.bool_()},
    "touches": {"ordinal": pa.uint32(), "channel": pa.string(), "on": pa.date32()},
    "complaints": {"ordinal": pa.uint32(), "on": pa.date32(), "open": pa.bool_()},
    "in_progress": {"ordinal": pa.uint32()},
    "zones": {"ordinal": pa.uint32(), "zone": pa.string()},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overlay:
    """Facts that are newer than the last load, or that the bank's tables never hold. ``None``: not kept at all."""

    consents: pa.Table | None = None
    """Each change of mind: ordinal, channel (or ``all``), granted, at, expires_on (the last day; null: no end)."""
    suppressions: pa.Table | None = None
    """Do-not-contact lists: ordinal, scope (``all`` or ``marketing``), until (the last day; null: for ever)."""
    reachable: pa.Table | None = None
    """Whether there is a valid address: ordinal, channel, reachable. Silence on sms, email and call means unknown."""
    touches: pa.Table | None = None
    """Marketing contacts accepted, of unknown fate or under way: ordinal, channel, on. An empty table is a ledger."""
    complaints: pa.Table | None = None
    """ordinal, on, open. An empty table says that complaints are recorded here and there is none."""
    in_progress: pa.Table | None = None
    """Customers whose opportunity somebody works: ordinal."""
    zones: pa.Table | None = None
    """Customers who live in another time zone than the bank's: ordinal, zone."""
    full_channels: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for part in fields(self):
            if part.name in COLUMNS and (table := getattr(self, part.name)) is not None:
                object.__setattr__(self, part.name, _shaped(table, part.name))


def rows(name: str, **columns: object) -> pa.Table:
    """Return one part of an overlay from plain sequences; a column that is left out is null.

    >>> rows("touches", ordinal=[3], channel=["sms"], on=[None]).num_rows
    1
    """
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]  # sequences of equal length, checked by Arrow
    return pa.table({c: pa.array(columns.get(c, [None] * n), kind) for c, kind in COLUMNS[name].items()})


def empty(name: str) -> pa.Table:
    """Return one part of an overlay without rows: it is kept, and says nothing."""
    return pa.table({c: pa.array([], kind) for c, kind in COLUMNS[name].items()})


def _shaped(table: pa.Table, name: str) -> pa.Table:
    columns = COLUMNS[name]
    if missing := set(columns) - set(table.column_names) - {"expires_on", "until"}:
        raise ValueError(f"overlay table {name!r} lacks {', '.join(sorted(missing))}")
    return pa.table(
        {
            c: table[c].cast(kind) if c in table.column_names else pa.nulls(table.num_rows, kind)
            for c, kind in columns.items()
        }
    )
