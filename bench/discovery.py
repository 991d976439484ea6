"""Discovery: do planted groups come back, is a bank without any refused, what does it cost at the bank's size?

python bench/discovery.py --banks 10 --customers 1000000
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.core.insight.bank import AS_OF, open_store  # noqa: E402
from tests.core.insight.planted import NOTHINGS, nothing, planted  # noqa: E402

from kequn.core.insight.clusters import assign_all, assigned, discover, find_clusters  # noqa: E402
from kequn.core.insight.features import matrix  # noqa: E402
from kequn.core.insight.lookalike import look_alike, most_alike, scores_of_all  # noqa: E402
from kequn.core.insight.surrogate import explained  # noqa: E402

KS = range(2, 13)


@contextmanager
def cpu(times: dict[str, float], step: str) -> Iterator[None]:
    """Add the CPU seconds of a step, all threads."""
    start = time.process_time()
    yield
    times[step] = times.get(step, 0.0) + time.process_time() - start


def recovery(banks: int, rows: int) -> None:
    """Planted groups: adjusted Rand to the truth, and the fidelity of the rules."""
    print(f"\nplanted: 8 groups, {rows:,} customers, 10 amounts + 4 codes, k from 2 to 12")
    print("bank  found k  Rand   stability  silhouette  without  depth  fidelity  CPU s")
    rands, fidelities, right = [], [], 0
    for seed in range(banks):
        bank = planted(rows, seed)
        start = time.process_time()
        found = find_clusters(bank.table(), bank.tags, list(bank.tags), ks=KS, seed=seed)
        if found.clusters is None or found.point is None:
            print(f"{seed:4}  {found.finding}")
            continue
        labels, _ = assigned(found.clusters, matrix(found.space, bank.table()))
        k = len(found.clusters.centres)
        rules = explained(bank.table(), found.space, labels, tags=bank.tags, k=k, seed=seed)
        rands.append(adjusted_rand_score(bank.groups, labels))
        fidelities.append(rules.fidelity)
        right += k == 8
        p = found.point
        print(
            f"{seed:4}  {k:7}  {rands[-1]:.3f}  {p.stability:9.3f}  {p.silhouette:10.3f}  {p.reference:7.3f}  {rules.depth:5}"
            f"  {rules.fidelity:8.3f}  {time.process_time() - start:5.1f}"
        )
    print(
        f"found {len(rands)} of {banks}, k = 8 in {right}; Rand: least {min(rands):.3f}, median {np.median(rands):.3f};"
        f" fidelity: least {min(fidelities):.3f}, median {np.median(fidelities):.3f}"
    )


def refusals(banks: int, rows: int) -> None:
    """Banks without groups: how many are refused, and how near the nearest came."""
    print(f"\nno groups: {rows:,} customers; stability alone would have passed the last column")
    print("disguise      refused  most above the reference  stable at some k")
    for kind in NOTHINGS:
        refused = stable = 0
        nearest = -1.0
        for seed in range(banks):
            bank = nothing(kind, rows, seed)
            found = find_clusters(bank.table(), bank.tags, list(bank.tags), ks=KS, seed=seed)
            refused += found.clusters is None
            stable += any(p.is_stable for p in found.curve)
            nearest = max(nearest, *(p.silhouette - p.reference for p in found.curve))
        print(f"{kind:12}  {refused:3} / {banks:<3}  {nearest:24.4f}  {stable:3} / {banks}")


def scale(customers: int) -> None:
    """One bank of size: search on the sample, assignment of everybody, and a look-alike."""
    print(f"\n{customers:,} customers, 14 tags")
    times: dict[str, float] = {}
    bank = planted(customers, 1)
    with tempfile.TemporaryDirectory() as folder:
        engine = open_store(Path(folder), bank.tags, bank.columns)
        names = list(bank.tags)
        with cpu(times, "search on 50,000"):
            found, _sample = discover(engine, bank.tags, names, as_of=AS_OF, ks=KS, seed=1)
        assert found.clusters is not None
        with cpu(times, "assign everybody"):
            whole = assign_all(engine, found.clusters, as_of=AS_OF)
        seeds = np.random.default_rng(1).permutation(np.flatnonzero(bank.groups == 2))[:2_000]
        with cpu(times, "look-alike, scores of everybody"):
            alike = look_alike(engine, bank.tags, names, seeds, as_of=AS_OF, seed=1)
        with cpu(times, "the 10,000 most alike"):
            chosen = most_alike(scores_of_all(engine, alike.likeness, as_of=AS_OF), 10_000, without=seeds, seed=1)
    for step, seconds in times.items():
        print(f"{step:32} {seconds:7.1f} CPU s")
    print(f"adjusted Rand of everybody {adjusted_rand_score(bank.groups, whole.labels):.3f}")
    print(f"of the 10,000 most alike {np.mean(bank.groups[chosen] == 2):.1%} are of the seeds' group")
    print("n, recall [95 %], lift:")
    for e in alike.curve:
        print(f"{e.n:10,}  {e.recall:.3f} [{e.recall_low:.3f}, {e.recall_high:.3f}]  {e.lift:6.2f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, the bank itself included")


def main() -> None:
    """Run the three parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--banks", type=int, default=10, help="banks of each kind")
    parser.add_argument("--rows", type=int, default=20_000, help="customers of each of them")
    parser.add_argument(
        "--customers", type=int, default=1_000_000, help="customers of the bank of size; 0 leaves it out"
    )
    given = parser.parse_args()
    if given.banks:
        recovery(given.banks, given.rows)
        refusals(given.banks, given.rows)
    if given.customers:
        scale(given.customers)


if __name__ == "__main__":
    main()
