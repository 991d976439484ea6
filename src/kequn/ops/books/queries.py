"""What people see of their books: lists, views, circles, rounds, corrections, days of visits; the open door of the app's readers."""

from kequn.ops.books.correcting import corrections_for
from kequn.ops.books.days import barred_from_visits, route_of, summary_of, visit_for, visit_plan_for, visit_plans_for
from kequn.ops.books.filters import OPS, SHOWN, USUAL, filter_pairs, filter_query, read_filter
from kequn.ops.books.listing import (
    MOST_LISTED,
    book_page,
    chosen,
    circle_for,
    circle_sizes,
    members_of_circle,
    rows_about,
    view_for,
    views_for,
)
from kequn.ops.books.reading import circles_in_sight
from kequn.ops.books.rounds import (
    facts_of_line,
    line_for,
    lines_of,
    next_line,
    progress_of,
    stock_take_for,
    stock_takes_for,
)
from kequn.ops.books.segments import segments_to_filter_by
from kequn.ops.books.states import FIELDS, PROPOSED
from kequn.ops.books.visiting import companions_for

__all__ = [
    "FIELDS", "MOST_LISTED", "OPS", "PROPOSED", "SHOWN", "USUAL", "barred_from_visits", "book_page", "chosen", "circle_for", "circle_sizes",
    "circles_in_sight", "companions_for", "corrections_for", "facts_of_line", "filter_pairs", "filter_query", "line_for", "lines_of",
    "members_of_circle", "next_line", "progress_of", "read_filter", "route_of", "rows_about", "segments_to_filter_by", "stock_take_for",
    "stock_takes_for", "summary_of", "view_for", "views_for", "visit_for", "visit_plan_for", "visit_plans_for"
]  # fmt: skip
