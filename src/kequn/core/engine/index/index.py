"""The index of one business date: who was a customer, a column a tag, and the answers to plans."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Ordinals, Words, within
from kequn.core.engine.index.build import Population, histogram_of
from kequn.core.engine.index.cache import MaskCache
from kequn.core.engine.index.evaluate import Evaluator
from kequn.core.engine.index.kernel import Kernels, kernel
from kequn.core.engine.index.layout import Column
from kequn.core.engine.index.plan import Plan, normal


class Index:
    """Answers plans about the customers of one date. Immutable, and safe to use from several threads."""

    def __init__(
        self,
        as_of: date,
        columns: Mapping[str, Column],
        population: Population,
        *,
        key: str,
        loops: Kernels | None = None,
    ) -> None:
        self.as_of = as_of
        self.columns = columns
        """By tag. A column may be shorter or longer than ``size``, and its planes reach beyond the population."""
        self.size = population.size
        """Ordinals: planes have ``words_for(size)`` words."""
        self.population: Words = within(population.words, population.size)
        self.customers = population.customers
        self.digest = population.digest
        self.key = key
        """Names what the answers depend on: two indexes with the same key answer alike."""
        self.loops = loops or kernel()

    def mask(self, plan: Plan, cache: MaskCache | None = None, *, keep: bool = False) -> Words:
        """Return who meets a plan, as a read-only plane.

        Args:
            cache: keeps the answer, and gives those of parts that were kept before.
            keep: keep the answers of all parts too, because one of them will be edited next.
        """
        found = self._evaluator().mask(normal(plan), cache, keep=keep)
        found.flags.writeable = False
        return found

    def count(self, plan: Plan, cache: MaskCache | None = None, *, keep: bool = False) -> int:
        """Return how many customers meet a plan."""
        return self.loops.count(self.mask(plan, cache, keep=keep))

    def ids(self, plan: Plan, cache: MaskCache | None = None, *, keep: bool = False) -> Ordinals:
        """Return the ordinals of those who meet a plan, sorted."""
        return self.loops.decode(self.mask(plan, cache, keep=keep))

    def narrowed(self, words: Words, *, key: str) -> Index:
        """Return the index whose population is only those of a plane too; ``key`` names the plane.

        The columns' histograms stay those of the whole population: `histogram` counts anew.
        """
        words = self.population & within(words, self.size)
        customers = self.loops.count(words)
        population = Population(words, self.size, customers, f"{self.digest}|{key}")
        return Index(self.as_of, self.columns, population, key=f"{self.key}|{key}", loops=self.loops)

    def histogram(self, tag: str) -> npt.NDArray[np.int64]:
        """Return the customers of this index's population by code of a tag, those without a value first."""
        column = self.columns[tag]
        if column.population == self.digest:
            return column.histogram
        return histogram_of(column, Population(self.population, self.size, self.customers, self.digest))

    def _evaluator(self) -> Evaluator:
        return Evaluator(self.columns, self.population, self.size, self.customers, self.loops, self.key)
