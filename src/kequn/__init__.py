"""kequn (客群): know customers by group, decide, deliver, and prove what it was worth."""

__version__ = "0.1.0"
