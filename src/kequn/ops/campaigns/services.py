"""Save, submit, freeze, launch, stop and finish campaigns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import ROUND_UP, Decimal
from typing import Any

from django.db import IntegrityError, transaction
from pydantic import TypeAdapter

from kequn.core.errors import Conflict, InvalidSpec, KequnError, NotAllowed, NotApproved
from kequn.core.spec.campaign import CampaignSpec
from kequn.ops.audiences.queries import bank_today, changed, latest_date
from kequn.ops.campaigns import states
from kequn.ops.campaigns.contracts import Design
from kequn.ops.campaigns.definitions import find_definitions
from kequn.ops.campaigns.freezing import Frozen, forget, freeze
from kequn.ops.campaigns.launching import ref_of, touches_of
from kequn.ops.campaigns.models import Audience, BranchPause, Campaign, Wave
from kequn.ops.campaigns.queries import (
    audience_of,
    campaign_for,
    design_campaign,
    over_on,
    own_campaign_for,
    reach_of,
)
from kequn.ops.delivery.services import cancel, create_touches
from kequn.ops.delivery.services import resume as lift_stop
from kequn.ops.delivery.services import stop as stop_delivery
from kequn.ops.governance.queries import is_approved, open_approval
from kequn.ops.governance.services import Approval, record, submit, withdraw
from kequn.ops.jobs.services import Job, Running, enqueue
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branches_for
from kequn.ops.runtime import now
from kequn.ops.workbench.services import cancel_tasks

Progress = Callable[[int, int | None, str], None]
_designs = TypeAdapter(Design)
WHOLE = Decimal(1)


def _silent(done: int, total: int | None = None, message: str = "") -> None:
    del done, total, message


# -- before the freeze --------------------------------------------------------------------------------------------------


def save_campaign(actor: Actor, spec: CampaignSpec) -> Campaign:
    """Create a campaign, or change it as long as its audience is not frozen. A change of meaning voids an approval.

    Raises:
        Conflict: the audience is frozen.
        NotAllowed: the name belongs to a campaign outside the actor's branches.
    """
    actor.must("campaign.edit")
    moment, fingerprint = now(), spec.fingerprint()
    try:
        with transaction.atomic():
            campaign = Campaign.objects.create(
                name=spec.name, spec=spec, fingerprint=fingerprint, owner_id=actor.user_id, owner_name=actor.display_name,
                branch_path=actor.branch_path, created_at=moment, changed_at=moment,
            )  # fmt: skip
            record(actor, "campaign.saved", campaign, name=spec.name, fingerprint=fingerprint)
    except IntegrityError:
        return _change(actor, Campaign.objects.get(name=spec.name), spec)
    return campaign


def _change(actor: Actor, campaign: Campaign, spec: CampaignSpec) -> Campaign:
    if not actor.sees_all_branches and not campaign.branch_path.startswith(actor.branch_path):
        raise NotAllowed(f"The name {spec.name!r} is taken.", hint="Choose another name.", campaign=spec.name)
    if campaign.spec == spec:
        return campaign
    if campaign.state not in states.EDITABLE:
        raise Conflict(
            f"The campaign is {campaign.state}; it no longer changes.", hint="Make a new one.", campaign=spec.name
        )
    fingerprint, before = spec.fingerprint(), campaign.fingerprint
    fields: dict[str, Any] = {"spec": spec, "fingerprint": fingerprint, "changed_at": now()}
    if fingerprint != before:
        fields |= {
            "state": states.DRAFT, "design": None, "approved_fingerprint": "", "approved_at": None, "approved_by": "",
        }  # fmt: skip
    with transaction.atomic():
        if fingerprint != before:
            withdraw(actor, "campaign", campaign.name, before)
        moved = Campaign.objects.filter(pk=campaign.pk, state=campaign.state, fingerprint=before).update(**fields)
        if not moved:
            raise Conflict("Somebody was faster.", hint="Reload.", campaign=spec.name)
        record(actor, "campaign.changed", campaign, before=before, after=fingerprint)
    campaign.refresh_from_db()
    return campaign


def copy_campaign(actor: Actor, campaign_id: int) -> Campaign:
    """Draft the next campaign from one there is: the same in all but name and dates, with a control group drawn anew.

    Asked again before anything else is drafted from it, it gives the same draft.
    """
    actor.must("campaign.edit")
    source = campaign_for(actor, campaign_id)
    stem, n = source.name.rstrip("0123456789").rstrip("_")[:58], 2
    while (taken := Campaign.objects.filter(name=f"{stem}_{n}").first()) is not None:
        if taken.state == states.DRAFT and taken.owner_id == actor.user_id:
            return taken
        n += 1
    name, spec, today = f"{stem}_{n}", source.spec, bank_today()
    fields: dict[str, Any] = {"name": name, "start_on": today, "end_on": today + (spec.end_on - spec.start_on)}
    if spec.holdout is not None:
        fields["holdout"] = spec.holdout.model_copy(update={"salt": name})
    return save_campaign(actor, spec.model_copy(update=fields))


def submit_campaign(actor: Actor, campaign_id: int, *, reason: str = "") -> Campaign:
    """Ask for approval; the checker is shown the design. Asking twice gives the same submission.

    Raises:
        InvalidSpec: the design has blocks.
        Conflict: nothing can be computed yet, or the campaign is past that.
    """
    actor.must("campaign.submit")
    campaign = own_campaign_for(actor, campaign_id)
    versions = find_definitions(campaign.spec).to_be_approved
    if campaign.state in (states.SUBMITTED, states.APPROVED):
        if _approved_versions(campaign) == versions:
            return campaign
        _take_back(actor, campaign)
    _may_move(campaign, states.SUBMITTED)
    design = design_campaign(actor, campaign_id)
    if design.blocks:
        raise InvalidSpec(
            "; ".join(f.en for f in design.blocks) + ".",
            hint="Cure what is named, then submit again.",
            codes=",".join(f.code for f in design.blocks),
        )
    if campaign.spec.evaluation == "reach_all" and campaign.spec.purpose == "marketing" and not reason.strip():
        raise InvalidSpec(
            "Contacting everybody leaves nothing to compare with.", hint="Say why no control group can be held out."
        )
    plain = _designs.dump_python(design, mode="json")
    with transaction.atomic():
        _move(actor, campaign, states.SUBMITTED, design=plain, submitted_at=now())
        summary = {
            "design": plain,
            "reason": reason[:500],
            "versions": versions,
            "spec": campaign.spec.model_dump(mode="json", by_alias=True),
        }
        submit(actor, "campaign", campaign.name, campaign.fingerprint, title=campaign.spec.title.zh, summary=summary)
    return campaign


def decide_campaign(actor: Actor, approval: Approval) -> None:
    """Follow a decision. Runs within the decision's transaction.

    Raises:
        Conflict: the campaign, or a version it refers to, was changed since; what the checker saw is no longer there.
    """
    campaign = Campaign.objects.filter(name=approval.name).first()
    if campaign is None or campaign.fingerprint != approval.fingerprint:
        raise Conflict("The campaign was changed since.", hint="Reload.", campaign=approval.name)
    if approval.state == Approval.State.REFUSED:
        _move(actor, campaign, states.REFUSED)
        return
    if others := changed(approval.summary.get("versions", {}), find_definitions(campaign.spec).to_be_approved):
        raise Conflict(
            f"What the campaign refers to was changed since: {', '.join(name for _, name in others)}.",
            hint="Its maker submits it again.", campaign=approval.name,
        )  # fmt: skip
    _move(
        actor, campaign, states.APPROVED, approved_at=now(), approved_by=actor.display_name,
        approved_fingerprint=approval.fingerprint,
    )  # fmt: skip


# -- the freeze ---------------------------------------------------------------------------------------------------------


def request_freeze(actor: Actor, campaign_id: int, *, as_of: date | None = None) -> Job:
    """Queue the freeze."""
    actor.must("audience.freeze")
    campaign = _must_be_approved(own_campaign_for(actor, campaign_id))
    params = {"campaign": campaign.pk, "as_of": as_of.isoformat() if as_of else None}
    return enqueue(actor, "campaign.freeze", params, key=campaign.name)


def freeze_campaign(
    actor: Actor, campaign_id: int, *, as_of: date | None = None, progress: Progress = _silent
) -> Audience:
    """Fix who is in, in which arm and why, on one business date; the second call returns the first answer.

    Raises:
        NotApproved: the campaign, or something it refers to, is not approved as it now stands.
    """
    actor.must("audience.freeze")
    campaign = own_campaign_for(actor, campaign_id)
    if (before := audience_of(campaign)) is not None:
        return before
    _must_be_approved(campaign)
    moment = now()
    frozen = freeze(
        reach_of(actor, campaign), campaign.spec, approved=_approved_versions(campaign), as_of=as_of or latest_date(),
        now=moment, progress=progress,
    )  # fmt: skip
    try:
        with transaction.atomic():
            audience = Audience.objects.create(
                campaign=campaign, frozen_by=actor.username, frozen_at=moment, **_counts(frozen)
            )
            _move(actor, campaign, states.FROZEN, audit=False)
            record(
                actor,
                "audience.frozen",
                audience,
                campaign=campaign.name,
                treated=frozen.treated,
                control=frozen.control,
            )
    except (IntegrityError, Conflict):
        forget(frozen.key, now=now())
        first = audience_of(campaign)
        if first is None:
            raise
        return first
    return audience


def freeze_job(running: Running) -> dict[str, Any]:
    """Do a queued freeze."""
    day = running.params.get("as_of")
    audience = freeze_campaign(
        running.actor,
        running.params["campaign"],
        as_of=date.fromisoformat(day) if day else None,
        progress=running.progress,
    )
    return {"campaign": running.params["campaign"], "treated": audience.treated, "control": audience.control}


def _counts(frozen: Frozen) -> dict[str, Any]:
    return {
        "key": frozen.key, "as_of": frozen.as_of, "members": frozen.members, "excluded": frozen.excluded,
        "passed": frozen.treated + frozen.control, "treated": frozen.treated, "control": frozen.control,
        "blocks": frozen.blocks, "by_channel": frozen.by_channel, "pins": frozen.pins,
    }  # fmt: skip


def _approved_versions(campaign: Campaign) -> dict[str, dict[str, str]]:
    """The versions of all it refers to that the open submission or approval is about."""
    approval = open_approval("campaign", campaign.name, campaign.fingerprint)
    versions: dict[str, dict[str, str]] = approval.summary.get("versions", {}) if approval else {}
    return versions


def _take_back(actor: Actor, campaign: Campaign) -> None:
    """Void a submission or approval that was given for other versions than are there now."""
    with transaction.atomic():
        withdraw(actor, "campaign", campaign.name, campaign.fingerprint)
        _move(
            actor, campaign, states.DRAFT, design=None, approved_fingerprint="", approved_at=None, approved_by=""
        )  # fmt: skip


def _must_be_approved(campaign: Campaign) -> Campaign:
    approved = campaign.approved_fingerprint == campaign.fingerprint
    if not approved or not is_approved("campaign", campaign.name, campaign.fingerprint):
        raise NotApproved(
            f"The campaign {campaign.name!r} awaits approval.", hint="Ask a checker.", campaign=campaign.name
        )
    return campaign


# -- running ------------------------------------------------------------------------------------------------------------


def request_launch(actor: Actor, campaign_id: int, *, share: Decimal = WHOLE) -> Job:
    """Queue the launch of a first share of the audience, or of more of it.

    Raises:
        InvalidSpec: the share does not lie above 0 and up to 1.
    """
    actor.must("campaign.launch")
    campaign = own_campaign_for(actor, campaign_id)
    params = {"campaign": campaign.pk, "share": str(_checked(share))}
    return enqueue(actor, "campaign.launch", params, key=campaign.name)


def launch_campaign(actor: Actor, campaign_id: int, *, share: Decimal = WHOLE, progress: Progress = _silent) -> int:
    """Put the touches of the treated in line, up to a share of the audience; return how many were added.

    The first call with 0.01 sends a wave of one in a hundred, a later one with 1 the rest. A call that was cut off is
    repeated: its wave is finished first, and touches are made once each. The control group gets none.

    Raises:
        Conflict: the audience is not frozen, the campaign is stopped or finished, or more than the share was launched.
        InvalidSpec: the share does not lie above 0 and up to 1.
        NotApproved: it is not approved as it stands.
    """
    actor.must("campaign.launch")
    campaign = own_campaign_for(actor, campaign_id)
    audience = audience_of(campaign)
    if audience is None or campaign.state not in (states.FROZEN, states.RUNNING):
        raise Conflict(
            f"A campaign that is {campaign.state} cannot be launched.", hint="Freeze it first.", campaign=campaign.name
        )
    _must_be_approved(campaign)
    wave = _next_wave(actor, audience, _checked(share))
    if wave is None:
        return 0
    progress(0, audience.treated, "touches")
    added = create_touches(actor, ref_of(wave), touches_of(actor, wave, now=now()))
    progress(audience.treated, audience.treated, "done")
    with transaction.atomic():
        if campaign.state == states.FROZEN:
            _move(actor, campaign, states.RUNNING, launched_at=now())
        if Wave.objects.filter(pk=wave.pk, done_at__isnull=True).update(done_at=now()):
            record(actor, "wave.launched", campaign, number=wave.number, until=str(wave.to_share), touches=added)
    return added


def _checked(share: Decimal) -> Decimal:
    if not 0 < share <= 1:
        raise InvalidSpec("A share lies above 0 and up to 1.", hint="Write 0.01 for 1%.", share=str(share))
    return share.quantize(Decimal("0.0001"), ROUND_UP)


def _next_wave(actor: Actor, audience: Audience, share: Decimal) -> Wave | None:
    """Return the wave to be put in line: one that was cut off, or a new one; ``None`` when so much is launched already."""
    last = audience.waves.select_related("audience").last()
    if last is not None and last.done_at is None:
        return last
    since = last.to_share if last is not None else Decimal(0)
    if share == since:
        return None
    if share < since:
        raise Conflict(
            f"{since:.2%} of the audience is launched already.", hint="Choose a larger share, or stop the campaign.",
            campaign=audience.campaign.name,
        )  # fmt: skip
    try:
        with transaction.atomic():
            return Wave.objects.create(
                audience=audience, number=last.number + 1 if last else 1, from_share=since, to_share=share,
                launched_by=actor.username, launched_at=now(),
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("Somebody was faster.", hint="Reload.", campaign=audience.campaign.name) from None


def launch_job(running: Running) -> dict[str, Any]:
    """Do a queued launch."""
    share = Decimal(running.params.get("share", "1"))
    added = launch_campaign(running.actor, running.params["campaign"], share=share, progress=running.progress)
    return {"touches": added}


def pause_branch(actor: Actor, campaign_id: int, branch_code: str, *, reason: str) -> BranchPause:
    """Pause a campaign in one branch and all below it: what waits for its customers is held.

    Raises:
        NotAllowed: the branch is not one of the actor's.
        Conflict: the campaign does not run, or no reason was given.
    """
    actor.must("campaign.stop")
    campaign = campaign_for(actor, campaign_id)
    branch = branches_for(actor).filter(code=branch_code).first()
    if branch is None:
        raise NotAllowed(f"The branch {branch_code!r} is not one of yours.", branch=branch_code, right="campaign.stop")
    if campaign.state != states.RUNNING:
        raise Conflict(f"A campaign that is {campaign.state} does not pause.", campaign=campaign.name)
    if not reason.strip():
        raise Conflict("Say why it is stopped.", hint="Who lifts the pause reads it.")
    with transaction.atomic():
        row, is_new = BranchPause.objects.get_or_create(
            campaign=campaign, branch_code=branch.code,
            defaults={"branch_path": branch.path, "reason": reason[:200], "by": actor.display_name, "at": now()},
        )  # fmt: skip
        if is_new:
            record(actor, "campaign.branch_paused", campaign, branch=branch.code, reason=reason[:200])
    return row


def resume_branch(actor: Actor, campaign_id: int, branch_code: str) -> bool:
    """Lift the pause of a branch; return whether there was one. Whoever launches campaigns, or a checker, may."""
    if not actor.may("approval.decide"):
        actor.must("campaign.launch")
    campaign = own_campaign_for(actor, campaign_id)
    with transaction.atomic():
        lifted, _ = BranchPause.objects.filter(campaign=campaign, branch_code=branch_code).delete()
        if lifted:
            record(actor, "campaign.branch_resumed", campaign, branch=branch_code)
    return bool(lifted)


def stop_campaign(actor: Actor, campaign_id: int, *, reason: str) -> Campaign:
    """Stop a running campaign at once: at most the claim under way still leaves.

    Raises:
        Conflict: it does not run, or no reason was given.
    """
    actor.must("campaign.stop")
    campaign = campaign_for(actor, campaign_id)
    if campaign.state == states.STOPPED:
        return campaign
    if not reason.strip():
        raise Conflict("Say why it is stopped.", hint="The checker who starts it again reads it.")
    with transaction.atomic():
        _move(actor, campaign, states.STOPPED, stopped_at=now(), stop_reason=reason[:200])
        stop_delivery(actor, "campaign", campaign.name, reason=reason)
    return campaign


def resume_campaign(actor: Actor, campaign_id: int) -> Campaign:
    """Start a stopped campaign again; only a checker may.

    Raises:
        NotApproved: it is not approved as it stands.
    """
    actor.must("approval.decide")
    campaign = own_campaign_for(actor, campaign_id)
    if campaign.state == states.RUNNING:
        return campaign
    if campaign.state != states.STOPPED:
        raise Conflict(f"A campaign that is {campaign.state} is not resumed.", campaign=campaign.name)
    _must_be_approved(campaign)
    with transaction.atomic():
        _move(actor, campaign, states.RUNNING)
        lift_stop(actor, "campaign", campaign.name)
    return campaign


def finish_campaign(actor: Actor, campaign_id: int) -> Campaign:
    """End a campaign for good: what still waits is cancelled."""
    if not (actor.may("campaign.launch") or actor.may("job.run")):
        actor.must("campaign.launch")
    campaign = own_campaign_for(actor, campaign_id)
    if campaign.state == states.FINISHED:
        return campaign
    with transaction.atomic():
        _move(actor, campaign, states.FINISHED, finished_at=now())
        cancel(actor, "campaign", campaign.name, reason="finished")
        cancel_tasks(actor, campaign.name)
    return campaign


def finish_due_campaigns(actor: Actor) -> int:
    """End the campaigns whose last day is over (the worker, daily); return how many."""
    actor.must("job.run")
    ended = 0
    for campaign in over_on(bank_today()):
        try:
            finish_campaign(actor, campaign.pk)
            ended += 1
        except KequnError:  # somebody ended or stopped it meanwhile
            continue
    return ended


# -- the state machine --------------------------------------------------------------------------------------------------


def _may_move(campaign: Campaign, state: str) -> None:
    if state not in states.TRANSITIONS[campaign.state]:
        raise Conflict(f"A campaign that is {campaign.state} cannot become {state}.", campaign=campaign.name)


def _move(actor: Actor, campaign: Campaign, state: str, *, audit: bool = True, **fields: object) -> None:
    """Take one step by compare-and-set, within the caller's transaction."""
    _may_move(campaign, state)
    rows = Campaign.objects.filter(pk=campaign.pk, state=campaign.state, fingerprint=campaign.fingerprint)
    if not rows.update(state=state, changed_at=now(), **fields):
        raise Conflict("Somebody was faster.", hint="Reload.", campaign=campaign.name)
    if audit:
        record(actor, f"campaign.{state}", campaign, name=campaign.name, fingerprint=campaign.fingerprint)
    campaign.refresh_from_db()
