"""Tables that sort, filter and page on the server, with all of it in the URL; and the same rows as a file."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

Words = str | Promise
Getter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it is called, what it shows, and how it sorts."""

    title: Words
    value: str | Getter | None = None
    """Path (``spec.title``) or function that gives the cell of a row; for sorting plain lists and for files."""
    sort: str = ""
    """Its name in the URL; for querysets the field that the database sorts by. Empty: not sortable."""
    number: bool = False
    hint: Words = ""

    def of(self, row: Any) -> Any:
        """Return the value of a row."""
        if self.value is None:
            return None
        return self.value(row) if callable(self.value) else operator.attrgetter(self.value)(row)


class Table:
    """The rows of one page of a list, as the URL asks for them (``sort``, ``page``)."""

    def __init__(
        self,
        request: HttpRequest,
        rows: QuerySet[Any] | Sequence[Any],
        columns: Sequence[Column],
        *,
        name: str = "table",
        default: str = "",
        per_page: int = 50,
        exports: bool = True,
        asks: Mapping[str, str] | None = None,
    ) -> None:
        self.request = request
        self.columns = tuple(columns)
        self.name = name
        self.default = default
        self.exports = exports and asks is None
        self.asks = asks
        """For rows about customers: the list and its conditions that a file must be asked for by; it leaves no other way."""
        self.all_rows = self._sorted(rows)
        self.page: Page[Any] = Paginator(self.all_rows, per_page).get_page(request.GET.get("page"))

    @property
    def rows(self) -> Page[Any]:
        """The rows of this page."""
        return self.page

    @property
    def total(self) -> int:
        """How many rows there are on all pages."""
        return self.page.paginator.count

    @property
    def sort(self) -> str:
        """What is sorted by, with ``-`` for descending; an unknown word is as good as none."""
        asked = self.request.GET.get("sort", "")
        return asked if asked.lstrip("-") in {c.sort for c in self.columns if c.sort} else self.default

    @property
    def heads(self) -> list[dict[str, Any]]:
        """What the head row shows: title, link, direction."""
        return [self._head(column) for column in self.columns]

    def url(self, **changes: Any) -> str:
        """Return this page's URL with some of its parameters changed; ``None`` removes one."""
        query = self.request.GET.copy()
        for key, value in changes.items():
            query.pop(key, None)
            if value is not None:
                query[key] = str(value)
        return f"?{query.urlencode()}" if query else self.request.path

    @property
    def may_export(self) -> bool:
        """Whether the reader may take these rows out as a file."""
        return bool(self.exports and self.total and self.request.actor.may("export.run"))  # type: ignore[attr-defined]

    @property
    def export_url(self) -> str:
        """The same rows, all pages of them, as a workbook."""
        return self.url(export="xlsx", page=None)

    @property
    def ask_url(self) -> str:
        """Where a file of these rows is asked for; empty where it need not be."""
        asked = {k: v for k, v in (self.asks or {}).items() if v}
        return f"{reverse('desk_exports')}?{urlencode(asked)}" if self.asks is not None else ""

    @property
    def may_ask(self) -> bool:
        """Whether the reader may ask for a file of these rows."""
        return bool(self.asks is not None and self.total and self.request.actor.may("export.ask"))  # type: ignore[attr-defined]

    @property
    def pages(self) -> list[tuple[str, str, bool]]:
        """Links of the pager: text, URL, whether current; an empty URL is a gap."""
        numbers = self.page.paginator.get_elided_page_range(self.page.number, on_each_side=1, on_ends=1)
        return [(str(n), self.url(page=n) if isinstance(n, int) else "", n == self.page.number) for n in numbers]

    def _head(self, column: Column) -> dict[str, Any]:
        sort, turned = self.sort, f"-{column.sort}"
        state = {column.sort: "ascending", turned: "descending"}.get(sort, "") if column.sort else ""
        first = turned if column.number else column.sort
        following = {"ascending": turned, "descending": column.sort}.get(state, first)
        return {"column": column, "url": self.url(sort=following, page=None) if column.sort else "", "state": state}

    def _sorted(self, rows: QuerySet[Any] | Sequence[Any]) -> QuerySet[Any] | list[Any]:
        sort = self.sort
        if not sort:
            return rows if isinstance(rows, QuerySet) else list(rows)
        if isinstance(rows, QuerySet):
            return rows.order_by(sort, "-pk" if sort.startswith("-") else "pk")
        column = next(c for c in self.columns if c.sort == sort.lstrip("-"))
        known = [r for r in rows if column.of(r) is not None]
        unknown = [r for r in rows if column.of(r) is None]
        return sorted(known, key=lambda r: _key(column.of(r)), reverse=sort.startswith("-")) + unknown


def _key(value: Any) -> Any:
    return (
        value if isinstance(value, int | float) or hasattr(value, "year") or hasattr(value, "as_tuple") else str(value)
    )
