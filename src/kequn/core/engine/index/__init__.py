"""The index (索引): the tags of a date as planes of bits and narrow columns, for answers while someone is editing."""

from kequn.core.engine.index.cache import MaskCache
from kequn.core.engine.index.index import Index
from kequn.core.engine.index.layout import Column
from kequn.core.engine.index.opening import build_index, open_index

__all__ = ["Column", "Index", "MaskCache", "build_index", "open_index"]
