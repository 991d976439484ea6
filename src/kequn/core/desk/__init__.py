"""The desk: which customers give a reason to be called today, in what order, by whom, and what settles the matter."""

from kequn.core.desk.distribution import DAY, NEXT, OVER, Places, distribute, room_for
from kequn.core.desk.occasions import KINDS, Found, balances_by_family, occasions
from kequn.core.desk.ranking import main_of, score, urgency
from kequn.core.desk.settling import (
    RULES,
    Claim,
    Look,
    Matter,
    Part,
    Settled,
    done,
    holdings_on,
    judged,
    looks,
    settled,
    shares,
)
from kequn.core.desk.words import Words, words_for

__all__ = [
    "DAY",
    "KINDS",
    "NEXT",
    "OVER",
    "RULES",
    "Claim",
    "Found",
    "Look",
    "Matter",
    "Part",
    "Places",
    "Settled",
    "Words",
    "balances_by_family",
    "distribute",
    "done",
    "holdings_on",
    "judged",
    "looks",
    "main_of",
    "occasions",
    "room_for",
    "score",
    "settled",
    "shares",
    "urgency",
    "words_for",
]
