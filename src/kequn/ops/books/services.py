"""What an RM makes of her book: views, circles, rounds of stock-taking, corrections, visits; with what the app's modules do."""

from kequn.ops.books.circling import add_to_circle, change_circle, create_circle, remove_circle, take_from_circle
from kequn.ops.books.correcting import Proposal, dismiss_correction, hand_over_corrections, propose_correction
from kequn.ops.books.printing import CustomerSheet, customer_sheet
from kequn.ops.books.stocktaking import (
    close_stock_take,
    decide_line,
    move_deadline,
    open_stock_take,
    take_back_line,
)
from kequn.ops.books.viewing import filter_of, remove_view, save_view
from kequn.ops.books.visiting import (
    add_visits,
    cancel_visits,
    drop_visit,
    move_day,
    order_visits,
    plan_visits,
    set_out,
    take_up_visit,
)

__all__ = [
    "CustomerSheet",
    "Proposal",
    "add_to_circle",
    "add_visits",
    "cancel_visits",
    "change_circle",
    "close_stock_take",
    "create_circle",
    "customer_sheet",
    "decide_line",
    "dismiss_correction",
    "drop_visit",
    "filter_of",
    "hand_over_corrections",
    "move_day",
    "move_deadline",
    "open_stock_take",
    "order_visits",
    "plan_visits",
    "propose_correction",
    "remove_circle",
    "remove_view",
    "save_view",
    "set_out",
    "take_back_line",
    "take_from_circle",
    "take_up_visit",
]
