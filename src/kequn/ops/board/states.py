"""What a coaching note is about, and which state of an export may follow which."""

from __future__ import annotations

from kequn.core.spec.base import Text

ABOUT: dict[str, Text] = {
    "task": Text(zh="任务", en="A task"),
    "figure": Text(zh="指标", en="A figure"),
    "signal": Text(zh="质量信号", en="A quality signal"),
    "work": Text(zh="日常工作", en="The work as a whole"),
}

WAITING, APPROVED, REFUSED = "waiting", "approved", "refused"
EXPORTS: dict[str, frozenset[str]] = {
    WAITING: frozenset({APPROVED, REFUSED}),
    APPROVED: frozenset(),
    REFUSED: frozenset(),
}
