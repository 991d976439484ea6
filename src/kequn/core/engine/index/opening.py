"""The index of one business date: its tags' columns, opened as they are asked for, and built where they are missing."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index import layout
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
from kequn.core.engine.index.layout import BrokenColumn, Column
from kequn.core.engine.store import DateState, Store, TagState
from kequn.core.engine.tagfiles import ChangeFiles, column_of

POPULATION = "_population"


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
        column = _column(self._store, name, tag.file, self._population)
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

    def __iter__(self) -> Iterator[str]:
        return iter(self._state.tags)

    def __len__(self) -> int:
        return len(self._state.tags)


def _column(store: Store, name: str, file: str, population: Population) -> Column:
    folder = folder_of(store, name, file)
    try:
        column = layout.open_column(name, folder)
    except (OSError, BrokenColumn):
        try:
            column = layout.open_column(name, _built(store, name, file, population))
        except OSError:  # no space, or not ours to write to: this process has it in memory then
            return column_in_memory(name, store.path(file), population)
    if column.population == population.digest:
        return column
    return _counted_in(column, folder, population)


def _built(store: Store, name: str, file: str, population: Population, cuts: tuple[float, ...] = ()) -> Path:
    folder = folder_of(store, name, file)
    shutil.rmtree(folder, ignore_errors=True)
    build_column(store.path(file), folder, population=population, cuts=cuts)
    return folder


def _counted_in(column: Column, folder: Path, population: Population) -> Column:
    """The same column with its histogram in another population: kept too, since every process asks for it."""
    kept = folder / f"histogram-{population.digest}.npy"
    try:
        histogram: npt.NDArray[np.int64] = layout.mapped(kept)
    except (OSError, BrokenColumn):
        histogram = histogram_of(column, population)
        new = kept.with_suffix(f".{threading.get_ident()}.npy")
        try:
            np.save(new, histogram)
            new.replace(kept)
        except OSError:
            new.unlink(missing_ok=True)  # counting again next time is all that is lost
    fields = {name: getattr(column, name) for name in Column.__dataclass_fields__}
    return Column(**fields | {"histogram": histogram, "population": population.digest})
