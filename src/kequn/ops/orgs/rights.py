"""Which role may do what, as data. A right is ``noun.verb``; where it reaches is the actor's scope."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

ROLES = {
    "marketer": _("营销经理"),
    "checker": _("复核（合规）"),
    "rm": _("客户经理"),
    "remote_agent": _("远程坐席"),
    "branch_head": _("网点负责人"),
    "analyst": _("数据分析"),
    "admin": _("系统管理"),
}

_LOOK = {
    "home.view",
    "insight.view",
    "source.view",
    "tag.view",
    "segment.view",
    "discovery.view",
    "campaign.view",
    "catalog.view",
    "review.view",
    "job.view",
}

OWN_BOOK = frozenset({"rm", "remote_agent"})
"""Roles whose scope is the customers they work themselves, not a branch."""

RIGHTS: dict[str, frozenset[str]] = {
    "marketer": frozenset(
        _LOOK
        | {
            "segment.edit",
            "discovery.run",
            "note.write",
            "feedback.answer",
            "list.upload",
            "audience.freeze",
            "catalog.edit",
            "campaign.edit",
            "campaign.submit",
            "campaign.launch",
            "campaign.stop",
            "board.view",
            "target.edit",
            "review.run",
            "export.run",
            "export.ask",
            "consent.view",
        }
    ),
    "checker": frozenset(
        _LOOK
        | {
            "approval.decide",
            "note.write",
            "campaign.stop",
            "audit.view",
            "consent.view",
            "consent.edit",
            "export.run",
            "export.ask",
        }
    ),
    "rm": frozenset(
        {
            "home.view",
            "insight.view",
            "task.view",
            "task.work",
            "feedback.write",
            "customer.view",
            "customer.reveal",
            "material.send",
            "notice.send",
            "customer.claim",
            "stocktake.run",
            "visit.plan",
            "consent.edit",
            "export.ask",
        }
    ),
    "remote_agent": frozenset(
        {
            "home.view",
            "task.view",
            "task.work",
            "feedback.write",
            "customer.view",
            "customer.reveal",
            "consent.edit",
            "remote.take",
        }
    ),
    "branch_head": frozenset(
        {
            "home.view",
            "insight.view",
            "segment.view",
            "discovery.view",
            "note.write",
            "feedback.write",
            "campaign.view",
            "review.view",
            "task.view",
            "task.assign",
            "customer.view",
            "customer.assign",
            "customer.handover",
            "notice.send",
            "stocktake.run",
            "visit.plan",
            "leave.edit",
            "board.view",
            "target.edit",
            "coaching.write",
            "export.approve",
            "export.ask",
            "campaign.stop",
            "export.run",
        }
    ),
    "analyst": frozenset(
        _LOOK
        | {
            "source.edit",
            "source.load",
            "tag.edit",
            "tag.refresh",
            "segment.edit",
            "discovery.run",
            "discovery.publish",
            "note.write",
            "feedback.answer",
            "list.upload",
            "board.view",
            "review.run",
            "export.run",
            "export.ask",
        }
    ),
    "admin": frozenset(
        _LOOK
        | {
            "source.edit",
            "source.load",
            "tag.edit",
            "tag.refresh",
            "user.manage",
            "audit.view",
            "job.cancel",
            "campaign.stop",
        }
    ),
}

SYSTEM = frozenset(set().union(*RIGHTS.values()) | {"delivery.run", "job.run"})
"""What the worker may do on behalf of nobody."""
