"""A date's tags from an earlier date's: the values of some customers in a file of changes, all others as they were.

What changed is written once for all tags that were computed for the same customers; no column is rewritten. Once a tag has been
changed often or for many, its changes are put into a column of its own (`fold`), which its readers gain by and nobody
waits for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import PurePosixPath

import pyarrow as pa

from kequn.core.engine.index import build_index, layout
from kequn.core.engine.index.bits import Words, packed, unpacked
from kequn.core.engine.index.build import Population
from kequn.core.engine.index.changes import Who, known_of
from kequn.core.engine.index.kernel import kernel
from kequn.core.engine.index.opening import Columns, folder_of, population_of
from kequn.core.engine.index.patch import patch_column
from kequn.core.engine.store import Draft, Manifest, Store, TagState
from kequn.core.engine.tagfiles import ChangeFiles, column_of, replaced, write_changes
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import ARROW_OF_TYPE, ColumnFile, without_nan
from kequn.core.tags.increment import Increment

MOST_CHANGED = 0.1
"""Share of all customers beyond which a tag's changes are put into a column."""
MOST_FILES = 8
"""Files of changes from which they are; with twice as many nobody has done so, and the refresh does."""


class Patch:
    """The files of an increment in the making."""

    def __init__(self, draft: Draft, part: Increment, population: str) -> None:
        self.draft, self.part = draft, part
        state = part.base.model_copy(update={"population": population})
        self.population = population_of(draft.store, state)
        self.before = Columns(draft.store, state, self.population)
        self.who = Who(part.ordinals, self.population.size)
        self.here = self.who.taken(self.population.words)

    def files(
        self, specs: Mapping[str, TagSpec], values: pa.Table, inputs: Mapping[str, str], now: datetime
    ) -> dict[str, TagState]:
        """Write what is new of each tag; ``values`` has a row for each ordinal of the increment."""
        columns = {
            name: without_nan(values.column(name).cast(ARROW_OF_TYPE[spec.type]).combine_chunks())
            for name, spec in specs.items()
        }
        laid = [name for name, column in columns.items() if self._can_be_laid(name, column)]
        more = [self._changes({name: columns[name] for name in laid})] if laid and len(self.part.ordinals) else []
        found = {}
        for name, spec in specs.items():
            base = self.part.base.tags[name]
            said = {"fingerprint": spec.fingerprint(), "computed_at": now, "inputs": inputs[name], "type": spec.type}
            if name in laid:
                said |= {"changes": [*base.changes, *more], "changed": base.changed + len(self.part.ordinals)}
                found[name] = base.model_copy(update=said | {"known": self._known(name, columns[name])})
            else:
                column = column_of(self.draft.store, name, base, size=self.population.size)
                whole = replaced(column, self.part.ordinals, columns[name])
                place, now_so = ("tags", spec.family, name), base.model_copy(update=said)
                found[name] = write_whole(self.draft, place, whole, self.population.words, now_so)
        return found

    def _can_be_laid(self, name: str, values: pa.Array) -> bool:
        """Whether the index's column has a code for every new value, so that it need not be built anew."""
        if len(self.part.base.tags[name].changes) >= 2 * MOST_FILES:
            return False
        column = self.before[name]
        if column.kind not in ("code", "set"):
            return True
        flat = values.flatten() if column.kind == "set" else values
        return set(flat.unique().drop_null().to_pylist()) <= set(column.values or ())

    def _changes(self, columns: Mapping[str, pa.Array]) -> str:
        path, relative = self.draft.new_file("changes", "tags")
        write_changes(path, self.part.ordinals, columns)
        return relative

    def _known(self, name: str, values: pa.Array) -> int:
        """How many of the population have a value: those who had one, except where it was changed."""
        column, loops = self.before[name], kernel()
        laid = column.changes is not None
        had = packed(known_of(column, self.part.ordinals)) if laid else self.who.taken(column.known)
        have = packed(values.is_valid().to_numpy(zero_copy_only=False)) if values.null_count else self.who.everybody
        known = self.population.customers - int(column.histogram[0])
        return known + loops.count_both(have, self.here) - loops.count_both(had, self.here)


def write_whole(
    draft: Draft, folder: Iterable[str], column: pa.ChunkedArray, present: Words, state: TagState
) -> TagState:
    """Write a column file of all values and return the tag with it in the place of what it had."""
    path, relative = draft.new_file(*folder)
    file = ColumnFile(path, column.type)
    try:
        file.write(column, unpacked(present, len(column)))
    except BaseException:
        file.discard()
        raise
    file.close()
    return state.model_copy(update={"file": relative, "changes": [], "changed": 0, "known": file.known})


def folding_is_due(store: Store) -> bool:
    """Whether `fold` would put some changes into columns."""
    return bool(_to_fold(store.manifest(), everything=False))


def fold(
    store: Store, *, now: datetime, everything: bool = False, cuts: Mapping[str, tuple[float, ...]] | None = None
) -> tuple[str, ...]:
    """Put the changes of the latest date's tags into columns of their own, where they have become many; values stay the same.

    Args:
        everything: of all tags that have any.
        cuts: as `build_index` takes them.

    Returns:
        The tags.

    Raises:
        StoreBusy: another load or refresh is writing.
        OSError: there is no room on the disk; nothing is published then.
    """
    if not _to_fold(store.manifest(), everything=everything):
        return ()
    with store.writing(now=now) as draft:
        names = _to_fold(draft.manifest, everything=everything)
        if names:
            day = draft.manifest.dates[max(draft.manifest.dates)]
            population = population_of(store, day)
            for name in names:
                before = day.tags[name]
                column = column_of(store, name, before, size=population.size)
                place = (*PurePosixPath(before.file).parent.parts, name)
                after = write_whole(draft, place, column, population.words, before)
                day.tags[name] = after.model_copy(update={"known": before.known})
                _fold_index(store, name, before, day.tags[name], population)
            build_index(store, day, cuts=cuts, only=names)
    return names


def _to_fold(manifest: Manifest, *, everything: bool) -> tuple[str, ...]:
    if not manifest.dates:
        return ()
    tags = manifest.dates[max(manifest.dates)].tags
    most = 0 if everything else MOST_CHANGED * manifest.ordinals
    return tuple(n for n, t in tags.items() if t.changed > most or len(t.changes) >= MOST_FILES)


def _fold_index(store: Store, name: str, before: TagState, after: TagState, population: Population) -> None:
    """Make a column of the index from the one before; where it cannot be (more customers than then) it is built from its file."""
    source = folder_of(store, name, before.file)
    try:
        column = layout.open_column(name, source)
    except (OSError, layout.BrokenColumn):
        return
    if column.size == population.size:
        changes = ChangeFiles(store, before.changes)
        patch_column(
            column, source, folder_of(store, name, after.file), ordinals=changes.ordinals, values=changes.values(name),
            population=population,
        )  # fmt: skip
