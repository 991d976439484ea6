"""Which campaigns and playbooks read a tag: through their segments, or as a stratum of the control group."""

from __future__ import annotations

from kequn.ops.audiences.queries import segments_using
from kequn.ops.campaigns import states
from kequn.ops.campaigns.models import Campaign
from kequn.ops.catalog.queries import playbooks_for_segments
from kequn.ops.tags.contracts import TagUser


def campaigns_using(name: str) -> list[TagUser]:
    """Return the campaigns that are not over and the playbooks that read a tag."""
    segments = {user.name for user in segments_using(name)}
    found = [TagUser("playbook", n, title) for n, title in playbooks_for_segments(segments)]
    for campaign in Campaign.objects.exclude(state__in=(states.FINISHED, states.STOPPED)):
        spec = campaign.spec
        strata = spec.holdout.strata if spec.holdout else ()
        if name in strata or segments & {spec.segment, *spec.exclude}:
            found.append(TagUser("campaign", campaign.name, spec.title))
    return found
