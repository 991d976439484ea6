"""Groups found in the tags (聚类群): how many there are, how surely, and which customer is in which; "none" is an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from kequn.core.engine.duck import Engine
from kequn.core.errors import InvalidSpec, Where
from kequn.core.insight.features import (
    Floats,
    Matrix,
    Space,
    all_rows,
    blocks,
    check_usable,
    fitted,
    matrix,
    ordinals_on,
    sampled,
)
from kequn.core.insight.reference import one_cloud
from kequn.core.spec.tag import TagSpec

Progress = Callable[[int, int | None, str], None]
Labels = npt.NDArray[np.uint8]
Finding = Literal["found", "no_structure", "unstable", "too_small"]

STABLE = 0.85
"""Adjusted Rand between refits to bootstrap samples from which on a number of clusters can be used."""
NEAR_BEST = 0.05
SMALLEST = 0.01
CLEARER = 0.02
CLEARER_SD = 4.0
"""The silhouette must exceed that of the same search in one cloud by both: an amount that matters, and that is no chance."""
MOST_ROWS = 50_000
FEWEST_ROWS = 300
NOBODY = 255
PLACES = 6


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work goes into choosing the number of clusters."""

    rows: int = 5_000
    """Of the sample, for the curve; the clusters themselves are fitted on all of it."""
    silhouette_rows: int = 2_500
    bootstraps: int = 8
    references: int = 5
    starts: int = 10
    """Of the fit on the whole sample."""
    refit_starts: int = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One number of clusters on the curve."""

    k: int
    stability: float
    """Mean adjusted Rand (1 is equality, 0 is chance) of each two refits to bootstrap samples."""
    stability_low: float
    """The worst of the pairs."""
    silhouette: float
    reference: float
    """Mean silhouette of the same search in banks without groups (`reference.one_cloud`)."""
    reference_sd: float
    smallest: float
    """Share of the smallest cluster."""
    is_stable: bool
    is_clear: bool
    """Clearer than the reference, by `CLEARER` and by `CLEARER_SD` standard deviations."""
    is_near_best: bool
    is_large_enough: bool

    @property
    def is_shortlisted(self) -> bool:
        """Whether this number may be used."""
        return self.is_stable and self.is_clear and self.is_near_best and self.is_large_enough


@dataclass(frozen=True, slots=True)
class Clusters:
    """A fitted clustering: the space and one centre a cluster; clusters are numbered by size, ``c1`` the largest."""

    space: Space
    centres: tuple[tuple[float, ...], ...]
    seed: int

    @property
    def codes(self) -> tuple[str, ...]:
        """The clusters' codes."""
        return tuple(f"c{i + 1}" for i in range(len(self.centres)))

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"space": self.space.as_json(), "centres": [list(c) for c in self.centres], "seed": self.seed}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Clusters:
        """Return what `as_json` gave."""
        return cls(Space.from_json(kept["space"]), tuple(tuple(c) for c in kept["centres"]), kept["seed"])


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for clusters came to: the whole curve, and the clusters where there are any."""

    finding: Finding
    curve: tuple[Point, ...]
    clusters: Clusters | None
    space: Space
    rows: int
    """Customers of the sample."""

    @property
    def point(self) -> Point | None:
        """The point of the number that was chosen."""
        k = len(self.clusters.centres) if self.clusters else None
        return next((p for p in self.curve if p.k == k), None)

    def curve_json(self) -> list[dict[str, Any]]:
        """Return the curve for JSON."""
        return [{**asdict(p), "is_shortlisted": p.is_shortlisted} for p in self.curve]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Every customer's cluster on a date, by ordinal; `NOBODY` for who is no customer then."""

    labels: Labels
    confidence: npt.NDArray[np.float32]
    """(b - a) / b with a the distance to the own centre and b to the next: 0 on the border, near 1 at the centre. Its mean
    is the simplified silhouette. NaN for nobody."""
    sizes: tuple[int, ...]


