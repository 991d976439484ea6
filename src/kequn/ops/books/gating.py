"""What the gate says of an RM's own customers, many at once: her own open opportunity is no obstacle to her."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kequn.core.gate import Candidates, Decisions, decide
from kequn.ops.audiences.queries import OPEN_TALK, Ordinals, facts_about
from kequn.ops.catalog.queries import policy
from kequn.ops.runtime import now


def decide_for_book(who: Ordinals, channel: str, *, ids: Sequence[str] | None = None) -> Decisions:
    """Return the verdicts on marketing to some customers by a channel now, in the order given; ``ids`` as of ``facts_about``.

    Raises:
        UnknownDefinition: the house has no contact policy yet.
    """
    house, moment = policy(), now()
    facts = facts_about(who, policy=house, now=moment, ids=ids, channels=[channel])
    facts = replace(facts, in_progress=np.zeros(len(facts), dtype=np.bool_))
    return decide(Candidates.each(who, [channel], OPEN_TALK), facts, house, now=moment, purpose="marketing")
