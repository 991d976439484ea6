"""The protocol with one rule broken each: the simulation has to notice every one of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from kequn.channels.base import Accepted, Answer, Refused, Terms, TryLater, Unclear
from kequn.ops.delivery import moves as moves_module
from kequn.ops.delivery.models import Contact, InFlight, Ready, Unknown
from kequn.ops.delivery.outbox import Candidate, Claim, Doubt
from tests.ops.delivery.simulation import MortalOutbox, Odds


class MarkAfterSend(MortalOutbox):
    """Rule 1 broken, the usual lease-send-mark: a claim that ran out is sent again without asking."""

    def sweep(self, terms_of: Any) -> int:
        rows = list(InFlight.objects.filter(lease_until__lt=self.database_clock()).select_related("touch"))
        moves = moves_module.Moves(self.clock())
        for row in rows:
            moves.requeue(row, attempt=row.attempt, doubtful=False)
        InFlight.objects.filter(pk__in=[r.pk for r in rows]).delete()
        moves.write()
        return len(rows)


class MarkBeforeSend(MortalOutbox):
    """Rule 2 broken: what is claimed is booked as sent."""

    def claim(self, channel: str, candidates: Sequence[Candidate], verdicts: Any, terms: Terms, **more: Any) -> Any:
        claim, report = super().claim(channel, candidates, verdicts, terms, **more)
        super().settle(claim, {c.pending.touch_id: Accepted() for c in claim.candidates}, terms)
        return claim, report


class RetryUnclear(MortalOutbox):
    """Rule 3 broken: a time-out or a 500 is taken for "not sent"."""

    def settle(self, claim: Claim, answers: Mapping[int, Answer], terms: Terms) -> Any:
        guessed = {k: TryLater(a.code) if isinstance(a, Unclear) else a for k, a in answers.items()}
        return super().settle(claim, guessed, terms)


class SettleAtOnce(MortalOutbox):
    """Rule 4 broken: asked before the request can have arrived."""

    def settle(self, claim: Claim, answers: Mapping[int, Answer], terms: Terms) -> Any:
        report = super().settle(claim, answers, terms)
        Unknown.objects.update(ask_after=self.database_clock())
        return report


class NoLeaseCheck(MortalOutbox):
    """Rule 5 broken: a worker that slept through its lease goes on sending."""

    def may_begin(self, claim: Claim) -> bool:
        return True


class NoFence(MortalOutbox):
    """Rule 6 broken: a result counts without the claim's token."""

    def _in_hand(self, token: str, touch_ids: Collection[int]) -> list[InFlight]:
        return list(InFlight.objects.filter(touch_id__in=list(touch_ids)).select_related("touch"))


class AnyAttempt(MortalOutbox):
    """Rule 7 broken: an answer settles whichever attempt is unknown by then."""

    def _doubted(self, doubt: Doubt) -> Unknown | None:
        return Unknown.objects.filter(touch_id=doubt.touch_id).select_related("touch").first()


class DropUnknown(MortalOutbox):
    """Rule 8 broken: what is unclear is booked as failed."""

    def settle(self, claim: Claim, answers: Mapping[int, Answer], terms: Terms) -> Any:
        guessed = {k: Refused(a.code) if isinstance(a, Unclear) else a for k, a in answers.items()}
        return super().settle(claim, guessed, terms)


class OwnClock(MortalOutbox):
    """Rule 9 broken, with ``skew``: leases by each worker's own clock."""


class StopOutsideClaim(MortalOutbox):
    """Rule 10 broken: the stop is looked at before the claim and never again."""

    def _chosen(self, channel: str, allowed: Sequence[Candidate], rate: float | None, moment: datetime) -> Any:
        return self._uncontacted(allowed)

    def halted(self, claim: Claim) -> set[int]:
        return set(InFlight.objects.filter(token=claim.token, is_withdrawn=True).values_list("touch_id", flat=True))


class LeaseTooShort(MortalOutbox):
    """Rule 12 broken: a call outlives its lease, and what ran out is asked about at once."""

    def claim(self, channel: str, candidates: Sequence[Candidate], verdicts: Any, terms: Terms, **more: Any) -> Any:
        claim, report = super().claim(channel, candidates, verdicts, terms, **more)
        InFlight.objects.filter(token=claim.token).update(lease_until=self.database_clock())
        return claim, report

    def sweep(self, terms_of: Any) -> int:
        n = super().sweep(terms_of)
        Unknown.objects.filter(why="lease_expired").update(ask_after=self.database_clock())
        return n


class CountThenClaim(MortalOutbox):
    """Caps by count: nobody looks whether the customer was contacted between the gate and the claim."""

    def _uncontacted(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return list(candidates)


class CapGivenBackTooSoon(MortalOutbox):
    """What is unknown is given back to the customer's cap."""

    def settle(self, claim: Claim, answers: Mapping[int, Answer], terms: Terms) -> Any:
        report = super().settle(claim, answers, terms)
        unclear = [k for k, a in answers.items() if isinstance(a, Unclear)]
        keys = Unknown.objects.filter(touch_id__in=unclear).values_list("touch__key", flat=True)
        Contact.objects.filter(ref__in=list(keys)).delete()
        return report


class ForgetDoubt(MortalOutbox):
    """A second attempt forgets that the first may have arrived, and is booked as not sent."""

    def send_again(self, doubt: Doubt) -> str:
        state = super().send_again(doubt)
        Ready.objects.filter(touch_id=doubt.touch_id).update(is_doubtful=False)
        Contact.objects.filter(ref=doubt.key).delete()
        return state


class DeafToRefusals(MortalOutbox):
    """What was claimed before the customer refused is still sent."""

    def halted(self, claim: Claim) -> set[int]:
        return set()


class GiveUpUnasked(MortalOutbox):
    """ "Not yet" from the gateway is taken for "never"."""

    def resolve(self, doubt: Doubt, finding: Any) -> str:
        return super().resolve(doubt, Refused("given_up") if isinstance(finding, Unclear) else finding)


DOUBTFUL = {"guarantee": "answers", "odds": Odds(lost=0.3, unclear_after=0.3, certain_no=0.05, pause=0.25)}
"""Worlds in which most calls end in doubt and workers sleep long: for faults that need two attempts to meet."""
SLEEPY = {"guarantee": "answers", "odds": Odds(pause=0.3)}

MUTANTS: dict[str, tuple[type[MortalOutbox], dict[str, Any]]] = {
    "mark_after_send": (MarkAfterSend, {}),
    "mark_before_send": (MarkBeforeSend, {}),
    "retry_unclear": (RetryUnclear, {}),
    "settle_at_once": (SettleAtOnce, {"guarantee": "answers", "odds": Odds(late=0.4)}),
    "no_lease_check": (NoLeaseCheck, {}),
    "no_fence": (NoFence, SLEEPY),
    "any_attempt": (AnyAttempt, DOUBTFUL),
    "drop_unknown": (DropUnknown, {}),
    "own_clock": (OwnClock, {"skew": 90.0}),
    "stop_outside_claim": (StopOutsideClaim, {}),
    "lease_too_short": (LeaseTooShort, {}),
    "count_then_claim": (CountThenClaim, {"odds": Odds(kill=0.0, pause=0.25)}),
    "cap_given_back_too_soon": (CapGivenBackTooSoon, {}),
    "forget_doubt": (ForgetDoubt, {"guarantee": "keeps_keys"}),
    "deaf_to_refusals": (DeafToRefusals, {}),
    "give_up_unasked": (GiveUpUnasked, DOUBTFUL),
}
