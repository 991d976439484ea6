"""The menu: what there is, in the order of the work, and who sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kequn.ops.orgs.actor import Actor

Words = str | Promise


@dataclass(frozen=True, slots=True)
class Item:
    """One page of the menu; the first right that the actor has opens it."""

    url: str
    title: Words
    icon: str
    rights: tuple[str, ...]
    key: str = ""
    """The second key of ``g x``."""
    section: str = ""
    """The first part of the names of the pages below it."""
    tab: Words = ""
    """What the page is called at the foot of a phone, where its title is long."""


MENU: tuple[tuple[Words, tuple[Item, ...]], ...] = (
    ("", (Item("home", _("今日"), "house", ("home.view",), "h", "home"),)),
    (
        _("执行"),
        (
            Item("tasks", _("我的任务"), "list-task", ("task.work",), "w", "task", pgettext_lazy("tab", "任务")),
            Item("board", _("过程看板"), "bar-chart", ("board.view",), "p", "board", pgettext_lazy("tab", "看板")),
            Item("team_tasks", _("网点任务"), "list-task", ("task.assign",), "w", "team", pgettext_lazy("tab", "任务")),
            Item("coaching", _("辅导"), "journal-text", ("coaching.write", "task.work"), "", "coaching"),
            Item("targets", _("目标"), "bullseye", ("target.edit",), "", "target"),
            Item(
                "customers",
                _("我的客户"),
                "person-lines-fill",
                ("customer.view",),
                "u",
                "customer",
                pgettext_lazy("tab", "客户"),
            ),
            Item("stock_takes", _("客户盘点"), "card-checklist", ("stocktake.run",), "", "stock"),
            Item("visits", _("拜访"), "calendar3", ("visit.plan",), "", "visit"),
            Item("pools", _("客户池"), "people", ("customer.view", "insight.view"), "", "pool"),
            Item("unclaimed", _("待分配客户"), "person", ("customer.claim",), "", "unclaimed"),
            Item("owners", _("管户"), "people", ("leave.edit",), "", "owners"),
            Item("remote", _("远程队列"), "telephone", ("remote.take",), "", "remote"),
            Item("feedback", _("一线反馈"), "envelope", ("feedback.write", "feedback.answer"), "f", "feedback"),
        ),
    ),
    (
        _("洞察"),
        (
            Item("overview", _("全行看板"), "graph-up", ("insight.view",), "v", "overview"),
            Item("tags", _("标签目录"), "tags", ("tag.view",), "t", "tag"),
            Item("segments", pgettext_lazy("menu", "客群"), "people", ("segment.view",), "s", "segment"),
            Item("groups", _("客群包"), "box-seam", ("segment.view",), "", "group"),
            Item("migration", _("客群迁移"), "diagram-3", ("segment.view",), "", "migration"),
            Item("discoveries", _("客群发现"), "bullseye", ("discovery.view",), "", "discovery"),
            Item("lists", _("上传名单"), "upload", ("list.upload",), "l", "list"),
        ),
    ),
    (
        _("策略与活动"),
        (
            Item("playbooks", _("策略卡"), "journal-check", ("catalog.view",), "k", "playbook"),
            Item("campaigns", _("营销活动"), "megaphone", ("campaign.view",), "c", "campaign"),
            Item("catalog", _("方案与素材"), "box-seam", ("catalog.view",), "o", "catalog"),
        ),
    ),
    (_("回检"), (Item("reviews", _("后评估"), "graph-up", ("review.view",), "r", "review"),)),
    (
        _("合规"),
        (
            Item(
                "approvals",
                _("审批"),
                "check2-square",
                ("approval.decide", "campaign.submit", "segment.edit", "export.approve"),
                "a",
                "approval",
            ),
            Item("consent", _("授权与免扰"), "shield-check", ("consent.view",), "n", "consent"),
            Item("audit", _("留痕"), "journal-text", ("audit.view",), "d", "audit"),
        ),
    ),
    (
        _("管理"),
        (
            Item("sources", _("数据接入"), "database", ("source.view",), "b", "source"),
            Item("jobs", _("作业中心"), "cpu", ("job.view",), "j", "job"),
            Item("people", _("机构与人员"), "building", ("user.manage",), "m", "people"),
            Item("api:openapi-view", _("接口文档"), "code-slash", ("source.edit",), "i", "api"),
        ),
    ),
)

PHONE = {
    "remote_agent": ("tasks", "remote"),
    "rm": ("tasks", "customers"),
    "branch_head": ("board", "team_tasks", "customers"),
}
"""The tabs at the foot of a phone, between Today and Me."""


def menu_for(actor: Actor, current: str) -> list[tuple[Words, list[tuple[Item, bool]]]]:
    """Return the groups and pages an actor sees, each page with whether it is the current one."""
    return [
        (title, [(item, item.section == _section(current)) for item in items]) for title, items in _allowed(actor.may)
    ]


def tabs_for(actor: Actor, current: str) -> list[tuple[Item, bool]]:
    """Return the tabs of the phone."""
    wanted = PHONE.get(actor.role, ("segments", "campaigns", "approvals"))
    found = {item.url: item for _title, items in _allowed(actor.may) for item in items}
    return [(found[url], found[url].section == _section(current)) for url in ("home", *wanted) if url in found]


def _allowed(may: Callable[[str], bool]) -> list[tuple[Words, list[Item]]]:
    groups = [(title, [i for i in items if any(map(may, i.rights))]) for title, items in MENU]
    return [(title, items) for title, items in groups if items]


def _section(url_name: str) -> str:
    for _title, items in MENU:
        for item in items:
            if item.url == url_name:
                return item.section
    return url_name.split("_", maxsplit=1)[0]
