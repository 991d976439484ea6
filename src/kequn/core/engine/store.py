"""The analytical store: immutable files and one manifest that says which of them count.

One writer at a time makes new files and publishes them by replacing ``manifest.json``; a reader holds the manifest it opened
and never sees half a change. A kill at any moment leaves the last published state serving; files nobody names are swept by
the next writer.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kequn.core.errors import NoData, StoreBusy


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TableState(_Part):
    """One canonical table: its files (relative to the store), row count and what it came from."""

    files: list[str] = []
    rows: int = 0
    columns: list[str] = []
    """The stored columns that a source maps; none named: all of them."""
    inputs: dict[str, str] = {}
    """Content hash of an input file (with the spec's fingerprint) -> id of the load that brought it."""
    as_of: date | None = None
    """The latest business date in it."""
    loaded_at: datetime | None = None


class TagState(_Part):
    """One tag on one business date: its files, the fingerprint it was computed by, and how many have a value."""

    file: str
    fingerprint: str
    known: int
    computed_at: datetime
    inputs: str = ""
    """Hash of all it was computed from: the same inputs give the same file."""
    type: str = ""
    """What its values are (``money``, ``text``, …); empty where that was not kept yet."""
    changes: list[str] = []
    """Files of rows whose values are others than ``file`` says, oldest first; the latest that names a customer counts."""
    changed: int = 0
    """Rows in them."""

    @property
    def files(self) -> list[str]:
        """All files that its values are read from."""
        return [self.file, *self.changes]


class DateState(_Part):
    """The tags of one business date. ``population`` says, by ordinal, who was a customer of the bank then."""

    population: str
    customers: int
    inputs: str = ""
    """Hash of what the population was made from."""
    basis: dict[str, list[str]] = {}
    """The files of each table when the tags were last refreshed: what was loaded since is known from it."""
    ordinals: int = 0
    """How many customers had an ordinal then."""
    tags: dict[str, TagState] = {}


class ListState(_Part):
    """An uploaded list: matched ordinals in a file, and how many lines did not match."""

    file: str
    matched: int
    unmatched: int


class AudienceState(_Part):
    """A frozen audience: who, in which arm, decided by what."""

    file: str
    as_of: date
    size: int
    made_of: list[str] = []
    """Files of the date it was made of: kept as long as it is, so that it can be made again."""


class Manifest(_Part):
    """What the store holds at one version."""

    version: int = 0
    zone: str = "Asia/Shanghai"
    ordinals: int = 0
    """How many customers have an ordinal: 0 … ordinals-1; never reused."""
    dictionary: str | None = None
    """Parquet (ordinal UINTEGER, customer_id VARCHAR, key BLOB): surrogate id and keyed hash of the bank's number."""
    tables: dict[str, TableState] = {}
    dates: dict[str, DateState] = {}
    """Business date (ISO) -> its tags."""
    lists: dict[str, ListState] = {}
    audiences: dict[str, AudienceState] = {}
    published_at: datetime | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class Draft:
    """A change of the store in the making: a manifest to edit and a place for new files."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.store = store
        self.manifest = manifest

    def new_file(self, *parts: str, suffix: str = ".parquet") -> tuple[Path, str]:
        """Return (absolute path to write to, the relative name to put into the manifest)."""
        relative = Path(*parts[:-1], f"{parts[-1]}-{uuid.uuid4().hex[:12]}{suffix}")
        path = self.store.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, relative.as_posix()


class Store:
    """One institution's analytical data below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).resolve()

    def manifest(self) -> Manifest:
        """Return the manifest that counts now; an empty one for a new store."""
        try:
            return Manifest.model_validate_json((self.root / "manifest.json").read_bytes())
        except FileNotFoundError:
            return Manifest()

    def stamp(self) -> tuple[int, int, int]:
        """Return what is another whenever another manifest counts; it costs no reading."""
        try:
            found = (self.root / "manifest.json").stat()
        except FileNotFoundError:
            return 0, 0, 0
        return found.st_ino, found.st_mtime_ns, found.st_size

    def path(self, relative: str) -> Path:
        """Return the absolute path of a file named in a manifest."""
        return self.root / relative

    @contextmanager
    def writing(self, *, now: datetime) -> Iterator[Draft]:
        """Hold the store for one change; what the draft says counts when the block ends without an error.

        Raises:
            StoreBusy: another process or thread is writing.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "writer.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreBusy(
                    "Another load or refresh is writing.", hint="Wait until it ends, then try again."
                ) from None
            draft = Draft(self, self.manifest())
            self._sweep(draft.manifest)
            yield draft
            draft.manifest.version += 1
            draft.manifest.published_at = now
            self._publish(draft.manifest)

    def _publish(self, manifest: Manifest) -> None:
        named = _named_files(manifest)
        for relative in named:
            if not (self.root / relative).exists():
                raise NoData(f"The store's new manifest names a file that was not written: {relative}.")
        temporary = self.root / "manifest.json.new"
        with temporary.open("wb") as file:
            file.write(manifest.model_dump_json(indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.root / "manifest.json")
        folder = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _sweep(self, manifest: Manifest) -> None:
        """Remove files of writers that died and of versions no reader can still hold (the last two are kept).

        Rejects are kept: they tell of loads that failed as well. ``tmp/load-*`` are the work folders of loads.
        """
        keep = set(_named_files(manifest)) | set(manifest.extra.get("previous_files", []))
        manifest.extra["previous_files"] = sorted(_named_files(manifest))
        for top in self.root.iterdir():
            if top.is_dir() and top.name not in (
                "rejects",
                "index",
            ):  # no parquet is in the index, but very many folders
                for path in top.rglob("*.parquet"):
                    if path.relative_to(self.root).as_posix() not in keep:
                        path.unlink(missing_ok=True)
        for folder in [*self.root.glob("tmp/load-*"), *self._orphans(keep)]:
            shutil.rmtree(folder, ignore_errors=True)

    def _orphans(self, keep: set[str]) -> Iterator[Path]:
        """Folders of the index whose column file is gone, and what a killed builder left of one that was built since."""
        stems = {PurePosixPath(name).stem for name in keep}
        for folder in self.root.glob("index/*/*"):
            stem = folder.name[1:].rpartition(".")[0] if folder.name.startswith(".") else folder.name
            if stem not in stems or (stem != folder.name and (folder.parent / stem).exists()):
                yield folder


def _named_files(manifest: Manifest) -> list[str]:
    names = [f for t in manifest.tables.values() for f in t.files]
    names += [d.population for d in manifest.dates.values()]
    names += sorted({f for d in manifest.dates.values() for t in d.tags.values() for f in t.files})
    names += [listed.file for listed in manifest.lists.values()]
    names += [audience.file for audience in manifest.audiences.values()]
    names += [file for audience in manifest.audiences.values() for file in audience.made_of]
    return names + ([manifest.dictionary] if manifest.dictionary else [])
