"""Which late or failed sources stand behind the page that is looked at."""

from __future__ import annotations

from django.urls import ResolverMatch

from kequn.core.errors import KequnError
from kequn.core.spec.campaign import CampaignSpec
from kequn.ops.audiences.queries import segment_named, segment_specs, tables_within
from kequn.ops.campaigns.queries import campaign_named
from kequn.ops.catalog.queries import newest
from kequn.ops.orgs.actor import Actor
from kequn.ops.sources.queries import SourceFault, faults_of
from kequn.ops.tags.queries import tables_of

WHOLE = frozenset({"home", "tags", "segments", "migration", "campaigns", "reviews", "board"})
"""Pages whose figures may stand on any source."""


def faults_behind(actor: Actor, page: ResolverMatch | None) -> list[SourceFault]:
    """Return the late and failed sources that the page's figures stand on: of a tag, segment, campaign or review its own."""
    if page is None or page.url_name is None:
        return []
    if page.url_name in WHOLE:
        return faults_of()
    name = str(page.kwargs.get("name", ""))
    try:
        tables = _tables(actor, page.url_name.split("_")[0], name) if name else set()
    except KequnError:
        return []
    return faults_of(tables) if tables else []


def _tables(actor: Actor, section: str, name: str) -> set[str]:
    match section:
        case "tag":
            return tables_of([name])
        case "segment":
            spec = segment_named(actor, name).spec
            return tables_within(spec, segment_specs() | {name: spec})
        case "campaign" | "review":
            return _of_campaign(campaign_named(actor, name).spec)
        case _:
            return set()


def _of_campaign(spec: CampaignSpec) -> set[str]:
    specs = segment_specs()
    found: set[str] = set()
    for name in (spec.segment, *spec.exclude):
        if name in specs:
            found |= tables_within(specs[name], specs)
    for name in (spec.goal, *spec.guardrails):
        metric = newest("metric", name)
        if metric is not None:
            found.add(metric.spec.table)
    return found
