"""Campaigns: design, approval, freeze, launch, state, stop."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.api.sources import JobStarted
from kequn.core.errors import InvalidSpec
from kequn.core.spec.campaign import CampaignSpec
from kequn.ops.campaigns import queries, services
from kequn.ops.campaigns.reproducing import reproduce_audience

router = Router(tags=["campaigns 营销活动"])


class CampaignOut(Schema):
    """A campaign and how far it is."""

    id: int
    name: str
    title: str
    fingerprint: str
    state: str
    owner_name: str
    changed_at: datetime


class ReasonIn(Schema):
    """Why."""

    reason: str = ""


class WaveOut(Schema):
    """One wave: customers of the audience between two shares."""

    number: int
    from_share: Decimal
    to_share: Decimal
    launched_by: str
    launched_at: datetime
    done_at: datetime | None


class PauseOut(Schema):
    """A branch in which a campaign pauses."""

    branch_code: str
    reason: str
    by: str
    at: datetime


class LiftedOut(Schema):
    """Whether there was something to lift."""

    lifted: bool


def _out(campaign: Any) -> dict[str, Any]:
    return {
        "id": campaign.pk, "name": campaign.name, "title": str(campaign.spec.title), "fingerprint": campaign.fingerprint,
        "state": campaign.state, "owner_name": campaign.owner_name, "changed_at": campaign.changed_at,
    }  # fmt: skip


def _id(request: Request, name: str) -> int:
    found: int = queries.campaign_named(request.actor, name).pk
    return found


@router.get("", response=list[CampaignOut], summary="Campaigns in sight, the last changed first")
def list_campaigns(
    request: Request, state: str | None = None, limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    return [_out(c) for c in queries.campaigns_for(request.actor, state=state)[offset : offset + min(limit, 500)]]


@router.post("/design", response=dict[str, Any], summary="What a campaign that need not be saved would be")
def design_draft(request: Request, spec: CampaignSpec, as_of: date | None = None) -> Any:
    return plain(queries.design_campaign(request.actor, spec, as_of=as_of))


@router.put("/{name}", response=CampaignOut, summary="Save; a change of meaning voids an approval")
def save(request: Request, name: str, spec: CampaignSpec) -> dict[str, Any]:
    if spec.name != name:
        raise InvalidSpec(f"The address says {name!r}, the document {spec.name!r}.", hint="Use one name.")
    return _out(services.save_campaign(request.actor, spec))


@router.get("/{name}", response=CampaignOut, summary="One campaign")
def show(request: Request, name: str) -> dict[str, Any]:
    return _out(queries.campaign_named(request.actor, name))


@router.get("/{name}/spec", response=CampaignSpec, by_alias=True, summary="Its definition")
def spec_of(request: Request, name: str) -> Any:
    return queries.campaign_named(request.actor, name).spec


@router.get("/{name}/design", response=dict[str, Any], summary="Sizes, who may be contacted, cost, detectable lift")
def design(request: Request, name: str, as_of: date | None = None) -> Any:
    return plain(queries.design_campaign(request.actor, _id(request, name), as_of=as_of))


@router.post("/{name}/submission", response=CampaignOut, summary="Ask for approval")
def submit(request: Request, name: str, why: ReasonIn) -> dict[str, Any]:
    return _out(services.submit_campaign(request.actor, _id(request, name), reason=why.reason))


@router.put("/{name}/audience", response={202: JobStarted}, summary="Freeze the audience; twice gives the same")
def freeze(request: Request, name: str, as_of: date | None = None) -> Any:
    job = services.request_freeze(request.actor, _id(request, name), as_of=as_of)
    return Status(202, {"job": job.pk, "state": job.state})


@router.put("/{name}/launch", response={202: JobStarted}, summary="Put the touches of the treated in line")
def launch(request: Request, name: str, share: Decimal = services.WHOLE) -> Any:
    job = services.request_launch(request.actor, _id(request, name), share=share)
    return Status(202, {"job": job.pk, "state": job.state})


@router.get(
    "/{name}/waves", response=list[WaveOut], summary="The waves launched so far, and how much of the audience they are"
)
def waves(request: Request, name: str) -> Any:
    return queries.waves_of(queries.campaign_named(request.actor, name))


@router.put("/{name}/pauses/{branch}", response=PauseOut, summary="Pause a campaign in one branch and all below it")
def pause(request: Request, name: str, branch: str, why: ReasonIn) -> Any:
    return services.pause_branch(request.actor, _id(request, name), branch, reason=why.reason)


@router.delete("/{name}/pauses/{branch}", response=LiftedOut, summary="Lift the pause of a branch")
def lift(request: Request, name: str, branch: str) -> Any:
    return {"lifted": services.resume_branch(request.actor, _id(request, name), branch)}


@router.post("/{name}/copy", response=CampaignOut, summary="Draft the next campaign from this one")
def copy(request: Request, name: str) -> Any:
    return _out(services.copy_campaign(request.actor, _id(request, name)))


@router.get(
    "/{name}/reproduction", response=dict[str, Any], summary="The frozen audience made again from its pinned versions"
)
def reproduction(request: Request, name: str) -> Any:
    found = reproduce_audience(request.actor, name)
    return {**plain(found), "is_equal": found.is_equal}


@router.get("/{name}/funnel", response=dict[str, Any], summary="Audience, arms, touches by state, refusals by reason")
def funnel(request: Request, name: str) -> Any:
    return plain(queries.funnel_for(request.actor, _id(request, name))) or {}


@router.put("/{name}/stop", response=CampaignOut, summary="Stop at once")
def stop(request: Request, name: str, why: ReasonIn) -> dict[str, Any]:
    return _out(services.stop_campaign(request.actor, _id(request, name), reason=why.reason))


@router.delete("/{name}/stop", response=CampaignOut, summary="Start a stopped campaign again; a checker's right")
def resume(request: Request, name: str) -> dict[str, Any]:
    return _out(services.resume_campaign(request.actor, _id(request, name)))
