"""Discovery by the command line."""

from __future__ import annotations

from tests.cli.conftest import Kequn
from tests.ops.grouped_bank import TAGS, grouped_bank, grouped_store  # noqa: F401 - fixtures


def test_clusters_are_found_shown_and_published(kequn: Kequn, cast: object, grouped_bank: object) -> None:  # noqa: F811
    tags = [word for name in TAGS for word in ("--tag", name)]
    found = kequn("discover", "clusters", "value", *tags, "--fewest", 3, "--most", 3, "--json")
    assert found.code == 0, found.err
    assert found.json["state"] == "found"
    number = found.json["id"]
    shown = kequn("discover", "show", number)
    assert "c1" in shown.out
    published = kequn("discover", "publish", number, "--json")
    assert published.json[0]["tag"] == "model_cluster_value"
    assert kequn("discover", "list", "--json").json[0]["published"] is True
    refused = kequn("discover", "clusters", "value", "--tag", "demo_gender", "--tag", "asset_time")
    assert refused.code == 1
    assert "protected" in refused.err