def discover(
    engine: Engine,
    tags: Mapping[str, TagSpec],
    names: Sequence[str],
    *,
    as_of: date,
    ks: Sequence[int],
    rows: int = MOST_ROWS,
    seed: int = 0,
    effort: Effort | None = None,
    progress: Progress | None = None,
) -> tuple[Search, pa.Table]:
    """Look for clusters in a sample of the bank; return what was found and the sample.

    Raises:
        UnknownTag, InvalidSpec: a tag that is not there, or that no model may use; fewer than two tags; too few rows.
        NoData: no tags on that date.
    """
    check_usable(names, tags)
    sample, _customers = sampled(engine, names, as_of=as_of, rows=min(rows, MOST_ROWS), seed=seed)
    return find_clusters(sample, tags, names, ks=ks, seed=seed, effort=effort, progress=progress), sample


def find_clusters(
    sample: pa.Table,
    tags: Mapping[str, TagSpec],
    names: Sequence[str],
    *,
    ks: Sequence[int],
    seed: int,
    effort: Effort | None = None,
    progress: Progress | None = None,
) -> Search:
    """Look for clusters in rows of tags. The same rows, tags, numbers and seed give the same clusters.

    No one criterion is right, so a number of clusters is shortlisted when refits agree (`STABLE`), its silhouette is
    within `NEAR_BEST` of the best, every cluster holds at least `SMALLEST` of the customers, and the silhouette is
    clearly above that of the same search in a bank without groups: a long single cloud is cut in two very stably, and
    the cut means nothing. The finest of the shortlist is taken, since it says most.
    """
    _check_rows(sample.num_rows)
    space = fitted(sample, tags, names)
    if len(space.features) < 2:
        raise InvalidSpec(
            "Fewer than two of the tags say anything.", hint="Choose more tags.", where=Where(field="tags")
        )
    how, rng = effort or Effort(), np.random.default_rng(seed)
    rows = matrix(space, sample)
    pool = rows[rng.permutation(len(rows))[: how.rows]]
    with threadpool_limits(1):  # sums in another order would be other clusters on another machine
        clouds = [one_cloud(pool, blocks(space), rng) for _ in range(how.references)]
        measured = []
        for done, k in enumerate(sorted(set(ks))):
            if progress is not None:
                progress(done, len(set(ks)) + 1, f"k = {k}")
            measured.append(_measured(pool, clouds, k, how, seed))
        curve = _judged(measured)
        if progress is not None:
            progress(len(curve), len(curve) + 1, "fit")
        listed = [p.k for p in curve if p.is_shortlisted]
        clusters = _fit(rows, space, max(listed), how, seed) if listed else None
    return Search("found" if clusters else _why_none(curve), curve, clusters, space, len(rows))


def assigned(clusters: Clusters, rows: Matrix) -> tuple[Labels, npt.NDArray[np.float32]]:
    """Return of each row of the matrix the number of its cluster (from 0) and the confidence."""
    distance = _distances(rows, np.array(clusters.centres, dtype=np.float32))
    labels = distance.argmin(axis=1).astype(np.uint8)
    nearest = np.partition(distance, 1, axis=1)[:, :2]
    confidence = 1 - nearest[:, 0] / np.maximum(nearest[:, 1], 1e-9)
    return labels, confidence.astype(np.float32)


def assign_all(engine: Engine, clusters: Clusters, *, as_of: date, progress: Progress | None = None) -> Assignment:
    """Return every customer's cluster on a date, in one pass over the tags whose memory does not grow with the bank but
    for five bytes a customer.

    Raises:
        NoData, UnknownTag: a tag of the space was not computed for that date.
    """
    size = ordinals_on(engine, as_of)
    labels = np.full(size, NOBODY, dtype=np.uint8)
    confidence = np.full(size, np.nan, dtype=np.float32)
    done = 0
    for batch in all_rows(engine, clusters.space.tags, as_of=as_of):
        who = batch.column("ordinal").to_numpy()
        labels[who], confidence[who] = assigned(clusters, matrix(clusters.space, batch))
        done += len(who)
        if progress is not None:
            progress(done, size, "assign")
    sizes = np.bincount(labels[labels != NOBODY], minlength=len(clusters.centres))
    return Assignment(labels, confidence, tuple(int(n) for n in sizes))


