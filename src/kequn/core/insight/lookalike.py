"""Look-alikes (相似扩展): whom of the bank is most like some seeds, and what an expansion to n customers is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from kequn.core.engine.duck import Engine
from kequn.core.errors import InvalidSpec, NotMeasurable, Where
from kequn.core.insight.features import (
    Floats,
    Matrix,
    Space,
    all_rows,
    blocks,
    check_usable,
    everybody,
    fitted,
    matrix,
    ordinals_on,
    rows_of,
)
from kequn.core.spec.tag import TagSpec
from kequn.core.stats.intervals import proportion_interval

Progress = Callable[[int, int | None, str], None]
Ordinals = npt.NDArray[np.uint32]

FEWEST_SEEDS = 100
MOST_SEEDS = 20_000
OTHERS = 50_000
HELD_OUT = 0.3
TELLTALE = 0.9
"""A tag that alone tells seeds from others so well (area under the curve) is likely part of how the seeds were chosen."""
FOLDS = 5
STRENGTH = 0.5
SIZES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Expansions shown, as shares of the customers who are not seeds of the fit."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A fitted model: the log-odds of being a seed, linear in the columns of the space."""

    space: Space
    weights: tuple[float, ...]
    intercept: float
    """With the calibration and the bank's share of seeds in it."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"space": self.space.as_json(), "weights": list(self.weights), "intercept": self.intercept}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Likeness:
        """Return what `as_json` gave."""
        return cls(Space.from_json(kept["space"]), tuple(kept["weights"]), kept["intercept"])


@dataclass(frozen=True, slots=True)
class Expansion:
    """The ``n`` most alike customers, measured on seeds that the model has not seen. Intervals are of 95%."""

    n: int
    found: int
    """Held-out seeds among them."""
    recall: float
    recall_low: float
    recall_high: float
    lift: float
    """Recall ÷ the share of the bank that is taken: 1 is what drawing by lot finds."""
    lift_low: float
    lift_high: float
    precision: float
    """Estimated share of the ``n`` who are seeds or would have been: found ÷ share held out ÷ n. Those who are like the
    seeds without ever having been one are not counted, so for likeness it is a lower limit."""
    precision_low: float
    precision_high: float


@dataclass(frozen=True, slots=True)
class Telling:
    """One tag's part in the model."""

    tag: str
    alone: float
    """Area under the curve (0.5 tells nothing) of the tag by itself, on held-out rows."""
    weight: float
    """Standard deviation of its part of the log-odds over the customers."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """What a look-alike model came to."""

    likeness: Likeness
    curve: tuple[Expansion, ...]
    seeds: int
    used_seeds: int
    """Of the seeds, those the model was fitted on or measured on; the others are too many to matter."""
    held_out: int
    customers: int
    auc: float
    """Chance that a held-out seed is more alike than a customer who is no seed."""
    observed_to_predicted: float
    """Held-out seeds ÷ how many the probabilities say there should be: 1 is calibrated, outside 0.8–1.25 is not."""
    telling: tuple[Telling, ...]
    telltales: tuple[str, ...]
    """Tags that alone tell nearly all: part of the definition of the seeds, perhaps under another name."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON, without the model."""
        found = asdict(self)
        found.pop("likeness")
        return found


def look_alike(
    engine: Engine,
    tags: Mapping[str, TagSpec],
    names: Sequence[str],
    seeds: npt.NDArray[Any],
    *,
    as_of: date,
    seed: int = 0,
    progress: Progress | None = None,
) -> LookAlike:
    """Fit who is like the seeds and measure it on seeds held out.

    A logistic regression on the columns of `features`; the customers compared with are drawn from those who are no seeds.
    It is calibrated by Platt's method on out-of-fold predictions and shifted to the bank's share of seeds. ``names``
    leaves out the tags by which the seeds were chosen: the caller knows them, and with them the model only repeats the
    rule.

    Raises:
        NotMeasurable: fewer than 100 seeds, or nobody else to compare with.
        UnknownTag, InvalidSpec: a tag that is not there, or that no model may use.
        NoData: no tags on that date.
    """
    check_usable(names, tags)
    bank = everybody(engine, as_of)
    known = np.intersect1d(seeds.astype(np.uint32), bank)
    _enough(len(known), len(bank))
    rng = np.random.default_rng(seed)
    used = np.sort(rng.permutation(known)[:MOST_SEEDS])
    rest = np.setdiff1d(bank, known, assume_unique=True)
    others = np.sort(rng.permutation(rest)[:OTHERS])
    _tell(progress, 0, "read")
    rows = rows_of(engine, names, np.union1d(used, others), as_of=as_of)
    who = rows.column("ordinal").to_numpy()
    is_seed = np.isin(who, used, assume_unique=True)
    is_held = rng.random(len(who)) < HELD_OUT
    space = fitted(rows.filter(~is_held), tags, names)
    if not space.features:
        raise InvalidSpec("None of the tags says anything.", hint="Choose other tags.", where=Where(field="tags"))
    values = matrix(space, rows).astype(np.float64)
    _tell(progress, 1, "fit")
    share = len(known) / len(bank)
    # products of finite rows may leave a flag of an invalid operation behind, by lanes that the kernel only pads with
    with threadpool_limits(1), np.errstate(invalid="ignore"):
        likeness = _fitted(space, values[~is_held], is_seed[~is_held], share, seed)
        telling = _telling(likeness, values[is_held], is_seed[is_held])
    _tell(progress, 2, "score")
    scores = scores_of_all(engine, likeness, as_of=as_of)
    return _measured(likeness, scores, known, used, who[is_seed & is_held], telling, rng)


