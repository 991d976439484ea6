"""The starter bank: a synthetic Chinese retail bank of any size, whose customers answer contacts by a known law."""

from kequn.core.data.starter.answers import Contacted, Effect, Outcome, respond
from kequn.core.data.starter.bank import Truth, generate, read_truth
from kequn.core.data.starter.files import FILES
from kequn.core.data.starter.places import CAST
from kequn.core.data.starter.world import Seen, World, world

__all__ = [
    "CAST", "FILES", "Contacted", "Effect", "Outcome", "Seen", "Truth", "World", "generate",
    "read_truth", "respond", "world",
]  # fmt: skip
