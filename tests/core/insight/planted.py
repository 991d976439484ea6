"""Banks whose groups are known: with planted groups, and with none in several disguises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from kequn.core.spec.tag import TagSpec
from tests.core.insight.bank import tag

Nothing = Literal["independent", "one_factor", "two_factors", "heaps", "heavy_tails"]
NOTHINGS: tuple[Nothing, ...] = ("independent", "one_factor", "two_factors", "heaps", "heavy_tails")
N_NUMBERS = 10
CODES = {"acct_class": 3, "chan_pref": 4, "txn_rfm": 5, "life_stage": 4}


@dataclass(frozen=True, slots=True)
class Bank:
    """Columns by tag, the tags, and the group of each customer (all 0 where there are none)."""

    tags: dict[str, TagSpec]
    columns: dict[str, Any]
    groups: np.ndarray[Any, Any]

    def table(self) -> pa.Table:
        """The columns with their ordinals."""
        return pa.table({"ordinal": pa.array(range(len(self.groups)), pa.uint32()), **self.columns})


def planted(customers: int, seed: int, *, groups: int = 8, apart: float = 2.2, unknown: float = 0.03) -> Bank:
    """Groups that differ in the level of money and in the mix of codes; amounts are log-normal within each."""
    rng = np.random.default_rng(seed)
    group = rng.choice(groups, customers, p=rng.dirichlet(np.full(groups, 6.0)) * 0.6 + 0.4 / groups)
    level = rng.normal(7, apart, (groups, N_NUMBERS))
    logs = level[group] + rng.normal(0, 0.9, (customers, N_NUMBERS))
    mixes = {name: rng.dirichlet(np.full(k, 0.35), groups) for name, k in CODES.items()}
    codes = {name: _drawn(rng, mixes[name][group]) for name in CODES}
    return _bank(rng, np.exp(np.clip(logs, 0, 19)), codes, group, unknown)


def nothing(kind: Nothing, customers: int, seed: int, *, unknown: float = 0.03) -> Bank:
    """One cloud of customers, however it is stretched, heaped or tailed."""
    rng = np.random.default_rng(seed)
    free = rng.normal(size=(customers, N_NUMBERS))
    factors = {"one_factor": 1, "two_factors": 2, "heaps": 1}.get(kind, 0)
    common = rng.normal(size=(customers, max(factors, 1)))
    weights = rng.uniform(0.5, 1.2, (max(factors, 1), N_NUMBERS)) * rng.choice([-1, 1], (max(factors, 1), N_NUMBERS))
    logs = 7 + 1.8 * (free + (common @ weights if factors else 0)) * (1.6 if kind == "heavy_tails" else 1)
    amounts = np.exp(np.clip(logs, 0, 19))
    if kind == "heaps":
        amounts[logs < 7 + rng.normal(0, 1, N_NUMBERS)] = 0
    lean = common[:, :1] if factors else np.zeros((customers, 1))
    codes = {}
    for name, k in CODES.items():
        score = rng.normal(0, 1, k) + 0.8 * lean * np.linspace(-1, 1, k)
        codes[name] = _drawn(rng, np.exp(score) / np.exp(score).sum(axis=1, keepdims=True))
    return _bank(rng, amounts, codes, np.zeros(customers, dtype=int), unknown)


def _bank(rng: Any, amounts: Any, codes: dict[str, Any], group: Any, unknown: float) -> Bank:
    tags: dict[str, TagSpec] = {}
    columns: dict[str, Any] = {}
    for i in range(amounts.shape[1]):
        name = f"asset_n{i}"
        tags[name] = tag(name, "money")
        fen = np.round(amounts[:, i] * 100).astype(np.int64)
        columns[name] = pa.array(fen, pa.int64(), mask=rng.random(len(fen)) < unknown)
    for name, values in codes.items():
        words = {f"v{c}": {"zh": f"值{c}", "en": f"v{c}"} for c in range(CODES[name])}
        tags[name] = tag(name, "text", values=words)
        columns[name] = pa.array([f"v{c}" for c in values], pa.string(), mask=rng.random(len(values)) < unknown)
    return Bank(tags, columns, group)


def _drawn(rng: Any, shares: Any) -> Any:
    """One code a row by its shares."""
    return (rng.random((len(shares), 1)) > np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1)
