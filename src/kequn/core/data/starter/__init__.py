"""The starter bank: a synthetic Chinese retail bank of any size, and a causal world in which its customers answer contacts."""

from kequn.core.data.starter.bank import FILES, Truth, generate, read_truth
from kequn.core.data.starter.places import CAST

__all__ = ["CAST", "FILES", "Truth", "generate", "read_truth"]
