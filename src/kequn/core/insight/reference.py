"""A bank without groups to compare with: every tag keeps its values, and every two tags how they go together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from kequn.core.insight.features import Floats, Matrix

ROUNDS = 4
MOST = 0.995


def one_cloud(rows: Matrix, blocks: Sequence[slice], rng: np.random.Generator) -> Matrix:
    """Return rows drawn from a single cloud that looks like ``rows`` tag by tag and pair by pair.

    A Gaussian copula: correlated normal scores are drawn, and the customer of rank r in a tag's score gets the value of
    rank r that the tag really has. So each tag keeps its distribution to the last value, with its heaps and tails, and
    each two tags their rank correlation, but nothing of higher order: no groups. It is the null of SigClust (Liu et
    al. 2008, JASA 103:1281) with the marginals of the data in place of normal ones.

    Args:
        rows: (customers, columns), as `features.matrix` gives them.
        blocks: the columns of each tag; they move together.
    """
    scores = _scores(rows, blocks)
    wanted = _correlation(_ranked(scores))
    latent = _latent(scores, wanted, rng)
    drawn = rng.standard_normal(scores.shape) @ _root(latent).T
    made = np.empty_like(rows)
    for i, block in enumerate(blocks):
        made[:, block] = rows[np.argsort(scores[:, i], kind="stable")[_rank(drawn[:, i])], block]
    return made


def _scores(rows: Matrix, blocks: Sequence[slice]) -> Floats:
    """One number a tag and customer to order its values by: the column itself, or what best tells the main direction of
    the other tags from the columns of a code."""
    found = np.empty((len(rows), len(blocks)))
    for i, block in enumerate(blocks):
        part = rows[:, block].astype(np.float64)
        if part.shape[1] == 1:
            found[:, i] = part[:, 0]
            continue
        others = np.delete(rows, np.arange(block.start, block.stop), axis=1).astype(np.float64)
        target = _main_direction(others) if others.shape[1] else part[:, 0]
        centred = part - part.mean(axis=0)
        found[:, i] = centred @ np.linalg.lstsq(centred, target, rcond=None)[0]
    return found


def _main_direction(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    _values, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ vectors[:, -1])


def _latent(scores: Floats, wanted: Floats, rng: np.random.Generator) -> Floats:
    """The correlation of normals that gives the wanted one between the tags: ties weaken it, so it is stepped up."""
    latent = wanted.copy()
    noise = rng.standard_normal(scores.shape)
    ordered = np.sort(scores, axis=0)
    for _ in range(ROUNDS):
        drawn = noise @ _root(latent).T
        values = np.take_along_axis(ordered, np.argsort(np.argsort(drawn, axis=0), axis=0), axis=0)
        latent = np.clip(latent + wanted - _correlation(_ranked(values)), -MOST, MOST)
        np.fill_diagonal(latent, 1.0)
    return latent


def _ranked(scores: Floats) -> Floats:
    """Normal scores of middle ranks; tied customers share theirs."""
    found = np.empty_like(scores)
    for i in range(scores.shape[1]):
        _, code, counts = np.unique(scores[:, i], return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - counts / 2
        found[:, i] = ndtri(middle / len(scores))[code]
    return found


def _correlation(scores: Floats) -> Floats:
    spread = scores.std(axis=0)
    centred = (scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.asarray(centred.T @ centred / len(scores))


def _root(correlation: Floats) -> Floats:
    """A root of the nearest correlation that is one: stepping may have left the cone."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 1e-9))
    return np.asarray(root / np.linalg.norm(root, axis=1, keepdims=True))


def _rank(values: Floats) -> npt.NDArray[np.int64]:
    return np.asarray(np.argsort(np.argsort(values, kind="stable"), kind="stable"))
