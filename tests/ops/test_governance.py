"""Approvals by two people and the audit chain."""

from __future__ import annotations

import pytest

from kequn.core.errors import Conflict, NotAllowed
from kequn.ops.governance import queries, services
from kequn.ops.governance.models import AuditEntry, AuditHead
from kequn.ops.orgs.actor import Actor

Cast = dict[str, Actor]


def submitted(cast: Cast, maker: str = "zhaomin") -> int:
    return services.submit(cast[maker], "thing", "gold", "abc", title="金卡").pk


def test_a_checker_approves_what_another_made(cast: Cast) -> None:
    services.decide(cast["zhoulv"], submitted(cast), approve=True)
    assert queries.is_approved("thing", "gold", "abc")
    assert not queries.is_approved("thing", "gold", "changed")


def test_nobody_approves_her_own(cast: Cast) -> None:
    approval = submitted(cast, "zhoulv")
    with pytest.raises(NotAllowed, match="two people"):
        services.decide(cast["zhoulv"], approval, approve=True)


def test_a_marketer_cannot_approve(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        services.decide(cast["zhaomin"], submitted(cast, "sunli"), approve=True)


def test_a_decision_is_taken_once_and_a_refusal_has_a_reason(cast: Cast) -> None:
    approval = submitted(cast)
    with pytest.raises(Conflict, match="reason"):
        services.decide(cast["zhoulv"], approval, approve=False)
    services.decide(cast["zhoulv"], approval, approve=False, reason="名单过大")
    with pytest.raises(Conflict, match="already"):
        services.decide(cast["zhoulv"], approval, approve=True)


def test_submitting_twice_gives_one_approval(cast: Cast) -> None:
    assert submitted(cast) == submitted(cast)
    assert AuditEntry.objects.filter(act="approval.submitted").count() == 1


@pytest.mark.parametrize("harm", ["change", "delete", "cut"])
def test_the_audit_chain_shows_a_change_a_hole_and_a_cut_tail(cast: Cast, harm: str) -> None:
    for n in range(5):
        services.record(cast["zhaomin"], "segment.saved", ("segment", n), size=n)
    assert queries.audit_fault(cast["zhoulv"]) is None
    entries = list(AuditEntry.objects.order_by("id"))
    match harm:
        case "change":
            AuditEntry.objects.filter(pk=entries[2].pk).update(facts={"size": 99})
        case "delete":
            AuditEntry.objects.filter(pk=entries[2].pk).delete()
        case "cut":
            AuditEntry.objects.filter(pk=entries[4].pk).delete()
    assert queries.audit_fault(cast["zhoulv"]) is not None
    assert AuditHead.objects.count() == 1
