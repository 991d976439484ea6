"""The control group: drawn by a stable salted hash, exactly as large as planned, alike in every stratum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kequn.core.stats import bucket, salted_hashes


def draw_holdout(
    ids: Sequence[str], strata: npt.NDArray[np.integer] | None = None, *, rate: float, salt: str
) -> npt.NDArray[np.bool_]:
    """Return who is held out (空白对照组): True for round(rate × n), of every stratum its share ± less than one.

    ``ids`` are unique and stable; ``strata`` are integer codes (``None``: one stratum). Within a stratum those with the
    smallest salted hash are held out. Where shares are not whole numbers the places that are left over go to strata by
    systematic sampling along a salted order, so that each customer has the same chance, also in the smallest stratum.
    The draw depends on ids, strata, rate and salt, never on the order of the rows.

    >>> draw_holdout(["A", "B", "C", "D"], rate=0.25, salt="spring").sum()
    np.int64(1)
    """
    if not 0 <= rate < 1:
        raise ValueError("the rate of a control group lies in [0, 1)")
    held = np.zeros(len(ids), dtype=bool)
    if not len(ids):
        return held
    codes = np.zeros(len(ids), dtype=np.int64) if strata is None else np.asarray(strata)
    hashes = salted_hashes(salt, ids)
    if len(np.unique(hashes)) != len(hashes):
        raise ValueError("the ids are not unique")
    labels, stratum, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    places = _places(labels, sizes, rate, salt)
    order = np.lexsort((hashes, stratum))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    held[order] = rank < np.repeat(places, sizes)
    return held


def _places(
    labels: npt.NDArray[np.integer], sizes: npt.NDArray[np.integer], rate: float, salt: str
) -> npt.NDArray[np.int64]:
    """Whole places by stratum: the floor of its share, one more where the running sum of the rests passes a mark."""
    share = sizes * rate
    whole: npt.NDArray[np.int64] = np.floor(share + 1e-9).astype(np.int64)
    rest = np.maximum(share - whole, 0.0)
    left = round(float(share.sum())) - int(whole.sum())
    if left <= 0:
        return whole
    chance, certain = _chances(rest, left)
    whole += certain
    keys = [str(label) for label in labels]
    order = np.argsort(salted_hashes(f"{salt}/strata", keys), kind="stable")
    start = float(bucket(f"{salt}/start", ["start"])[0])
    passed = np.floor(np.cumsum(chance[order]) + start + 1e-9)
    whole[order] += np.diff(passed, prepend=np.floor(start + 1e-9)).astype(np.int64)
    return whole


def _chances(rest: npt.NDArray[np.float64], left: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Chances in proportion to the rests that sum to the places left, none above 1; and who is certain of a place.

    The rests themselves sum to ``left`` only where rate × n is a whole number.
    """
    certain = np.zeros(len(rest), dtype=bool)
    while True:
        open_ = np.where(certain, 0.0, rest)
        chance = open_ * ((left - certain.sum()) / max(open_.sum(), 1e-300))
        reached = chance >= 1 - 1e-9
        if not reached.any():
            return chance, certain
        certain |= reached
