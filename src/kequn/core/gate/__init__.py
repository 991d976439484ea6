"""Compliance: may this touch be made, and if not, every rule that says no; set-wise and for one."""

from kequn.core.gate.assemble import facts_from, proposal_from
from kequn.core.gate.contactable import ChannelRate, Contactable, Reason, contactable, unknown_facts
from kequn.core.gate.decide import ALLOW, BLOCK, HOLD, RULES_VERSION, VERDICTS, Decisions, decide
from kequn.core.gate.facts import CHANNELS, Candidates, Content, Facts, Proposal, Touches, blank_facts
from kequn.core.gate.overlay import Overlay, empty, rows
from kequn.core.gate.quiet import is_quiet, next_allowed
from kequn.core.gate.rules import BY_CODE, RULES, STEPS, Rule, cures_of

__all__ = [
    "ALLOW",
    "BLOCK",
    "BY_CODE",
    "CHANNELS",
    "HOLD",
    "RULES",
    "RULES_VERSION",
    "STEPS",
    "VERDICTS",
    "Candidates",
    "ChannelRate",
    "Contactable",
    "Content",
    "Decisions",
    "Facts",
    "Overlay",
    "Proposal",
    "Reason",
    "Rule",
    "Touches",
    "blank_facts",
    "contactable",
    "cures_of",
    "decide",
    "empty",
    "facts_from",
    "is_quiet",
    "next_allowed",
    "proposal_from",
    "rows",
    "unknown_facts",
]
