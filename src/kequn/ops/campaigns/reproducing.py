"""Make a frozen audience again from what it pinned, and say whether it comes out the same and why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from kequn.core.engine.duck import Engine
from kequn.core.engine.store import DateState, ListState, Manifest, TagState
from kequn.core.errors import Conflict, KequnError
from kequn.core.measure import draw_holdout
from kequn.core.segments import members
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.queries import Ordinals, customer_ids, kept_on, pinned_segments, scope_sql
from kequn.ops.campaigns.contracts import Finding
from kequn.ops.campaigns.freezing import audience_table
from kequn.ops.campaigns.models import Audience
from kequn.ops.campaigns.planning import has_control
from kequn.ops.campaigns.queries import audience_of, campaign_named
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, runtime
from kequn.ops.tags.queries import catalogue

WORDS = {
    "tag_replaced": ("标签 {} 当时的数据已不在，用了现在的", "The values of {} of that day are gone; today's stand in"),
    "tag_changed": (
        "标签 {} 的定义后来改过，名单按当时的值计算",
        "The tag {} was changed since; its values of then are used",
    ),
    "rows_replaced": ("{} 的数据后来整表重新加载，用了现在的", "{} was loaded anew since; today's rows stand in"),
}


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A frozen audience beside the one that its pinned versions give today.

    The gate's decisions are not asked again: they belong to the moment of the freeze, and stand in the audience with their
    reasons. Members, strata as stored and the draw of the control group are made again.
    """

    campaign: str
    as_of: date
    frozen_at: datetime
    members: int
    """Customers in the frozen audience, those whom the gate blocked included."""
    again: int | None
    """Customers whom the pinned versions give; ``None`` where they cannot be computed."""
    gone: int
    """In the frozen audience, not found again."""
    added: int
    """Found now, not in the frozen audience."""
    arms_differ: int
    """Customers who would be drawn into another arm."""
    findings: tuple[Finding, ...]
    """What was not as it was then, and what follows from it."""

    @property
    def is_equal(self) -> bool:
        """Whether the audience comes out exactly as it was frozen."""
        return self.again is not None and not (self.gone or self.added or self.arms_differ)


def reproduce_audience(actor: Actor, name: str) -> Reproduction:
    """Compute the audience of a campaign once more from its pinned versions and data, and compare.

    Raises:
        NotAllowed: there is no such campaign in the actor's sight.
        Conflict: it was not frozen, or before its versions and files were pinned.
    """
    campaign = campaign_named(actor, name)
    audience = audience_of(campaign)
    if audience is None:
        raise Conflict(f"The audience of {name!r} is not frozen.", hint="Freeze it first.", campaign=name)
    if "files" not in audience.pins:
        raise Conflict("This audience was frozen before its files were pinned.", hint="It can be read, not made again.")
    findings: list[Finding] = []
    table = audience_table(audience.key)
    stored: Ordinals = table["ordinal"].to_numpy()
    again = _members(campaign.spec.segment, audience, findings)
    gone = added = 0
    if again is not None:
        gone, added = len(np.setdiff1d(stored, again)), len(np.setdiff1d(again, stored))
    if (gone or added) and not findings:
        zh, en = "定义和数据都未变，但名单不同", "Versions and data are the same, yet the members differ"
        findings.append(Finding("unexplained", "caution", zh, en))
    return Reproduction(
        campaign=name, as_of=audience.as_of, frozen_at=audience.frozen_at, members=len(stored),
        again=None if again is None else len(again), gone=gone, added=added,
        arms_differ=_arms_differ(campaign.spec, table, stored), findings=tuple(findings),
    )  # fmt: skip


def _members(segment: str, audience: Audience, findings: list[Finding]) -> Ordinals | None:
    pins = audience.pins
    specs = pinned_segments(pins["definitions"]["segment"])
    if missing := sorted(set(pins["definitions"]["segment"]) - set(specs)):
        names = ", ".join(missing)
        findings.append(
            Finding("version_gone", "block", f"当时的客群版本已不在：{names}", f"The version of {names} is gone")
        )
        return None
    bank = Engine(runtime().store, _manifest(audience, findings))
    try:
        scope = scope_sql((pins["scope"][0], list(pins["scope"][1])) if pins["scope"] else None, bank)
        narrowed = bank.within(scope) if scope else bank
        found = _found(narrowed, specs[segment], specs, audience.as_of)
        for other in pins["exclude"]:
            found = np.setdiff1d(found, _found(narrowed, specs[other], specs, audience.as_of))
        return found
    except KequnError as error:
        findings.append(Finding("cannot_compute", "block", f"无法再算：{error.message}", error.message))
        return None
    finally:
        bank.close()


def _found(bank: Engine, spec: SegmentSpec, specs: dict[str, SegmentSpec], as_of: date) -> Ordinals:
    return members(bank, spec, tags=catalogue(), segments=specs, as_of=as_of, past=kept_on)


def _manifest(audience: Audience, findings: list[Finding]) -> Manifest:
    """Today's manifest with the pinned files in the places of today's."""
    manifest = engine().manifest.model_copy(deep=True)
    files: dict[str, Any] = audience.pins["files"]
    key = audience.as_of.isoformat()
    today = manifest.dates.get(key)
    tags = {}
    for name, file in files["tags"].items():
        fingerprint = audience.pins["tags"][name]
        changes = files.get("changes", {}).get(name, [])
        if all(map(_is_there, [file, *changes])):
            tags[name] = TagState(
                file=file, changes=changes, fingerprint=fingerprint, known=0, computed_at=audience.frozen_at
            )
        elif today is not None and name in today.tags:
            tags[name] = today.tags[name]
            _say(findings, "tag_replaced", name)
        if name in catalogue() and catalogue()[name].fingerprint() != fingerprint:
            _say(findings, "tag_changed", name)
    population = files["population"] if _is_there(files["population"]) or today is None else today.population
    manifest.dates[key] = DateState(population=population, customers=0, tags=tags)
    for name, file in files["lists"].items():
        if _is_there(file):
            manifest.lists[name] = ListState(file=file, matched=0, unmatched=0)
        else:
            manifest.lists.pop(name, None)
    for name, pinned in files["tables"].items():
        if all(map(_is_there, pinned)):
            manifest.tables[name].files = list(pinned)
        elif name in manifest.tables:
            _say(findings, "rows_replaced", name)
    return manifest


def _say(findings: list[Finding], code: str, name: str) -> None:
    zh, en = WORDS[code]
    findings.append(Finding(code, "caution", zh.format(name), en.format(name)))


def _is_there(file: str) -> bool:
    return runtime().store.path(file).is_file()


def _arms_differ(spec: Any, table: Any, stored: Ordinals) -> int:
    """Draw the control group again among those whom the gate let through then."""
    arms = np.array(table["arm"].to_pylist())
    passed = arms != "blocked"
    held = np.zeros(len(stored), dtype=bool)
    if has_control(spec) and passed.any():
        strata = table["stratum"].to_numpy()
        ids = customer_ids(stored[passed])
        held[passed] = draw_holdout(ids, strata[passed], rate=spec.holdout.rate, salt=spec.holdout.salt)
    return int((held != (arms == "control")).sum())
