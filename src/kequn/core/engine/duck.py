"""DuckDB over one version of the store: the connection that answers questions, locked away from files and network."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from kequn.core.engine.index import Index, MaskCache, open_index
from kequn.core.engine.index.bits import Words, from_ordinals
from kequn.core.engine.store import DateState, Manifest, Store
from kequn.core.errors import NoData, UnknownTag

TAGS_VIEW = "customer_tags"


class Engine:
    """Answers SQL over one manifest. Safe to use from several threads: each gets its own cursor.

    Canonical tables that were loaded appear under their names (``"transaction"`` quoted), lists as ``list_<name>``.
    """

    def __init__(
        self, store: Store, manifest: Manifest | None = None, *, memory_limit: str = "4GB", threads: int = 2
    ) -> None:
        self.store = store
        self.manifest = manifest or store.manifest()
        self._within = ""
        self.masks = MaskCache()
        """Planes of what was asked before; the store's version never changes under an engine, so they stay true."""
        self._indexes: dict[tuple[date, str], Index] = {}
        self._opening = threading.RLock()
        self._root = duckdb.connect(":memory:")
        self._local = threading.local()
        temporary = store.root / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        run = self._root.execute
        run(f"SET memory_limit = '{memory_limit}'")
        run(f"SET threads = {threads:d}")
        run("SET temp_directory = ?", [str(temporary)])
        run("SET allowed_directories = ?", [[str(store.root)]])
        run("SET enable_external_access = false")
        run("SET autoinstall_known_extensions = false")
        run("SET autoload_known_extensions = false")
        run("SET lock_configuration = true")
        for name, state in self.manifest.tables.items():
            if state.files:
                run(f"CREATE VIEW {quoted(name)} AS SELECT * FROM read_parquet({self._paths(state.files)})")
        for name, listed in self.manifest.lists.items():
            run(f"CREATE VIEW {quoted('list_' + name)} AS SELECT * FROM read_parquet({self._paths([listed.file])})")

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return this thread's cursor."""
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._root.cursor()
        return self._local.cursor  # type: ignore[no-any-return]

    def run(self, query: str | exp.Expr, parameters: Iterable[Any] | None = None) -> duckdb.DuckDBPyConnection:
        """Execute one statement and return the cursor with its result."""
        text = query if isinstance(query, str) else query.sql(dialect="duckdb")
        return self.cursor().execute(text, list(parameters) if parameters is not None else None)

    def arrow(self, query: str | exp.Expr, parameters: Iterable[Any] | None = None) -> pa.Table:
        """Execute one query and return an Arrow table."""
        return self._relation(query, parameters).to_arrow_table()

    def batches(self, query: str | exp.Expr, *, size: int) -> pa.RecordBatchReader:
        """Execute one query and return a reader of Arrow batches of ``size`` rows; read it before the next query."""
        return self._relation(query, None).to_arrow_reader(size)

    def columns(self, query: str | exp.Expr, parameters: Iterable[Any] | None = None) -> dict[str, Any]:
        """Execute one query and return numpy arrays by column (masked where null)."""
        return self.run(query, parameters).fetchnumpy()

    def rows(self, query: str | exp.Expr, parameters: Iterable[Any] | None = None) -> list[tuple[Any, ...]]:
        """Execute one query and return its rows."""
        return self.run(query, parameters).fetchall()

    def has(self, table: str) -> bool:
        """Whether rows of a canonical table were loaded."""
        state = self.manifest.tables.get(table)
        return bool(state and state.files)

    def tags_query(self, as_of: date, tags: Iterable[str]) -> str:
        """Return a SELECT of (ordinal, one column a tag) for the bank's customers on a date, by position.

        Raises:
            NoData: no tags were computed for that date.
            UnknownTag: a tag was not computed for that date.
        """
        state = self._date(as_of)
        names = list(dict.fromkeys(tags))
        for name in names:
            if name not in state.tags:
                raise UnknownTag(
                    f"Tag {name!r} was not computed for {as_of}.", hint="Run `kequn tag refresh`.", tag=name
                )
        overlays = list(dict.fromkeys(tuple(state.tags[n].changes) for n in names if state.tags[n].changes))
        population = (
            "(SELECT CAST(file_row_number AS UINTEGER) AS ordinal, value AS present"
            f" FROM read_parquet({self._paths([state.population])}, file_row_number = true)) p"
        )
        joins = "".join(
            f" POSITIONAL JOIN read_parquet({self._paths([state.tags[n].file])}) t{i}" for i, n in enumerate(names)
        )
        scope = f" AND p.ordinal IN ({self._within})" if self._within else ""
        columns = ", ".join(["p.ordinal", *(f"t{i}.value AS {quoted(n)}" for i, n in enumerate(names))])
        query = f"SELECT {columns} FROM {population}{joins} WHERE p.present{scope}"
        if not overlays:
            return query
        place = {files: f"c{i}" for i, files in enumerate(overlays)}
        latest = ["b.ordinal"]
        for name in names:
            over = place.get(tuple(state.tags[name].changes))
            own = f"b.{quoted(name)}"
            value = f"CASE WHEN {over}.ordinal IS NULL THEN {own} ELSE {over}.{quoted(name)} END AS {quoted(name)}"
            latest.append(value if over else own)
        laid = "".join(
            f" LEFT JOIN ({self._changes(files, [n for n in names if tuple(state.tags[n].changes) == files])}) {over}"
            f" ON {over}.ordinal = b.ordinal"
            for files, over in place.items()
        )
        return f"SELECT {', '.join(latest)} FROM ({query}) b{laid}"

    def _changes(self, files: Sequence[str], tags: Sequence[str]) -> str:
        """SELECT of the latest values of tags in some files of changes, oldest first, for whoever is in one of them."""
        columns = ", ".join(["f.ordinal", *(f"f.{quoted(n)}" for n in tags)])
        parts = []
        for i, file in enumerate(files):
            part = f"SELECT {columns} FROM read_parquet({self._paths([file])}) f"
            later = " UNION ALL ".join(f"SELECT ordinal FROM read_parquet({self._paths([f])})" for f in files[i + 1 :])
            parts.append(f"{part} ANTI JOIN ({later}) USING (ordinal)" if later else part)
        return " UNION ALL ".join(parts)

    def index(self, as_of: date) -> Index:
        """Return the index of a date, opened once, its population narrowed as `within` says.

        Raises:
            NoData: no tags were computed for that date.
        """
        state = self._date(as_of)
        with self._opening:
            if (as_of, self._within) not in self._indexes:
                self._indexes[as_of, self._within] = self._opened(state, as_of)
            return self._indexes[as_of, self._within]

    def ordinals(self, query: str | exp.Expr, *, size: int) -> Words:
        """Return the customers that a SELECT of ordinals finds, as a plane of ``size`` bits."""
        found = self.run(query).fetchnumpy()
        return from_ordinals(next(iter(found.values())), size)

    def within(self, ordinals_query: str) -> Engine:
        """Return the same engine whose bank, in every question about tags, is only the customers of a SELECT of ordinals."""
        narrowed = copy.copy(self)
        narrowed._within = ordinals_query
        return narrowed

    def register(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table visible to this thread's queries under ``name`` (facts handed in by the caller)."""
        self.cursor().register(name, table)

    def close(self) -> None:
        """Release the connection."""
        self._root.close()

    def _date(self, as_of: date) -> DateState:
        state = self.manifest.dates.get(as_of.isoformat())
        if state is None:
            known = ", ".join(sorted(self.manifest.dates)[-3:]) or "none"
            raise NoData(
                f"No tags for {as_of}.", hint=f"Computed dates: {known}. Run `kequn tag refresh`.", as_of=str(as_of)
            )
        return state

    def _opened(self, state: DateState, as_of: date) -> Index:
        whole = self._indexes.get((as_of, "")) or open_index(self.store, state, as_of)
        self._indexes[as_of, ""] = whole
        if not self._within:
            return whole
        return whole.narrowed(self.ordinals(self._within, size=whole.size), key=self._within)

    def _relation(self, query: str | exp.Expr, parameters: Iterable[Any] | None) -> duckdb.DuckDBPyRelation:
        """A relation hands its rows to Arrow without the copy that a DB-API result costs."""
        text = query if isinstance(query, str) else query.sql(dialect="duckdb")
        cursor = self.cursor()
        cursor.abort()  # a relation refuses to start while rows of an earlier query were left unread
        return cursor.sql(text, params=list(parameters) if parameters is not None else None)

    def _paths(self, files: Iterable[str]) -> str:
        return "[" + ", ".join(literal(str(self.store.path(f))) for f in files) + "]"


def quoted(name: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return text as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


Facts = Mapping[str, pa.Table]
