"""The searches themselves: from a request and the bank in sight to what pages show and what customers are assigned by.

Imported by the jobs alone: the learning library takes a second to load, and no page needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from kequn.core.engine.duck import Engine
from kequn.core.insight.clusters import NOBODY, Clusters, Search, assign_all, assigned, discover
from kequn.core.insight.features import all_rows, matrix, ordinals_on, plain, unusable
from kequn.core.insight.lookalike import Likeness, LookAlike, look_alike, most_alike, scores_of_all
from kequn.core.insight.matching import in_common, match_groups, renamed
from kequn.core.insight.naming import name_of, telling_values
from kequn.core.insight.profile import profile
from kequn.core.insight.surrogate import Surrogate, explained, grouped, tree_from, tree_json
from kequn.core.spec.discovery import ClusterSearch, LookAlikeSearch
from kequn.core.spec.segment import Condition
from kequn.core.spec.tag import TagSpec

Progress = Callable[[int, int | None, str], None]
Found = tuple[dict[str, Any], dict[str, Any] | None]
"""What is shown, and what customers are assigned by (``None`` where nothing was found)."""
Before = tuple[int, tuple[str, ...], str]
"""The discovery in force under the same name: its number, its codes, and the date it last assigned customers for."""
TOLD = 6
_condition: TypeAdapter[Any] = TypeAdapter(Condition)


def found_clusters(
    bank: Engine,
    search: ClusterSearch,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, npt.NDArray[Any]],
    as_of: date,
    before: Before | None,
    progress: Progress,
) -> Found:
    """Look for clusters, and say of each what it is: rule, telling values, segments like it, which one it continues.

    Args:
        segments: name -> ordinals of the members of the segments to compare with.
    """
    answer, sample = discover(
        bank,
        tags,
        search.tags,
        as_of=as_of,
        ks=range(search.fewest, search.most + 1),
        rows=search.rows,
        seed=search.seed,
        progress=progress,
    )
    shown = {
        "finding": answer.finding,
        "rows": answer.rows,
        "curve": answer.curve_json(),
        "features": [{"tag": f.tag, "kind": f.kind, "known": f.known} for f in answer.space.features],
        "left_out": answer.space.left_out,
    }
    if answer.clusters is None:
        return shown, None
    return _described(bank, answer, sample, search, tags, segments, as_of, before, shown, progress)


def _described(
    bank: Engine,
    answer: Search,
    sample: pa.Table,
    search: ClusterSearch,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, npt.NDArray[Any]],
    as_of: date,
    before: Before | None,
    shown: dict[str, Any],
    progress: Progress,
) -> Found:
    clusters, point = answer.clusters, answer.point
    assert clusters is not None
    assert point is not None
    k = len(clusters.centres)
    labels, _ = assigned(clusters, matrix(clusters.space, sample))
    rules = explained(sample, clusters.space, labels, tags=tags, k=k, seed=search.seed)
    whole = assign_all(bank, clusters, as_of=as_of, progress=progress)
    codes, continued = _continued(bank, clusters.codes, whole.labels, before)
    common = in_common(whole.labels, segments, k=k, most=len(segments) or 1)
    told: list[dict[str, Any]] = []
    for i, code in enumerate(codes):
        progress(i, k, "describe")
        who = np.flatnonzero(whole.labels == i).astype(np.uint32)
        told.append(_cluster(bank, who, i, code, rules, tags, as_of, taken=[c["title"]["zh"] for c in told]))
        told[-1] |= {
            "share": whole.sizes[i] / max(sum(whole.sizes), 1),
            "confidence": float(whole.confidence[who].mean()) if len(who) else None,
            "common": [asdict(c) for c in common[i][:3]],
        }
    best = {c.segment: (codes[i], c) for i in reversed(range(k)) for c in reversed(common[i])}
    for i in range(k):
        for c in common[i]:
            if c.jaccard > best[c.segment][1].jaccard:
                best[c.segment] = (codes[i], c)
    shown |= {
        "k": k,
        "clusters": told,
        "stability": point.stability,
        "silhouette": point.silhouette,
        "reference": point.reference,
        "depth": rules.depth,
        "fidelity": rules.fidelity,
        "is_faithful": rules.is_faithful,
        "segments": [{"name": n, "code": code, **asdict(c)} for n, (code, c) in sorted(best.items())],
        "continued": continued,
        "customers": sum(whole.sizes),
    }
    return shown, {"clusters": clusters.as_json(), "codes": list(codes), "tree": tree_json(rules.tree)}


def _cluster(
    bank: Engine,
    who: npt.NDArray[np.uint32],
    i: int,
    code: str,
    rules: Surrogate,
    tags: Mapping[str, TagSpec],
    as_of: date,
    *,
    taken: Collection[str],
) -> dict[str, Any]:
    """One cluster's card; its profile is over every tag that may choose customers."""
    telling = [n for n, spec in tags.items() if unusable(spec) is None]
    seen = profile(bank, who, tags=tags, as_of=as_of, only=telling)
    return {
        "code": code,
        "size": len(who),
        "title": name_of(seen, taken=taken).model_dump(),
        "telling": [asdict(d) for d in telling_values(seen, most=TOLD)],
        "rule": _condition.dump_python(rules.rules[i], mode="json", by_alias=True, exclude_defaults=True),
        "has_rule": rules.quality[i].precision is not None,
        "precision": rules.quality[i].precision,
        "recall": rules.quality[i].recall,
    }