def _check_rows(rows: int) -> None:
    if rows < FEWEST_ROWS:
        raise InvalidSpec(
            f"{rows} customers are too few to look for clusters.", hint=f"At least {FEWEST_ROWS} are needed.", rows=rows
        )


def _fit(rows: Matrix, space: Space, k: int, how: Effort, seed: int) -> Clusters:
    """The best of several starts; one start alone ends in a poor optimum too often."""
    found = KMeans(k, n_init=how.starts, random_state=seed).fit(rows)
    order = np.argsort(-np.bincount(found.labels_, minlength=k), kind="stable")
    centres = np.round(found.cluster_centers_[order].astype(np.float64), PLACES)
    return Clusters(space, tuple(tuple(float(v) for v in c) for c in centres), seed)


def _measured(pool: Matrix, clouds: Iterable[Matrix], k: int, how: Effort, seed: int) -> Point:
    """Stability, silhouette and the reference of one number of clusters; what they mean is judged over the curve."""
    whole = _labels_of(pool, pool, k, how.refit_starts, seed)
    refits = [_refit(pool, k, how, seed + i + 1) for i in range(how.bootstraps)]
    pairs = [adjusted_rand_score(one, other) for one, other in combinations([whole, *refits], 2)]
    reference = [_silhouette(c, _labels_of(c, c, k, how.refit_starts, seed), how) for c in clouds]
    return Point(
        k=k,
        stability=float(np.mean(pairs)),
        stability_low=float(np.min(pairs)),
        silhouette=_silhouette(pool, whole, how),
        reference=float(np.mean(reference)),
        reference_sd=float(np.std(reference, ddof=1)),
        smallest=float(np.bincount(whole, minlength=k).min() / len(pool)),
        is_stable=False,
        is_clear=False,
        is_near_best=False,
        is_large_enough=False,
    )


def _judged(measured: Sequence[Point]) -> tuple[Point, ...]:
    best = max(p.silhouette for p in measured)
    return tuple(
        Point(
            p.k,
            p.stability,
            p.stability_low,
            p.silhouette,
            p.reference,
            p.reference_sd,
            p.smallest,
            is_stable=p.stability >= STABLE,
            is_clear=p.silhouette - p.reference >= max(CLEARER, CLEARER_SD * p.reference_sd),
            is_near_best=p.silhouette >= best - NEAR_BEST * abs(best),
            is_large_enough=p.smallest >= SMALLEST,
        )
        for p in measured
    )


def _why_none(curve: Sequence[Point]) -> Finding:
    near = [p for p in curve if p.is_near_best]
    if not any(p.is_clear for p in near):
        return "no_structure"
    return "too_small" if any(p.is_clear and p.is_stable for p in near) else "unstable"


def _refit(pool: Matrix, k: int, how: Effort, seed: int) -> Labels:
    drawn = np.random.default_rng([seed, k]).integers(0, len(pool), len(pool))
    return _labels_of(pool[drawn], pool, k, how.refit_starts, seed)


def _labels_of(fit_on: Matrix, rows: Matrix, k: int, starts: int, seed: int) -> Labels:
    return np.asarray(KMeans(k, n_init=starts, random_state=seed).fit(fit_on).predict(rows), dtype=np.uint8)


def _silhouette(rows: Matrix, labels: Labels, how: Effort) -> float:
    part = slice(0, how.silhouette_rows)
    return float(silhouette_score(rows[part], labels[part])) if len(np.unique(labels[part])) > 1 else 0.0


def _distances(rows: Matrix, centres: Matrix) -> Floats:
    """Euclidean, (rows, centres)."""
    squared = (rows**2).sum(axis=1)[:, None] - 2 * (rows @ centres.T) + (centres**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squared, 0)))
