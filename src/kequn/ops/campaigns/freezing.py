"""The freeze: who is in, in which arm, on which channel and why, written once to the analytical store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.duck import literal
from kequn.core.engine.store import AudienceState
from kequn.core.errors import NoData, NotApproved
from kequn.core.measure import draw_holdout
from kequn.core.segments import tables_in, understand
from kequn.core.spec.campaign import CampaignSpec
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.queries import Ordinals, changed, customer_ids, scope_values, tags_within
from kequn.ops.campaigns.definitions import KIND_WORDS, Definitions, find_definitions
from kequn.ops.campaigns.planning import Plan, has_control, make_plan, reasons_of, summary_of
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, runtime
from kequn.ops.tags.queries import catalogue

Progress = Callable[[int, int | None, str], None]
ARMS = ("treated", "control", "blocked")
QUANTILES = (0.2, 0.4, 0.6, 0.8)
"""Where a number without bins is cut into strata."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was written, and its counts."""

    key: str
    as_of: date
    members: int
    excluded: int
    treated: int
    control: int
    blocks: dict[str, dict[str, int]]
    by_channel: dict[str, int]
    pins: dict[str, Any]


def freeze(
    actor: Actor,
    spec: CampaignSpec,
    *,
    approved: Mapping[str, Mapping[str, str]],
    as_of: date,
    now: datetime,
    progress: Progress,
) -> Frozen:
    """Compute the audience and publish it under a key of its own. ``approved``: the versions the approval was given for.

    Raises:
        NotApproved: something the campaign refers to is missing, not approved, or another version than was approved.
        StoreBusy: a load or refresh is writing.
    """
    progress(0, 4, "definitions")
    found = find_definitions(spec)
    if found.blocks:
        raise NotApproved(
            found.blocks[0].en + ".", hint="Have it approved, then freeze again.", code=found.blocks[0].code
        )
    if others := changed(approved, found.to_be_approved):
        kind, name = others[0]
        raise NotApproved(
            f"The {KIND_WORDS[kind][1]} {name!r} was changed since the campaign was approved.",
            hint="Submit the campaign again, so that what runs is what was approved.",
            kind=kind,
            name=name,
        )
    _must_be_computed_so(found, as_of)
    progress(1, 4, "gate")
    plan = make_plan(actor, spec, found, as_of=as_of, now=now, as_if_approved=False)
    progress(2, 4, "holdout")
    choice = plan.choice
    strata = strata_of(plan.members, spec.holdout.strata if spec.holdout else (), as_of=as_of)
    control = _control(spec, plan.members, choice >= 0, strata)
    progress(3, 4, "writing")
    table = _table(plan, choice, control, strata)
    key = f"{spec.name}-{uuid.uuid4().hex[:8]}"
    pins = pins_of(found, plan.decisions.version, as_of, scope=scope_values(actor))
    _publish(table, key, as_of=as_of, now=now, made_of=kept_files(pins["files"]))
    treated = (choice >= 0) & ~control
    progress(4, 4, "done")
    return Frozen(
        key=key,
        as_of=as_of,
        members=plan.segment_size,
        excluded=plan.segment_size - len(plan.members),
        treated=int(treated.sum()),
        control=int(control.sum()),
        blocks=summary_of(plan.decisions),
        by_channel={c: int((treated & (choice == i)).sum()) for i, c in enumerate(plan.channels)},
        pins=pins,
    )


def forget(key: str, *, now: datetime) -> None:
    """Remove an audience that nobody refers to: another freeze of the same campaign was faster."""
    with runtime().store.writing(now=now) as draft:
        draft.manifest.audiences.pop(key, None)


def audience_table(key: str, *, columns: tuple[str, ...] = ("ordinal", "arm", "stratum", "channel")) -> pa.Table:
    """Return the rows of a frozen audience, by ordinal.

    Raises:
        NoData: it is not in the store.
    """
    state = engine().manifest.audiences.get(key)
    if state is None:
        raise NoData(f"The audience {key!r} is not in the store.", hint="Was the store restored from a backup?")
    return pq.read_table(engine().store.path(state.file), columns=list(columns))


def row_of(key: str, ordinal: int) -> dict[str, Any] | None:
    """Return one customer's row of a frozen audience, ``None`` for somebody who was not a member."""
    state = engine().manifest.audiences.get(key)
    if state is None:
        return None
    path = literal(str(engine().store.path(state.file)))
    query = f"SELECT arm, stratum, channel, reasons FROM read_parquet({path}) WHERE ordinal = ?"
    rows = engine().rows(query, [ordinal])
    return dict(zip(("arm", "stratum", "channel", "reasons"), rows[0], strict=True)) if rows else None


