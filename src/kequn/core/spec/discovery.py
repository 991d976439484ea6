"""What a person asks discovery for: clusters, or customers like some seeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kequn.core.spec.base import Name, Spec

MOST_TAGS = 60
MOST_CLUSTERS = 20


class ClusterSearch(Spec):
    """A search for clusters (聚类): by which tags, how many at most, from how large a sample."""

    kind: Literal["clusters"] = "clusters"
    tags: tuple[Name, ...] = Field(min_length=2, max_length=MOST_TAGS)
    fewest: int = Field(default=2, ge=2, le=MOST_CLUSTERS)
    most: int = Field(default=12, ge=2, le=MOST_CLUSTERS)
    rows: int = Field(default=50_000, ge=300, le=50_000)
    seed: int = Field(default=1, ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _ordered(self) -> ClusterSearch:
        if self.fewest > self.most:
            raise ValueError("`fewest` is not more than `most`")
        return self


class LookAlikeSearch(Spec):
    """A search for customers like the members of a segment, or those on an uploaded list (相似扩展)."""

    kind: Literal["lookalike"] = "lookalike"
    tags: tuple[Name, ...] = Field(min_length=1, max_length=MOST_TAGS)
    segment: Name | None = None
    list: Name | None = None
    seed: int = Field(default=1, ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _seeds(self) -> LookAlikeSearch:
        if (self.segment is None) == (self.list is None):
            raise ValueError("seeds come from a `segment` or from a `list`, one of them")
        return self


DiscoverySearch = Annotated[ClusterSearch | LookAlikeSearch, Field(discriminator="kind")]
