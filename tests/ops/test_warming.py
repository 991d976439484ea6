"""What a web process reads before its first question."""

from __future__ import annotations

import pytest

from kequn.ops.audiences import drafts
from kequn.server import warming

pytestmark = pytest.mark.django_db


def test_all_segments_are_known_before_the_first_draft_is_compared(
    definitions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    monkeypatch.setattr(warming, "look_at_draft", lambda *a: compared.append(drafts.look_at_draft(*a)) or compared[-1])
    assert warming.warm()
    assert compared[-1].waiting == 0
    assert {s.name for s in compared[-1].shared} >= {"rich"}


def test_a_bank_without_data_leaves_nothing_to_read(db: None) -> None:
    assert not warming.warm()
