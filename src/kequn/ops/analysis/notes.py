"""How the blocks of a segment's note are made, and the last of them kept."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from typing import Any
from weakref import WeakValueDictionary

from pydantic import TypeAdapter

from kequn.core.engine.index.bits import from_ordinals
from kequn.core.errors import KequnError
from kequn.core.insight import find_drivers, profile
from kequn.core.insight.answers import answers_of
from kequn.core.insight.money import BankMoney, bank_money_of, cash_flow_of, worth_of
from kequn.core.insight.products import holdings_of
from kequn.core.insight.rhythm import rhythm
from kequn.core.insight.sentences import (
    about_answers,
    about_cash_flow,
    about_channels,
    about_differences,
    about_holdings,
    about_size,
    about_worth,
    leanings,
)
from kequn.core.spec.base import Text
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.analysis import cubes
from kequn.ops.analysis.contracts import BLOCK_TITLES, ControlResult, NoteBlock
from kequn.ops.audiences.queries import (
    Ordinals,
    bank_for,
    dates,
    definitions_within,
    members_of,
    scope_key,
    segment_specs,
    tags_within,
)
from kequn.ops.audiences.services import profile_segment
from kequn.ops.campaigns.queries import campaigns_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.reviews.contracts import CampaignReview
from kequn.ops.reviews.queries import latest_review, result_of
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

SEED = 20_260_630
"""Of the sample that drivers are looked for in: the same note says the same."""
WHO_TAGS = ("demo_age_band", "demo_gender", "demo_area_type", "asset_tier", "life_stage")
MOST_DATES = 6
MOST_KEPT = 256
UNKEPT = ("answers",)

Made = tuple[Text, dict[str, Any]]
Maker = Callable[[Actor, Any, date], Made]
_kept: OrderedDict[object, NoteBlock] = OrderedDict()
_making: WeakValueDictionary[object, threading.Lock] = WeakValueDictionary()
_lock = threading.Lock()


def block_of(actor: Actor, version: Any, block: str, day: date) -> NoteBlock:
    """Return a block, as it was kept for this state of the data, this scope and this rule, or made anew."""
    spec: SegmentSpec = version.spec
    key = (str(engine().store.root), engine().manifest.version, scope_key(actor), pinned(spec), day, block, actor.role)
    if block in UNKEPT:
        return _made(actor, version, block, day)
    with _lock:
        making = _making.setdefault(key, threading.Lock())
    with making:  # two parts of a page may rest on the same block: the second waits for the first
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                return _kept[key]
        made = _made(actor, version, block, day)
        with _lock:
            _kept[key] = made
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
    return made


def _made(actor: Actor, version: Any, block: str, day: date) -> NoteBlock:
    sentence, data = _makers[block](actor, version, day)
    return NoteBlock(block, day, BLOCK_TITLES[block], sentence, data)


def pinned(spec: SegmentSpec) -> str:
    """Return what the members of a segment depend on besides the data, as one text."""
    return json.dumps(definitions_within(spec), sort_keys=True)


def population_of(actor: Actor, day: date) -> Ordinals:
    """Return the ordinals of all customers the actor reaches."""
    index = bank_for(actor).index(day)
    return index.loops.decode(index.population)


def bank_money(actor: Actor, day: date) -> BankMoney:
    """Return what a segment's money is compared with: that of all the actor reaches, kept until the data change."""

    def make() -> BankMoney:
        return bank_money_of(engine(), population_of(actor, day), as_of=day)

    return cubes.get_part(engine(), f"money:{scope_key(actor)}:{day}", TypeAdapter(BankMoney), make)


def _who(actor: Actor, version: Any, day: date) -> Made:
    members, population = members_of(actor, version.spec, as_of=day), population_of(actor, day)
    bank = bank_for(actor)
    computed = engine().manifest.dates[day.isoformat()].tags
    shown = [name for name in WHO_TAGS if name in computed and name in catalogue()]
    found = profile(bank, members, tags=catalogue(), as_of=day, only=shown)
    sizes = _sizes(actor, version.spec, day)
    sentence = about_size(len(members), len(population), sizes)
    return sentence, {"profile": found, "sizes": sizes, "size": len(members), "bank": len(population)}


def _sizes(actor: Actor, spec: SegmentSpec, day: date) -> list[tuple[str, int]]:
    """How many members there were on the last dates with tags; dates that lack a tag of the rule are left out."""
    found = []
    for past in [d for d in dates() if d <= day][:MOST_DATES]:
        try:
            found.append((past.isoformat(), len(members_of(actor, spec, as_of=past))))
        except KequnError:
            continue
    return sorted(found)


def _different(actor: Actor, version: Any, day: date) -> Made:
    known = profile_segment(actor, version.pk, as_of=day)
    members, tags = members_of(actor, version.spec, as_of=day), catalogue()
    defining = tags_within(version.spec, segment_specs() | {version.name: version.spec})
    drivers = find_drivers(bank_for(actor), members, tags=tags, as_of=day, seed=SEED, defining=defining)
    found = leanings(known, defining=defining)
    return about_differences(known, found), {"profile": known, "differences": found, "drivers": drivers}


def _rhythm(actor: Actor, version: Any, day: date) -> Made:
    members = members_of(actor, version.spec, as_of=day)
    try:
        flow = cash_flow_of(engine(), members, bank_money(actor, day), as_of=day)
    except KequnError as error:
        return _no_data(error), {}
    amounts = rhythm(engine(), from_ordinals(members, engine().manifest.ordinals), day)
    return about_cash_flow(flow, amounts), {"flow": flow, "rhythm": amounts}


def _no_data(error: KequnError) -> Text:
    return Text(zh=f"没有数据：{error.message}", en=error.message)


def _measured(
    name: str,
    compute: Callable[..., Any],
    say: Callable[[Any], Text],
    against: Callable[[Actor, date], Any] = population_of,
) -> Maker:
    """A block that rests on one computation; where its data are missing the sentence says so."""

    def make(actor: Actor, version: Any, day: date) -> Made:
        members = members_of(actor, version.spec, as_of=day)
        try:
            found = compute(engine(), members, against(actor, day), as_of=day)
        except KequnError as error:
            return _no_data(error), {}
        return say(found), {name: found}

    return make


def _answers(actor: Actor, version: Any, day: date) -> Made:
    """What the block on channels rests on too; a review may come without a change of the store, so that this is not kept."""
    told = block_of(actor, version, "channels", day)
    sentence = about_answers(told.data["answers"]) if told.data else told.sentence
    return sentence, told.data | {"controls": control_results(actor, version.name)}


def control_results(actor: Actor, segment: str) -> tuple[ControlResult, ...]:
    """Return what the reviews of campaigns on a segment concluded, as far as the actor sees them."""
    if not (actor.may("review.view") and actor.may("campaign.view")):
        return ()
    found = []
    for campaign in campaigns_for(actor):
        review = latest_review(actor, campaign.name) if campaign.spec.segment == segment else None
        result = result_of(review) if review is not None else None
        if isinstance(result, CampaignReview):
            found.append(
                ControlResult(
                    campaign.name,
                    campaign.spec.title,
                    result.as_of,
                    Text(zh=result.sentence_zh, en=result.sentence_en),
                    result.n_treated,
                    result.n_control,
                )
            )
    return tuple(found)


_makers: dict[str, Maker] = {
    "who": _who,
    "different": _different,
    "products": _measured("holdings", holdings_of, about_holdings),
    "rhythm": _rhythm,
    "channels": _measured("answers", answers_of, about_channels),
    "worth": _measured("worth", worth_of, about_worth, bank_money),
    "answers": _answers,
}
