"""The definitions a campaign stands on: found by name, with what is wrong or not yet approved about each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kequn.core.errors import KequnError
from kequn.core.gate import Content
from kequn.core.spec.campaign import CampaignSpec, ContactPolicySpec
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec, TemplateSpec
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.queries import check_segment, definitions_within, segment_specs
from kequn.ops.campaigns.contracts import Finding
from kequn.ops.catalog import queries as catalog
from kequn.ops.catalog.services import content_marks
from kequn.ops.governance.queries import open_approval

KIND_WORDS = {
    "offer": ("推荐方案", "offer"), "template": ("内容模板", "template"), "talk_track": ("话术", "talk track"),
    "metric": ("指标", "metric"), "contact_policy": ("触达策略", "contact policy"), "segment": ("客群", "segment"),
    "list": ("名单", "list"), "tag": ("标签", "tag"),
}  # fmt: skip


@dataclass(slots=True)
class Definitions:
    """What was found, and what is missing."""

    segment: SegmentSpec | None = None
    exclude: dict[str, SegmentSpec] = field(default_factory=dict)
    segments: dict[str, SegmentSpec] = field(default_factory=dict)
    """Every segment that rules may refer to."""
    offer: OfferSpec | None = None
    templates: dict[str, TemplateSpec] = field(default_factory=dict)
    talk_tracks: dict[str, TalkTrackSpec] = field(default_factory=dict)
    goal: MetricSpec | None = None
    guardrails: dict[str, MetricSpec] = field(default_factory=dict)
    policy: ContactPolicySpec | None = None
    findings: list[Finding] = field(default_factory=list)
    pins: dict[str, dict[str, str]] = field(default_factory=dict)
    """{kind: {name: fingerprint}}; of an uploaded list the hash of its content."""
    waiting: set[tuple[str, str]] = field(default_factory=set)
    """(kind, name) of what is there but not approved."""

    @property
    def blocks(self) -> list[Finding]:
        """What stands in the way of a freeze."""
        return [finding for finding in self.findings if finding.grade == "block"]

    @property
    def to_be_approved(self) -> dict[str, dict[str, str]]:
        """The versions a campaign's approval is given for: all but the contact policy, of which the one in force counts."""
        return {kind: names for kind, names in self.pins.items() if kind != "contact_policy"}

    @property
    def can_be_planned(self) -> bool:
        """Whether there is enough to compute an audience, approved or not."""
        return self.segment is not None and self.offer is not None and self.policy is not None


def find_definitions(spec: CampaignSpec) -> Definitions:
    """Return what a campaign refers to: of each name the approved version, else the newest, with a block for the latter."""
    found = Definitions()
    _segments(found, spec)
    found.offer = _one(found, "offer", spec.offer)
    for play in spec.plays:
        if play.talk_track is not None:
            found.talk_tracks[play.talk_track] = _one(found, "talk_track", play.talk_track)
        if play.template is not None:
            template = _one(found, "template", play.template)
            found.templates[play.template] = template
            if template is not None and template.channel != play.channel:
                zh = f"模板 {play.template} 是为 {template.channel} 写的，不能用于 {play.channel}"
                en = f"The template {play.template!r} is for {template.channel}, not for {play.channel}"
                found.findings.append(Finding("wrong_channel", "block", zh, en))
    _mergeable(found)
    _marks(found, spec)
    found.goal = _one(found, "metric", spec.goal)
    found.guardrails = {name: m for name in spec.guardrails if (m := _one(found, "metric", name)) is not None}
    try:
        found.policy = catalog.policy()
        found.pins["contact_policy"] = {found.policy.name: found.policy.fingerprint()}
    except KequnError:
        found.findings.append(
            Finding("no_policy", "block", "没有已审批的触达策略", "There is no approved contact policy")
        )
    return found


def content_by_channel(found: Definitions, spec: CampaignSpec, *, as_if_approved: bool) -> dict[str, Content]:
    """Return what the gate must know of each channel's content; the first play of a channel counts."""
    content: dict[str, Content] = {}
    for play in spec.plays:
        if play.channel in content:
            continue
        kind, name = ("talk_track", play.talk_track) if play.talk_track else ("template", play.template)
        approved = name is not None and (kind, name) not in found.waiting and _there(found, kind, name)
        template = found.templates.get(play.template or "")
        content[play.channel] = Content(
            approved=approved or (as_if_approved and name is not None and _there(found, kind, name)),
            has_opt_out=bool(template and template.opt_out.strip()),
        )
    return content


