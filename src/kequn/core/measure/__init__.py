"""Measuring: who is held out, what can be seen, what came out, and what may be said about it."""

from kequn.core.measure.conclusion import Conclusion, conclusion, guardrail, told, unit_of
from kequn.core.measure.estimate import Estimate, estimate
from kequn.core.measure.holdout import draw_holdout
from kequn.core.measure.lift import Arm, Lift, Winsorised, lift, lifts
from kequn.core.measure.outcomes import Baseline, baseline, covariates, outcomes
from kequn.core.measure.planning import Detectable, detectable
from kequn.core.measure.worth import Range, Worth, worth

__all__ = [
    "Arm",
    "Baseline",
    "Conclusion",
    "Detectable",
    "Estimate",
    "Lift",
    "Range",
    "Winsorised",
    "Worth",
    "baseline",
    "conclusion",
    "covariates",
    "detectable",
    "draw_holdout",
    "estimate",
    "guardrail",
    "lift",
    "lifts",
    "outcomes",
    "told",
    "unit_of",
    "worth",
]
