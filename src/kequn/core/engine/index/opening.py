"""The index of one business date: its tags' columns, opened as they are asked for, and built where they are missing."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index import layout
from kequn.core.engine.index.bits import within
from kequn.core.engine.index.build import (
    Population,
    build_column,
    build_population,
    column_in_memory,
    histogram_of,
    open_population,
)
from kequn.core.engine.index.changes import Changed, DoesNotFit, Who, with_changes
from kequn.core.engine.index.index import Index
from kequn.core.engine.index.kernel import kernel
from kequn.core.engine.index.layout import BrokenColumn, Column
from kequn.core.engine.store import DateState, Store, TagState
from kequn.core.engine.tagfiles import ChangeFiles, column_of

POPULATION = "_population"
MOVED = 8
"""One customer in so many who left or came: with more, counting everybody is no more work."""


def open_index(store: Store, state: DateState, as_of: date) -> Index:
    """Return the index of a date; what was not built with the date's tags is built when it is asked for."""
    population = population_of(store, state)
    files = "\n".join(f"{name}={' '.join(tag.files)}" for name, tag in sorted(state.tags.items()))
    key = hashlib.blake2b(f"{population.digest}\n{files}".encode(), digest_size=12).hexdigest()
    return Index(as_of, Columns(store, state, population), population, key=key)


def folder_of(store: Store, tag: str, file: str) -> Path:
    """Return the folder of what is derived from a tag's column file, or from a population's."""
    return store.root / "index" / tag / PurePosixPath(file).stem


def build_index(
    store: Store,
    state: DateState,
    *,
    cuts: Mapping[str, Collection[float]] | None = None,
    only: Collection[str] | None = None,
) -> None:
    """Build what is missing of a date's index; a refresh does so before it publishes the date.

    Raises:
        OSError: a file cannot be read or written, such as for want of space.
    """
    population = population_of(store, state)
    for name in state.tags if only is None else only:
        file = state.tags[name].file
        if not (folder_of(store, name, file) / "column.json").exists():
            _built(store, name, file, population, tuple((cuts or {}).get(name, ())))


def population_of(store: Store, state: DateState) -> Population:
    """Return who was a customer on a date."""
    folder, source = folder_of(store, POPULATION, state.population), store.path(state.population)
    try:
        return open_population(folder)
    except (OSError, BrokenColumn):
        shutil.rmtree(folder, ignore_errors=True)
        return build_population(source, folder)


class Columns(Mapping[str, Column]):
    """The columns of a date by tag; each is opened when it is first asked for."""

    def __init__(self, store: Store, state: DateState, population: Population) -> None:
        self._store = store
        self._state = state
        self._population = population
        self._opened: dict[str, Column] = {}
        self._changes: dict[tuple[str, ...], tuple[ChangeFiles, Changed | None]] = {}
        self._moved: dict[str, tuple[Population, Population] | None] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Column:
        opened = self._opened.get(name)
        if opened is None:
            tag = self._state.tags[name]
            with self._lock:
                opened = self._opened.get(name) or self._open(name, tag)
                self._opened[name] = opened
        return opened

    def _open(self, name: str, tag: TagState) -> Column:
        column = self._counted(name, tag.file, _column(self._store, name, tag.file, self._population))
        if not tag.changes:
            return column
        files, changed = self._changed(tuple(tag.changes))
        if changed is None:
            return column
        try:
            return with_changes(column, changed, files.values(name)[: len(changed.who)])
        except DoesNotFit:  # a refresh writes such a column whole; this one was made beside it, perhaps
            values = column_of(self._store, name, tag, size=max(column.size, self._population.size))
            return column_in_memory(name, values, self._population)

    def _changed(self, names: tuple[str, ...]) -> tuple[ChangeFiles, Changed | None]:
        """Who changed is the same for all tags that were refreshed together."""
        if names not in self._changes:
            files = ChangeFiles(self._store, names)
            here = files.ordinals[: np.searchsorted(files.ordinals, self._population.size)]
            changed = Changed(Who(here, self._population.size), self._population) if len(here) else None
            self._changes[names] = files, changed
        return self._changes[names]

    def _counted(self, name: str, file: str, column: Column) -> Column:
        """The same column with its histogram in this population: kept too, since every process asks for it."""
        population = self._population
        if column.population == population.digest:
            return column
        kept = folder_of(self._store, name, file) / f"histogram-{population.digest}.npy"
        try:
            histogram: npt.NDArray[np.int64] = layout.mapped(kept)
        except (OSError, BrokenColumn):
            histogram = self._count(column)
            new = kept.with_suffix(f".{threading.get_ident()}.npy")
            try:
                np.save(new, histogram)
                new.replace(kept)
            except OSError:
                new.unlink(missing_ok=True)  # counting again next time is all that is lost
        return replace(column, histogram=histogram, population=population.digest)

    def _count(self, column: Column) -> npt.NDArray[np.int64]:
        """From one day to the next few come and go: only they are counted where it is known who they are."""
        if column.population not in self._moved:
            self._moved[column.population] = _moved(self._store, column.population, self._population)
        moved = self._moved[column.population]
        if moved is None:
            return histogram_of(column, self._population)
        gone, come = moved
        return np.asarray(column.histogram - histogram_of(column, gone) + histogram_of(column, come))

    def __iter__(self) -> Iterator[str]:
        return iter(self._state.tags)

    def __len__(self) -> int:
        return len(self._state.tags)


def _column(store: Store, name: str, file: str, population: Population) -> Column:
    try:
        return layout.open_column(name, folder_of(store, name, file))
    except (OSError, BrokenColumn):
        try:
            return layout.open_column(name, _built(store, name, file, population))
        except OSError:  # no space, or not ours to write to: this process has it in memory then
            return column_in_memory(name, store.path(file), population)


def _built(store: Store, name: str, file: str, population: Population, cuts: tuple[float, ...] = ()) -> Path:
    folder = folder_of(store, name, file)
    shutil.rmtree(folder, ignore_errors=True)
    build_column(store.path(file), folder, population=population, cuts=cuts)
    return folder


def _moved(store: Store, before: str, now: Population) -> tuple[Population, Population] | None:
    """Who left and who came since a population of the store, by its digest; ``None`` where that one is not kept, or many did."""
    for folder in sorted((store.root / "index" / POPULATION).glob("[!.]*"), reverse=True):
        try:
            if layout.described(folder)["digest"] != before:
                continue
            then = open_population(folder)
        except (OSError, BrokenColumn):  # swept meanwhile, perhaps
            continue
        size = max(then.size, now.size)
        old, new = within(then.words, size), within(now.words, size)
        gone, come = old & ~new, new & ~old
        left, joined = kernel().count(gone), kernel().count(come)
        if MOVED * (left + joined) > size:
            return None
        return Population(gone, size, left, "gone"), Population(come, size, joined, "come")
    return None
