"""The touches of a frozen audience: what is said to each of the treated, rendered with what may be merged of her."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings

from kequn.core.segments import in_words, tags_in, understand
from kequn.core.spec.campaign import CampaignSpec, Play
from kequn.core.spec.merge import compile_text
from kequn.core.spec.offer import OfferSpec, TemplateSpec
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from kequn.core.stats import bucket
from kequn.ops.audiences.queries import customer_ids, segment_specs, shown_value, tag_values
from kequn.ops.campaigns.freezing import audience_table
from kequn.ops.campaigns.models import Audience, Wave
from kequn.ops.campaigns.planning import planned_moment
from kequn.ops.catalog import queries as catalog
from kequn.ops.catalog.services import FIELDS
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import people_by_id
from kequn.ops.customers.services import merge_fields
from kequn.ops.delivery.services import NewTouch
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branches_for, staff_for
from kequn.ops.tags.queries import catalogue

AT_ONCE = 1_000
FALLBACK = "客户"
OF_PERSON = frozenset({"family_name", "branch_name", "rm_name"})
BETWEEN = "\n—\n"
"""Between the Chinese and the English of an RM's reason."""
WORDS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Text:
    """What is said on one channel: the approved version, and whether it merges anything of the person."""

    play: Play
    fingerprint: str
    subject: str
    body: str

    @property
    def merges_person(self) -> bool:
        """Whether a field differs between customers."""
        fields = compile_text(self.subject, allowed=FIELDS).fields + compile_text(self.body, allowed=FIELDS).fields
        return bool(OF_PERSON & set(fields))


def ref_of(wave: Wave) -> str:
    """Return the reference under which delivery knows a wave."""
    return f"{wave.audience.key}-{wave.number}"


def in_turn(key: str, ordinals: np.ndarray, until: Decimal, since: Decimal = Decimal(0)) -> np.ndarray:
    """Return for whom of an audience the turn comes between two shares: a stable draw, the same for both arms.

    Args:
        key: the audience's key, which salts the draw.
        ordinals: uint32, one a customer.
        until, since: shares of the audience in [0, 1]; ``until`` is not in.
    """
    if since == 0 and until == 1:
        return np.ones(len(ordinals), dtype=bool)
    drawn = bucket(f"{key}:wave", customer_ids(ordinals))
    return (drawn >= float(since)) & (drawn < float(until))


def touches_of(actor: Actor, wave: Wave, *, now: datetime) -> Iterator[NewTouch]:
    """Yield the touches of a wave's treated, in order of ordinals; the control group has none."""
    audience = wave.audience
    spec: CampaignSpec = audience.campaign.spec
    pins = audience.pins["definitions"]
    offer = catalog.pinned("offer", spec.offer, pins["offer"][spec.offer])
    texts = {play.channel: _text(play, pins) for play in reversed(spec.plays)}
    zone = catalog.policy().zone
    fixed = {
        "offer": spec.offer, "campaign": spec.name, "purpose": spec.purpose, "priority": spec.priority,
        "not_before": planned_moment(spec, now=now, zone=zone), "expires_at": end_of(spec.end_on, zone),
    }  # fmt: skip
    common = _common_values(offer, spec)
    reasons = _Reasons(audience, spec)
    table = audience_table(audience.key)
    rows = np.flatnonzero(np.array(table["arm"].to_pylist()) == "treated")
    ordinals, channels = table["ordinal"].to_numpy(), table["channel"].to_pylist()
    rows = rows[in_turn(audience.key, ordinals[rows], wave.to_share, wave.from_share)]
    for part in chunks(rows, AT_ONCE):
        ids = customer_ids(ordinals[part])
        values = _personal_values(actor, ids, [t for t in texts.values() if t.merges_person], common)
        told = reasons.of(ordinals[part]) if "rm_task" in texts else []
        for position, (row, customer_id) in enumerate(zip(part, ids, strict=True)):
            text = texts[channels[row]]
            if text.play.channel == "rm_task":
                yield _touch(text, customer_id, told[position], None, fixed)
            else:
                yield _touch(text, customer_id, text.body, values[customer_id], fixed)


def end_of(day: date, zone: str) -> datetime:
    """Return the instant at which a business day is over."""
    return datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(zone))


