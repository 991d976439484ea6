"""Offers, texts, talk tracks, metrics, playbooks and the contact policy: lists, pages and forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import specforms
from kequn.console.access import Request, done, page, status_of
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.console.words import VOCABULARIES, choices, word_for
from kequn.core.data.tables import TABLES
from kequn.core.errors import KequnError, NotAllowed
from kequn.core.segments import group_named
from kequn.core.segments.columns import TABLE_WORDS
from kequn.core.spec.base import Text
from kequn.core.spec.merge import compile_text
from kequn.core.spec.reading import dump_spec
from kequn.ops.audiences.queries import segment_specs
from kequn.ops.catalog.contracts import Mark
from kequn.ops.catalog.queries import definition_for, latest_definitions, marks_for, products, versions_of
from kequn.ops.catalog.services import FIELDS, retire_definition, save_definition, sms_parts, submit_definition
from kequn.ops.orgs.actor import system_actor
from kequn.ops.tags.queries import catalogue

COLUMNS = (
    Column(lazy("名称"), "spec.title.zh", "title"),
    Column(lazy("类别"), "kind", "kind"),
    Column(lazy("标识"), "name", "name"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("经办"), "owner_name", "owner"),
    Column(lazy("更新时间"), "created_at", "created_at"),
)
RULES = ("ownership_policy", "assignment", "pool", "desk_policy")
"""Rules of the desk: shown by their fields, not as a customer would meet them."""
KINDS = ("offer", "template", "talk_track", "metric", "contact_policy", *RULES)
SAMPLE = {
    "family_name": lazy("王"), "bank_name": lazy("本行"), "branch_name": lazy("城东支行"), "rm_name": lazy("王芳"),
    "rm_phone": "0999-00100101",
    "product_name": lazy("稳健理财"), "benefit": lazy("积分 500"), "valid_until": "2026-12-31", "end_on": "2026-12-31",
}  # fmt: skip
"""A made-up customer for the preview."""


@page("catalog.view")
def catalog(request: Request) -> HttpResponse:
    """List the newest version of each definition but playbooks."""
    kind, q = request.GET.get("kind", ""), request.GET.get("q", "").strip().lower()
    rows = [r for r in latest_definitions(request.actor, kind=kind if kind in KINDS else None) if r.kind in KINDS]
    rows = [r for r in rows if not q or q in f"{r.name} {r.spec.title.zh} {r.spec.title.en}".lower()]
    table = Table(request, rows, COLUMNS, name="catalog", default="-created_at")
    return listing(
        request,
        "catalog/list.html",
        table,
        _("方案与素材"),
        {"kind": kind, "kinds": KINDS, "written": [*specforms.KINDS], "q": q},
    )


@page("catalog.view")
def playbooks(request: Request) -> HttpResponse:
    """List the playbooks."""
    table = Table(
        request, latest_definitions(request.actor, kind="playbook"), COLUMNS, name="playbooks", default="-created_at"
    )
    return listing(request, "catalog/playbooks.html", table, _("策略卡"))


@page("catalog.view")
def definition(request: Request, version_id: int) -> HttpResponse:
    """Show one version: as a customer or an RM would meet it, with what the content check found."""
    row = definition_for(request.actor, version_id)
    found = marks_for(request.actor, row.spec)
    context: dict[str, Any] = {
        "version": row, "spec": row.spec, "marks": found, "yaml": dump_spec(row.spec),
        "history": versions_of(request.actor, row.kind, row.name), "has_form": row.kind in specforms.KINDS,
        "language": get_language() or "zh",
    }  # fmt: skip
    if row.kind == "template":
        context["marked"] = _in_text(row, found)
        context["merged"] = _previewed(row.spec.body)
        context["parts"] = sms_parts(row.spec.body + row.spec.opt_out)
    if row.kind == "offer":
        context["product"] = products().get(row.spec.product)
    if row.kind == "playbook":
        context |= {"segment": segment_specs().get(row.spec.where), "titles": titles()}
    if row.kind in RULES:
        context["fields"] = _ruled(row)
    return render(request, f"catalog/{'rules' if row.kind in RULES else row.kind}.html", context)


@page("catalog.edit")
def new(request: Request, kind: str) -> HttpResponse:
    """Write a new definition."""
    if kind not in specforms.KINDS:
        raise NotAllowed("There is no such kind of definition.", kind=kind)
    if request.method == "POST":
        return _save(request, kind, None)
    start = _card(request.GET["group"]) if kind == "playbook" and request.GET.get("group") else {}
    if request.GET.get("segment"):
        start["where"] = request.GET["segment"]
    return _form(request, kind, specforms.beginning(kind) | start, None)


@page("catalog.edit")
def edit(request: Request, version_id: int) -> HttpResponse:
    """Change a definition: a change of its meaning makes a new version."""
    row = definition_for(request.actor, version_id)
    if row.kind not in specforms.KINDS:
        raise NotAllowed("There is no such kind of definition.", kind=row.kind)
    if request.method == "POST":
        return _save(request, row.kind, row)
    return _form(request, row.kind, row.spec.model_dump(mode="json", by_alias=True), row)


@page("catalog.edit")
@require_POST
def act(request: Request, version_id: int) -> HttpResponse:
    """Submit or retire a version."""
    row = definition_for(request.actor, version_id)
    if request.POST.get("do") == "retire":
        retire_definition(request.actor, version_id)
        return done(request, "definition", _("已停用“%s”") % row.spec.title.zh, version_id=version_id)
    submit_definition(request.actor, version_id)
    return done(request, "definition", _("已提交审批"), version_id=version_id)


def _previewed(text: str) -> str:
    """Return a text as a made-up customer would read it; as it is where its fields are wrong, which the marks tell."""
    try:
        compiled = compile_text(text, allowed=FIELDS)
        return compiled.render({name: str(SAMPLE.get(name, name)) for name in compiled.fields})
    except KequnError:
        return text


def marked(text: str, found: list[tuple[str, str]]) -> SafeString:
    """Return a text with the words that the check found marked, each with its reason; everything else escaped."""
    shown = escape(text)
    for words, reason in found:
        if words and (plain := escape(words)) in shown:
            mark = format_html('<mark class="kq-lint" title="{}">{}</mark>', reason, words)
            shown = mark_safe(shown.replace(plain, mark, 1))  # noqa: S308 - both parts are escaped
    return shown


def _in_text(row: Any, found: Sequence[Mark]) -> SafeString:
    """Return a template's text with its marks in place; nothing of a definition that is no single text."""
    if row.kind != "template":
        return SafeString()
    return marked(row.spec.body, [(m.found, m.reason.to(get_language() or "zh")) for m in found])


