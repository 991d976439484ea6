"""Discovery by REST: the whole way from a search to a published tag, a draft and a note."""

from __future__ import annotations

from kequn.ops.jobs.services import run_waiting
from tests.ops.grouped_bank import TAGS, grouped_bank, grouped_store  # noqa: F401 - fixtures

SEARCH = {"kind": "clusters", "tags": list(TAGS), "fewest": 3, "most": 3, "rows": 1500}


def test_clusters_are_found_published_noted_and_saved_as_drafts(call, grouped_bank):  # noqa: F811
    choices = {c["name"]: c for c in call("sunli", "get", "/v1/discoveries/tags").json()}
    assert choices["asset_time"]["refused"] is None
    assert "protected" in choices["demo_gender"]["refused"]
    started = call("sunli", "post", "/v1/discoveries", {"name": "value", "title": "价值", "search": SEARCH})
    assert started.status_code == 202
    run_waiting()
    path = f"/v1/discoveries/{started.json()['id']}"
    whole = call("zhaomin", "get", path).json()
    assert whole["state"] == "found"
    assert sum(whole["sizes"].values()) == whole["result"]["customers"]
    renamed = call("zhaomin", "put", f"{path}/clusters/c1/title", {"zh": "主力", "en": "Core"})
    assert renamed.status_code == 200
    assert call("zhaomin", "get", path).json()["clusters"][0]["title"]["zh"] == "主力"
    draft = call("zhaomin", "post", f"{path}/clusters/c1/segment", {"name": "core_rule"}).json()
    assert (draft["name"], draft["state"]) == ("core_rule", "draft")
    assert call("zhaomin", "get", "/v1/segments/core_rule/count").json()["size"] > 0
    assert call("zhaomin", "post", f"{path}/publication", {}).status_code == 403
    assert call("liqiang", "get", path).status_code == 404
    assert call("sunli", "post", f"{path}/publication", {}).status_code == 202
    run_waiting()
    assert call("sunli", "get", path).json()["is_current"]
    mine = call("liqiang", "get", path).json()
    assert 0 < sum(mine["sizes"].values()) < sum(whole["sizes"].values())
    note = {"subject_kind": "cluster", "subject": f"{started.json()['id']}:c1", "text": "多为企业主"}
    written = call("liqiang", "post", "/v1/notes", note)
    assert written.status_code == 201
    seen = call("zhaomin", "get", f"/v1/notes?subject_kind=cluster&subject={note['subject']}").json()
    assert [(n["author_name"], n["text"]) for n in seen] == [("李强", "多为企业主")]
    assert call("zhaomin", "put", f"/v1/notes/{seen[0]['id']}", {"text": "x"}).status_code == 404
    assert call("liqiang", "delete", f"/v1/notes/{seen[0]['id']}").status_code == 204


def test_what_may_not_be_asked_is_refused_with_the_field(call, grouped_bank):  # noqa: F811
    protected = {**SEARCH, "tags": [*TAGS, "demo_gender"]}
    answer = call("sunli", "post", "/v1/discoveries", {"name": "value", "search": protected})
    assert answer.status_code == 422
    assert "demo_gender" in answer.content.decode()
    both = {"kind": "lookalike", "tags": list(TAGS), "segment": "a", "list": "b"}
    assert call("sunli", "post", "/v1/discoveries", {"name": "value", "search": both}).status_code == 422
    assert call("liqiang", "post", "/v1/discoveries", {"name": "value", "search": SEARCH}).status_code == 403