def _touch(
    text: Text, customer_id: str, body: str, values: Mapping[str, str] | None, fixed: dict[str, Any]
) -> NewTouch:
    return NewTouch(
        customer_id=customer_id, channel=text.play.channel, template=text.fingerprint, subject=text.subject, body=body,
        values=values, cost_cny=text.play.unit_cost_cny, **fixed,
    )  # fmt: skip


def _text(play: Play, pins: dict[str, dict[str, str]]) -> Text:
    if play.talk_track is not None and play.channel == "rm_task":
        return Text(play, pins["talk_track"][play.talk_track], "", "")
    assert play.template is not None
    fingerprint = pins["template"][play.template]
    template = catalog.pinned("template", play.template, fingerprint)
    return Text(play, fingerprint, template.subject, _with_opt_out(template))


def _with_opt_out(template: TemplateSpec) -> str:
    between = "\n\n" if template.channel == "email" else ""
    return f"{template.body}{between}{template.opt_out}" if template.opt_out else template.body


def _common_values(offer: OfferSpec, spec: CampaignSpec) -> dict[str, str]:
    """What all customers are told alike; what is not there has no value, and never a title that nobody approved."""
    product = catalog.products().get(offer.product)
    values = {
        "bank_name": settings.BANK_NAME,
        "valid_until": f"{offer.valid_until or spec.end_on:%Y-%m-%d}",
        "end_on": f"{spec.end_on:%Y-%m-%d}",
    }
    if product is not None:
        values["product_name"] = product.name
    if offer.benefit is not None:
        values["benefit"] = offer.benefit.zh
    return values


def _personal_values(
    actor: Actor, ids: list[str], texts: list[Text], common: dict[str, str]
) -> dict[str, dict[str, str]]:
    plain = dict.fromkeys(OF_PERSON, FALLBACK) | common
    if not texts:
        return dict.fromkeys(ids, plain)
    names = merge_fields(actor, ids)
    people = people_by_id(system_actor(), ids)
    branches = dict(branches_for(system_actor()).values_list("code", "name"))
    staff = dict(staff_for(system_actor()).values_list("staff_no", "display_name"))
    found = {}
    for customer_id in ids:
        person = people.get(customer_id)
        own = {
            "family_name": names.get(customer_id, {}).get("family_name") or FALLBACK,
            "branch_name": branches.get(person.branch_code, "") if person else "",
            "rm_name": staff.get(person.rm_no, "") if person else "",
        }
        found[customer_id] = plain | {k: v for k, v in own.items() if v}
    return found


class _Reasons:
    """Why an RM is to contact a customer: the segment in words, and what of it is true of her."""

    def __init__(self, audience: Audience, spec: CampaignSpec) -> None:
        self.as_of, tags, segments = audience.as_of, catalogue(), segment_specs()
        segment = segments.get(spec.segment)
        self.tags: list[TagSpec] = []
        self.head = {"zh": spec.title.zh, "en": spec.title.to("en")}
        if segment is not None:
            self.head = {language: self._head(spec, segment, language) for language in ("zh", "en")}
            names = tags_in(understand(segment, tags=tags, segments=segments))
            computed = [n for n in names if tags[n].sensitivity in ("C1", "C2")]
            self.tags = [tags[n] for n in computed][:WORDS_SHOWN]

    def _head(self, spec: CampaignSpec, segment: SegmentSpec, language: str) -> str:
        words = in_words(segment, tags=catalogue(), segments=segment_specs(), language=language)
        joined = "「{}」：{}" if language == "zh" else "{}: {}"
        return f"{spec.title.to(language)}\n" + joined.format(segment.title.to(language), words)

    def of(self, ordinals: np.ndarray) -> list[str]:
        """Return one text a customer, Chinese and English."""
        rows = tag_values(ordinals, self.as_of, [t.name for t in self.tags])
        return [BETWEEN.join(self._told(row, language) for language in ("zh", "en")) for row in rows]

    def _told(self, row: tuple[Any, ...], language: str) -> str:
        known = [(tag, value) for tag, value in zip(self.tags, row, strict=True) if value is not None]
        separator, colon = (";", ":") if language == "zh" else ("; ", ": ")
        facts = separator.join(
            f"{tag.title.to(language)}{colon}{shown_value(tag, value, language)}" for tag, value in known
        )
        return f"{self.head[language]}\n{facts}" if facts else self.head[language]