def _there(found: Definitions, kind: str, name: str) -> bool:
    group: dict[str, object] = dict(found.talk_tracks if kind == "talk_track" else found.templates)
    return group.get(name) is not None


def _one(found: Definitions, kind: str, name: str):  # type: ignore[no-untyped-def]  # the spec's class goes with the kind
    zh, en = KIND_WORDS[kind]
    version = catalog.newest(kind, name)
    if version is None:
        message = (f"没有这个{zh}:{name}", f"There is no {en} {name!r}")
        found.findings.append(Finding(f"unknown_{kind}", "block", *message))
        return None
    if not version.is_current:
        found.waiting.add((kind, name))
        message = (f"{zh} {name} 尚未审批", f"The {en} {name!r} was not approved")
        found.findings.append(Finding(f"unapproved_{kind}", "block", *message))
    found.pins.setdefault(kind, {})[name] = version.fingerprint
    return version.spec


def _segments(found: Definitions, spec: CampaignSpec) -> None:
    approved, found.segments = segment_specs(approved_only=True), segment_specs()
    for name in (spec.segment, *spec.exclude):
        segment = found.segments.get(name)
        if segment is None:
            message = (f"没有这个客群：{name}", f"There is no segment {name!r}")
            found.findings.append(Finding("unknown_segment", "block", *message))
            continue
        try:
            check_segment(segment)
            read = definitions_within(segment, found.segments)
        except KequnError as error:
            found.findings.append(
                Finding("invalid_segment", "block", f"客群 {name} 不能计算：{error.message}", error.message)
            )
            continue
        _approved(found, read["segment"], approved)
        for kind, versions in read.items():
            found.pins.setdefault(kind, {}).update(versions)
        _as_approved(found, name, read["segment"])
        if name == spec.segment:
            found.segment = segment
        else:
            found.exclude[name] = segment


def _approved(found: Definitions, within: dict[str, str], approved: dict[str, SegmentSpec]) -> None:
    for name, fingerprint in within.items():
        if name not in approved or approved[name].fingerprint() != fingerprint:
            message = (f"客群 {name} 尚未审批", f"The segment {name!r} was not approved")
            if ("segment", name) not in found.waiting:
                found.findings.append(Finding("unapproved_segment", "block", *message))
            found.waiting.add(("segment", name))


def _as_approved(found: Definitions, name: str, within: Mapping[str, str]) -> None:
    """Caution where a tag that an approved segment reads is another version than when the segment was approved."""
    approval = open_approval("segment", name, within[name])
    then: dict[str, str] = approval.summary.get("versions", {}).get("tag", {}) if approval else {}
    now = found.pins.get("tag", {})
    if others := sorted(tag for tag in then if now.get(tag) != then[tag]):
        tags = ", ".join(others)
        zh = f"客群 {name} 批准之后，它所用的标签改过定义：{tags}"
        en = f"Tags that the segment {name!r} reads were changed after it was approved: {tags}"
        found.findings.append(Finding("tag_changed", "caution", zh, en))


def _mergeable(found: Definitions) -> None:
    """Block a text that merges a benefit which the offer does not have, before anybody is frozen for it."""
    if found.offer is None or found.offer.benefit is not None:
        return
    for name, template in found.templates.items():
        text = f"{template.subject}{template.body}{template.opt_out}" if template is not None else ""
        if re.search(r"{{\s*benefit\b", text):
            zh = f"模板 {name} 引用权益，但推荐方案没有权益"
            en = f"The template {name!r} merges a benefit, which the offer does not have"
            found.findings.append(Finding("no_benefit", "block", zh, en))


def _marks(found: Definitions, spec: CampaignSpec) -> None:
    texts: Sequence[object] = [t for t in (found.offer, *found.templates.values(), *found.talk_tracks.values()) if t]
    for text in texts:
        for mark in content_marks(text, purpose=spec.purpose):
            grade = "block" if mark.grade == "fault" else "caution"
            name = getattr(text, "name", "")
            zh, en = f"{name}:{mark.reason.zh} {mark.found}".strip(), f"{name}: {mark.reason.en} {mark.found}".strip()
            found.findings.append(Finding(f"content_{mark.code}", grade, zh, en))
