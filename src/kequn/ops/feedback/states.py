"""Why an entry of a list is wrong, and what becomes of a question or an insight."""

from __future__ import annotations

from kequn.core.spec.base import Text

REASONS: dict[str, Text] = {
    "holds_it": Text(zh="已持有该产品", en="Holds it already"),
    "moved_away": Text(zh="已搬离本地", en="Moved away"),
    "wrong_number": Text(zh="号码有误", en="Wrong number"),
    "not_in_group": Text(zh="不属于该客群", en="Not in this group"),
    "unsuitable": Text(zh="需求不符", en="Unsuitable need"),
    "duplicate": Text(zh="重复下发", en="Duplicate"),
    "left_bank": Text(zh="已销户", en="Left the bank"),
    "other": Text(zh="其他", en="Other"),
}
"""Why an entry of a list is wrong (名单不准原因)."""

QUESTION, INSIGHT = "question", "insight"
KINDS: dict[str, Text] = {
    INSIGHT: Text(zh="专家判断", en="Expert insight"),
    QUESTION: Text(zh="提问", en="Question"),
}

NEW, ANSWERED, ADOPTED, DECLINED = "new", "answered", "adopted", "declined"
STATES: dict[str, Text] = {
    NEW: Text(zh="待回复", en="Waiting"),
    ANSWERED: Text(zh="已回复", en="Answered"),
    ADOPTED: Text(zh="已采纳", en="Adopted"),
    DECLINED: Text(zh="未采纳", en="Declined"),
}
TRANSITIONS: dict[str, frozenset[str]] = {
    NEW: frozenset({ANSWERED, ADOPTED, DECLINED}),
    ANSWERED: frozenset({ADOPTED, DECLINED}),
    ADOPTED: frozenset(),
    DECLINED: frozenset(),
}
FOR_INSIGHTS = frozenset({ADOPTED, DECLINED})
"""Only an insight is adopted or declined; a question is answered."""