def scores_of_all(engine: Engine, likeness: Likeness, *, as_of: date) -> npt.NDArray[np.float32]:
    """Return by ordinal the probability of being a seed, NaN for who is no customer; one pass, four bytes a customer."""
    scores = np.full(ordinals_on(engine, as_of), np.nan, dtype=np.float32)
    for batch in all_rows(engine, likeness.space.tags, as_of=as_of):
        scores[batch.column("ordinal").to_numpy()] = expit(_odds(likeness, matrix(likeness.space, batch)))
    return scores


def most_alike(scores: npt.NDArray[np.float32], n: int, *, without: npt.NDArray[Any], seed: int) -> Ordinals:
    """Return the ordinals of the ``n`` most alike customers, sorted, some left out (the seeds); equal scores by lot."""
    order = np.random.default_rng(seed).permutation(len(scores))
    ranked = scores[order].astype(np.float64)
    ranked[np.isnan(ranked) | np.isin(order, without)] = -1.0
    n = min(n, int((ranked >= 0).sum()))
    chosen = np.argsort(-ranked, kind="stable")[:n]
    return np.sort(order[chosen]).astype(np.uint32)


def _enough(seeds: int, bank: int) -> None:
    if seeds < FEWEST_SEEDS:
        raise NotMeasurable(
            f"{seeds} seeds are too few to learn from.",
            hint=f"At least {FEWEST_SEEDS} customers are needed.",
            seeds=seeds,
        )
    if bank - seeds < FEWEST_SEEDS:
        raise NotMeasurable("Nearly everybody is a seed: there is nobody to compare with.", hint="Narrow the seeds.")


def _fitted(space: Space, rows: Floats, is_seed: npt.NDArray[np.bool_], share: float, seed: int) -> Likeness:
    model = LogisticRegression(C=STRENGTH, max_iter=500)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    outside = cross_val_predict(model, rows, is_seed, cv=folds, method="decision_function")
    platt = LogisticRegression(C=1e6).fit(outside[:, None], is_seed)
    slope, shift = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    model.fit(rows, is_seed)
    bank_odds = logit(share) - logit(float(is_seed.mean()))
    intercept = slope * float(model.intercept_[0]) + shift + bank_odds
    return Likeness(space, tuple(round(float(w * slope), 6) for w in model.coef_[0]), round(float(intercept), 6))


def _odds(likeness: Likeness, rows: Matrix) -> Floats:
    return np.asarray(rows.astype(np.float64) @ np.array(likeness.weights) + likeness.intercept)


def _telling(likeness: Likeness, rows: Floats, is_seed: npt.NDArray[np.bool_]) -> tuple[Telling, ...]:
    weights = np.array(likeness.weights)
    found = []
    for feature, block in zip(likeness.space.features, blocks(likeness.space), strict=True):
        part = rows[:, block]
        alone = LogisticRegression(max_iter=200).fit(part, is_seed).decision_function(part)
        found.append(Telling(feature.tag, _auc(alone, is_seed), float((part @ weights[block]).std())))
    return tuple(sorted(found, key=lambda t: -t.weight))


def _auc(scores: npt.NDArray[Any], is_seed: npt.NDArray[np.bool_]) -> float:
    """Mann-Whitney: ties count half."""
    ranks = rankdata(scores)
    n, m = int(is_seed.sum()), int((~is_seed).sum())
    return float((ranks[is_seed].sum() - n * (n + 1) / 2) / (n * m))


def _measured(
    likeness: Likeness,
    scores: npt.NDArray[np.float32],
    seeds: Ordinals,
    used: Ordinals,
    held: Ordinals,
    telling: tuple[Telling, ...],
    rng: np.random.Generator,
) -> LookAlike:
    """The curve over all customers but the seeds that the model was fitted on or that were not drawn."""
    counted = ~np.isnan(scores)
    counted[np.setdiff1d(seeds, held)] = False
    ordinals = rng.permutation(np.flatnonzero(counted))
    order = ordinals[np.argsort(-scores[ordinals], kind="stable")]
    hits = np.cumsum(np.isin(order, held))
    share_held = len(held) / len(seeds)
    sizes = sorted({max(1, round(s * len(order))) for s in SIZES} | {min(len(seeds), len(order))})
    curve = tuple(_expansion(n, int(hits[n - 1]), len(held), len(order), share_held) for n in sizes)
    is_held = np.isin(order, held)
    chance = scores[order].astype(np.float64)  # of being a seed; of being one that was held out it is less
    predicted = float((chance * share_held / (chance * share_held + 1 - chance)).sum())
    return LookAlike(
        likeness,
        curve,
        len(seeds),
        len(used),
        len(held),
        int((~np.isnan(scores)).sum()),
        _auc(scores[order], is_held),
        len(held) / predicted if predicted else 0.0,
        telling,
        tuple(t.tag for t in telling if t.alone >= TELLTALE),
    )


def _expansion(n: int, found: int, held: int, customers: int, share_held: float) -> Expansion:
    recall = proportion_interval(found, held)
    taken, seeds = n / customers, held / share_held
    return Expansion(
        n=n,
        found=found,
        recall=recall.point,
        recall_low=recall.low,
        recall_high=recall.high,
        lift=recall.point / taken,
        lift_low=recall.low / taken,
        lift_high=recall.high / taken,
        precision=min(1.0, recall.point * seeds / n),
        precision_low=min(1.0, recall.low * seeds / n),
        precision_high=min(1.0, recall.high * seeds / n),
    )


def _tell(progress: Progress | None, done: int, what: str) -> None:
    if progress is not None:
        progress(done, 3, what)