def _ruled(row: Any) -> list[tuple[Any, list[str]]]:
    """Return the fields of a rule with what they hold, in words."""
    if row.kind not in specforms.KINDS:
        return []
    found = []
    for each in specforms.shown(row.kind, row.spec.model_dump(mode="json", by_alias=True), lists()):
        if each.field.path in ("title", "name", "description"):
            continue
        names = dict(each.options)
        values: list[Any] = each.values if each.field.form in ("ranked", "many", "needs") else [each.value]
        if each.field.form == "needs":
            values = [
                (names.get(v["segment"], v["segment"]), v["skill"] or v["language"]) for v in values if v["segment"]
            ]
            found.append((each.field.title, [f"{segment} → {need}" for segment, need in values]))
        else:
            found.append((each.field.title, [str(names.get(v, v)) for v in values if v]))
    return found


def _card(name: str) -> dict[str, Any]:
    """Return what a playbook begins with for a shipped group: its card in the playbook's fields."""
    group = group_named(name).spec
    card = group.card
    what = {lang: " ".join((card.needs.to(lang), card.talk.to(lang), card.avoid.to(lang))) for lang in ("zh", "en")}
    title, plays = group.title.model_dump(), [{"channel": channel} for channel in card.channels]
    return {
        "name": f"{group.name.removeprefix('seg_')}_card", "title": title, "where": group.segment, "what": what,
        "who": card.who.model_dump(), "when": card.timing.model_dump(), "how": plays,
        "description": card.goal.model_dump(),
    }  # fmt: skip


