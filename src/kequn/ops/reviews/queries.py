"""Reviews within an actor's sight."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from pydantic import TypeAdapter

from kequn.core.errors import NotAllowed
from kequn.ops.orgs.actor import Actor
from kequn.ops.reviews.contracts import CampaignReview, ExperimentReview
from kequn.ops.reviews.models import Review

_results: dict[str, TypeAdapter[Any]] = {
    "campaign": TypeAdapter(CampaignReview),
    "experiment": TypeAdapter(ExperimentReview),
}


def reviews_for(actor: Actor, *, name: str | None = None) -> QuerySet[Review]:
    """Return the reviews an actor sees: of her branches and those above, the latest first."""
    actor.must("review.view")
    rows = Review.objects.all()
    if not actor.sees_all_branches:
        parts = actor.branch_path.strip("/").split("/")
        above = ["/", *("/" + "/".join(parts[:n]) + "/" for n in range(1, len(parts) + 1))]
        rows = rows.filter(Q(branch_path__in=above) | Q(branch_path__startswith=actor.branch_path))
    return rows.filter(name=name) if name else rows


def review_for(actor: Actor, review_id: int) -> Review:
    """Return one review.

    Raises:
        NotAllowed: not there, or not in the actor's sight; the two look the same.
    """
    row = reviews_for(actor).filter(pk=review_id).first()
    if row is None:
        raise NotAllowed("There is no such review in your scope.", review=review_id)
    return row


def latest_review(actor: Actor, name: str) -> Review | None:
    """Return the latest review of a campaign or experiment."""
    return reviews_for(actor, name=name).first()


def result_of(review: Review) -> CampaignReview | ExperimentReview:
    """Return what a stored review says."""
    found: CampaignReview | ExperimentReview = _results[review.kind].validate_python(review.result)
    return found


def as_json(result: CampaignReview | ExperimentReview) -> dict[str, Any]:
    """Return a result as plain JSON."""
    kind = "campaign" if isinstance(result, CampaignReview) else "experiment"
    plain: dict[str, Any] = _results[kind].dump_python(result, mode="json")
    return plain
