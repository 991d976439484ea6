"""The rows of one query of a PostgreSQL database, as a stream of delimited text.

The query runs in a read-only transaction and is copied out by the server, so that neither side holds it whole and numbers
come as the text they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from kequn.core.data.delimited import Bytes
from kequn.core.errors import BadSource

if TYPE_CHECKING:
    import psycopg

READS_BEYOND = re.compile(
    r"^(pg_read|pg_ls|pg_stat_file|lo_|dblink|pg_sleep|query_to_xml|pg_terminate|pg_cancel|set_config)"
)


@dataclass(frozen=True, slots=True)
class Query:
    """A checked query, the names of its columns and how to read its rows."""

    dsn: str
    text: str
    columns: tuple[str, ...]
    content: hashlib._Hash
    """Of all that was read, known when the rows have been read."""

    @contextmanager
    def rows(self) -> Iterator[Bytes]:
        """Give the rows as comma-separated UTF-8 without a header."""
        with _connection(self.dsn) as connection, connection.cursor() as cursor, _told():
            statement: Any = f"COPY ({self.text}) TO STDOUT (FORMAT csv)"
            with cursor.copy(statement) as copy:
                self.content.update(repr(self.columns).encode())
                yield _Copied(copy, self.content)


class _Copied:
    def __init__(self, copy: psycopg.Copy, content: hashlib._Hash) -> None:
        self.copy, self.content = copy, content
        self.left = b""

    def read(self, size: int) -> bytes:
        chunks, length = [self.left], len(self.left)
        while length < size and (chunk := bytes(self.copy.read())):
            chunks.append(chunk)
            length += len(chunk)
            self.content.update(chunk)
        data = b"".join(chunks)
        self.left = data[size:]
        return data[:size]


def query_stream(dsn: str, query: str) -> Query:
    """Check a query and ask the server for its columns.

    Raises:
        BadSource: it is not one SELECT, or the server refuses it or cannot be reached.
    """
    text = checked_query(query)
    with _connection(dsn) as connection, connection.cursor() as cursor, _told():
        statement: Any = f"SELECT * FROM ({text}) AS rows LIMIT 0"
        cursor.execute(statement)
        columns = tuple(c.name for c in cursor.description or ())
    return Query(dsn, text, columns, hashlib.sha256())


def checked_query(query: str) -> str:
    """Return the query without a closing semicolon, provided it is a single SELECT that only reads tables.

    Raises:
        BadSource: it is something else.
    """
    text = query.strip().rstrip(";").strip()
    hint = "Write one SELECT."
    try:
        statements = sqlglot.parse(text, dialect="postgres")
    except (SqlglotError, RecursionError):
        raise BadSource("The query cannot be read.", hint=hint) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select | exp.SetOperation):
        raise BadSource("The query is not one SELECT.", hint=hint)
    for node in statements[0].walk():
        if isinstance(node, exp.DML | exp.DDL | exp.Command | exp.Into) and not isinstance(node, exp.Query):
            raise BadSource("The query changes something.", hint=hint)
        if isinstance(node, exp.Func) and READS_BEYOND.match(_name(node)):
            raise BadSource(f"The function {_name(node)!r} is not allowed in a query.")
    return text


def _name(node: exp.Func) -> str:
    return str(node.this).lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower()


@contextmanager
def _connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    import psycopg  # an optional dependency

    try:
        connection = psycopg.connect(dsn, client_encoding="utf8", options="-c DateStyle=ISO -c extra_float_digits=1")
    except psycopg.Error as error:
        raise BadSource(f"The database cannot be reached: {_first_line(error)}") from None
    try:
        connection.read_only = True
        yield connection
    finally:
        connection.close()


@contextmanager
def _told() -> Iterator[None]:
    import psycopg  # an optional dependency

    try:
        yield
    except psycopg.Error as error:
        raise BadSource(f"The database refuses the query: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