def _continued(
    bank: Engine, codes: tuple[str, ...], labels: npt.NDArray[np.uint8], before: Before | None
) -> tuple[tuple[str, ...], dict[str, Any] | None]:
    """Codes carried over from the discovery before, and who moved."""
    if before is None:
        return codes, None
    discovery, old_codes, file = before
    column = pq.read_table(bank.store.path(file)).column("value")
    index = pa.compute.index_in(column, value_set=pa.array(old_codes, pa.string())).fill_null(NOBODY)
    old = np.full(len(labels), NOBODY, dtype=np.uint8)
    known = index.to_numpy().astype(np.uint8)[: len(labels)]
    old[: len(known)] = known
    matching = match_groups(old, labels, n_old=len(old_codes), n_new=len(codes))
    named = renamed(codes, old_codes, matching)
    return named, {
        "discovery": discovery,
        "old_codes": list(old_codes),
        "new_codes": list(named),
        "agreement": matching.agreement,
        "migration": [list(row) for row in matching.migration],
        "pairs": [asdict(p) for p in matching.pairs],
    }


def values_for(
    bank: Engine, model: Mapping[str, Any], *, as_of: date, basis: str, progress: Progress
) -> tuple[pa.Array, pa.Array]:
    """Return by ordinal the code of each customer's cluster and the confidence, by the centres or by the rules."""
    clusters, codes = Clusters.from_json(model["clusters"]), list(model["codes"])
    if basis == "centres":
        whole = assign_all(bank, clusters, as_of=as_of, progress=progress)
        labels, confidence = whole.labels, whole.confidence
    else:
        labels, confidence = _by_rules(bank, clusters, model, as_of, progress)
    nobody = labels == NOBODY
    words = pa.array(codes, pa.string()).take(pa.array(np.where(nobody, 0, labels), pa.int32(), mask=nobody))
    return words, pa.array(confidence.astype(np.float64), pa.float64(), mask=nobody)


def _by_rules(
    bank: Engine, clusters: Clusters, model: Mapping[str, Any], as_of: date, progress: Progress
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    size, tree, done = ordinals_on(bank, as_of), tree_from(model["tree"]), 0
    labels, confidence = np.full(size, NOBODY, dtype=np.uint8), np.full(size, np.nan, dtype=np.float32)
    for batch in all_rows(bank, clusters.space.tags, as_of=as_of):
        who = batch.column("ordinal").to_numpy()
        labels[who], confidence[who] = grouped(tree, plain(clusters.space, batch))
        done += len(who)
        progress(done, size, "assign")
    return labels, confidence


def found_alike(
    bank: Engine,
    search: LookAlikeSearch,
    seeds: npt.NDArray[Any],
    *,
    tags: Mapping[str, TagSpec],
    excluded: Collection[str],
    as_of: date,
    progress: Progress,
) -> Found:
    """Fit who is like the seeds. ``excluded`` are the tags by which the seeds were chosen, and what is made of them."""
    names = [n for n in search.tags if n not in excluded]
    found: LookAlike = look_alike(bank, tags, names, seeds, as_of=as_of, seed=search.seed, progress=progress)
    shown = {
        "finding": "found",
        **found.as_json(),
        "excluded": sorted(set(search.tags) & set(excluded)),
        "left_out": found.likeness.space.left_out,
    }
    return shown, found.likeness.as_json()


def alike(
    bank: Engine, model: Mapping[str, Any], n: int, *, without: npt.NDArray[Any], as_of: date, seed: int
) -> npt.NDArray[np.uint32]:
    """Return the ordinals of the ``n`` customers most like the seeds, the seeds left out."""
    return most_alike(scores_of_all(bank, Likeness.from_json(model), as_of=as_of), n, without=without, seed=seed)