def strata_of(members: Ordinals, tags: tuple[str, ...], *, as_of: date) -> np.ndarray:
    """Return one integer code a member for the combination of the tags' values; unknown is a value of its own."""
    codes = np.zeros(len(members), dtype=np.int64)
    if not tags or not len(members):
        return codes
    bank = engine()
    bank.register("strata_asked", pa.table({"ordinal": pa.array(members, pa.uint32())}))
    query = f"WITH t AS ({bank.tags_query(as_of, tags)}) SELECT * FROM strata_asked LEFT JOIN t USING (ordinal)"
    found = bank.arrow(f"{query} ORDER BY ordinal")
    for tag in tags:
        part = _coded(found[tag].combine_chunks(), catalogue()[tag])
        codes = codes * (int(part.max(initial=0)) + 1) + part
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _coded(column: pa.Array, tag: TagSpec) -> np.ndarray:
    """Codes from 1 in the order of the values; 0 is unknown. Numbers by the tag's bins, else by quintiles."""
    known = column.is_valid().to_numpy(zero_copy_only=False)
    codes = np.zeros(len(column), dtype=np.int64)
    if not known.any():
        return codes
    if tag.type in ("integer", "number", "money"):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)[known]
        scale = 100.0 if tag.type == "money" else 1.0
        cuts = np.array([float(b) * scale for b in tag.bins]) if tag.bins else np.unique(np.quantile(values, QUANTILES))
        codes[known] = 1 + np.searchsorted(cuts, values, side="right")
    else:
        texts = np.array([str(v) for v in column.to_pylist()])[known]
        codes[known] = 1 + np.unique(texts, return_inverse=True)[1]
    return codes


def _control(spec: CampaignSpec, members: Ordinals, passed: np.ndarray, strata: np.ndarray) -> np.ndarray:
    control = np.zeros(len(members), dtype=bool)
    if has_control(spec) and spec.holdout is not None and passed.any():
        ids = customer_ids(members[passed])
        control[passed] = draw_holdout(ids, strata[passed], rate=spec.holdout.rate, salt=spec.holdout.salt)
    return control


def _table(plan: Plan, choice: np.ndarray, control: np.ndarray, strata: np.ndarray) -> pa.Table:
    arm = np.where(choice < 0, 2, np.where(control, 1, 0)).astype(np.int8)
    channel = pa.array(choice, mask=choice < 0, type=pa.int8())
    return pa.table(
        {
            "ordinal": pa.array(plan.members, pa.uint32()),
            "arm": pa.DictionaryArray.from_arrays(pa.array(arm), pa.array(ARMS)).cast(pa.string()),
            "stratum": pa.array(strata, pa.int32()),
            "channel": pa.DictionaryArray.from_arrays(channel, pa.array(plan.channels)).cast(pa.string()),
            "reasons": reasons_of(plan),
        }
    )


def _publish(table: pa.Table, key: str, *, as_of: date, now: datetime, made_of: list[str]) -> None:
    with runtime().store.writing(now=now) as draft:
        path, relative = draft.new_file("audiences", key)
        pq.write_table(table, path, compression="zstd")
        draft.manifest.audiences[key] = AudienceState(file=relative, as_of=as_of, size=table.num_rows, made_of=made_of)


def pins_of(
    found: Definitions, gate_version: str, as_of: date, *, scope: tuple[str, list[str]] | None
) -> dict[str, Any]:
    """Return what an audience is made of: versions, tags as computed, files, and the scope it was frozen in."""
    assert found.segment is not None
    manifest, chosen = engine().manifest, [found.segment, *found.exclude.values()]
    tags = {name for segment in chosen for name in tags_within(segment, found.segments)}
    rules = [understand(segment, tags=catalogue(), segments=found.segments) for segment in chosen]
    tables = {name for rule in rules for name in tables_in(rule)} | ({"customer"} if scope else set())
    day = manifest.dates[as_of.isoformat()]
    return {
        "definitions": found.pins,
        "tags": {name: day.tags[name].fingerprint for name in sorted(tags) if name in day.tags},
        "gate": gate_version,
        "store": manifest.version,
        "tables": {name: str(state.loaded_at) for name, state in manifest.tables.items() if state.loaded_at},
        "scope": list(scope) if scope else None,
        "exclude": sorted(found.exclude),
        "files": {
            "population": day.population,
            "tags": {name: day.tags[name].file for name in sorted(tags) if name in day.tags},
            "changes": {n: day.tags[n].changes for n in sorted(tags) if n in day.tags and day.tags[n].changes},
            "lists": {n: manifest.lists[n].file for n in found.pins.get("list", {}) if n in manifest.lists},
            "tables": {n: manifest.tables[n].files for n in sorted(tables) if n in manifest.tables},
        },
    }


def kept_files(files: dict[str, Any]) -> list[str]:
    """Return which pinned files are kept with the audience: the date's columns and lists. Tables would be too large."""
    changes = {file for changed in files.get("changes", {}).values() for file in changed}
    return sorted({files["population"], *files["tags"].values(), *changes, *files["lists"].values()})


def _must_be_computed_so(found: Definitions, as_of: date) -> None:
    """Refuse values that another version of a tag gave than the one that was approved."""
    day = engine().manifest.dates.get(as_of.isoformat())
    for name, fingerprint in found.pins.get("tag", {}).items():
        state = day.tags.get(name) if day else None
        if state is not None and state.fingerprint != fingerprint:
            raise NotApproved(
                f"The values of the tag {name!r} on {as_of} are of another version than was approved.",
                hint=f"Refresh the tags: `kequn tag refresh --as-of {as_of}`.", kind="tag", name=name,
            )  # fmt: skip