def _save(request: Request, kind: str, row: Any) -> HttpResponse:
    made = specforms.document(kind, request.POST, before=row.spec if row is not None else None)
    if row is not None:
        made["name"] = row.name
    try:
        saved = save_definition(request.actor, specforms.read(made))  # type: ignore[arg-type]  # of a kind of the catalog
    except KequnError as error:
        response = _form(request, kind, made, row, error)
        response.status_code = status_of(error)
        return response
    if request.POST.get("do") == "submit":
        try:
            submit_definition(request.actor, saved.pk)
        except KequnError as error:
            found = marks_for(request.actor, saved.spec)  # what is wrong with the text is shown in the text
            response = _form(request, kind, made, saved, None if found else error, found)
            response.status_code = status_of(error)
            return response
    done(request, "/", _("已保存"))
    return redirect("definition", version_id=saved.pk)


def _form(
    request: Request,
    kind: str,
    values: dict[str, Any],
    row: Any,
    error: KequnError | None = None,
    found: Sequence[Mark] = (),
) -> HttpResponse:
    fields = specforms.shown(kind, values, lists())
    rest = specforms.pinned(fields, error) if error else []
    context = {
        "kind": kind,
        "is_rule": kind in RULES,
        "fields": fields,
        "version": row,
        "rest": rest,
        "marks": found,
        "marked": _in_text(row, found) if found else "",
        "channels": _channels(),
        **contents(request),
    }
    return render(request, "catalog/form.html", context)


def contents(request: Request) -> dict[str, list[tuple[str, str]]]:
    """Return the texts and talk tracks that a channel may use."""
    language = get_language() or "zh"
    rows = latest_definitions(request.actor)
    return {
        f"{kind}s": [(r.name, r.spec.title.to(language)) for r in rows if r.kind == kind and r.state != "retired"]
        for kind in ("template", "talk_track")
    }


def titles() -> dict[str, Text]:
    """Return what each definition, segment and tag is called, by name."""
    found = {name: spec.title for name, spec in catalogue().items()}
    found |= {row.name: row.spec.title for row in latest_definitions(system_actor())}
    return found | {name: spec.title for name, spec in segment_specs().items()}


def lists() -> dict[str, list[tuple[str, Any]]]:
    """Return what the fields of definitions choose from."""
    language = get_language() or "zh"
    blank = [("", "–")]
    goods = [(p.code, p.name_en if language.startswith("en") and p.name_en else p.name) for p in products().values()]
    specs = segment_specs()
    tables = ("transaction", "event", "contact", "service")
    return {
        "products": [*blank, *((code, f"{name}（{code}）") for code, name in goods)],
        "segments": [*blank, *((n, s.title.to(language)) for n, s in sorted(specs.items()))],
        "metrics": [*blank, *_named("metric", language)],
        "offers": [*blank, *_named("offer", language)],
        "playbooks": _named("playbook", language),
        "tags": [
            *blank,
            *((n, s.title.to(language)) for n, s in catalogue().items() if s.type in ("money", "number", "integer")),
        ],
        "behaviour": [*blank, *((t, TABLE_WORDS[t].to(language)) for t in tables if t in TABLES)],
        "channel": _channels(),
        "assign_order": [
            (c, VOCABULARIES["assign_by"][c]) for c in ("earlier", "skill", "language", "nearest", "balance", "branch")
        ],
        "families": [(f, word_for("held_family", f)) for f in sorted({p.family for p in products().values()})],
        "content_language": [("zh", "中文"), ("en", "English")],
        "measure": choices("measure"),
    }


def _named(kind: str, language: str) -> list[tuple[str, str]]:
    return [
        (r.name, r.spec.title.to(language))
        for r in latest_definitions(system_actor(), kind=kind)
        if r.state != "retired"
    ]


def _channels() -> list[tuple[str, Any]]:
    known = ("sms", "email", "app_push", "wecom", "call", "rm_task", "file_drop")
    return [("", "–"), *((c, VOCABULARIES["channel"][c]) for c in known)]
