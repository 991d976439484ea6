"""Segments: the list, the builder, one segment with its profile and members, and uploaded lists."""

from __future__ import annotations

import re
from typing import Any

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect, reswap

from kequn.console.access import Request, done, page, refused, status_of
from kequn.console.discovery.shown import notes
from kequn.console.exports import listing
from kequn.console.segments import builder, shown
from kequn.console.segments.tree import Node, apply, tree_from
from kequn.console.tables import Column, Table
from kequn.core.data.tables import SEPARATE_CONSENTS
from kequn.core.errors import InvalidSpec, KequnError
from kequn.core.segments import DIALECTS, EXECUTED
from kequn.core.spec.reading import dump_spec, parse_spec
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.queries import (
    closure,
    exports_for,
    latest_segments,
    members_page,
    preview_segment,
    segment_for,
    segment_named,
    segment_specs,
    sql_for,
    versions_of,
)
from kequn.ops.audiences.services import (
    archive_segment,
    listable_tags,
    profile_segment,
    save_segment,
    submit_segment,
    take_export,
)
from kequn.ops.tags.queries import catalogue

COLUMNS = (
    Column(lazy("名称"), "spec.title.zh", "title"),
    Column(lazy("标识"), "name", "name"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("经办"), "owner_name", "owner"),
    Column(lazy("更新时间"), "created_at", "created_at"),
)
EXPORT_COLUMNS = (
    Column(lazy("编号"), "pk", "id", number=True),
    Column(lazy("内容"), "subject", "subject"),
    Column(lazy("用途"), "purpose", "purpose"),
    Column(lazy("行数"), "rows", "rows", number=True),
    Column(lazy("申请时间"), "created_at", "created_at"),
    Column(lazy("有效至"), "expires_at", "expires_at"),
)
BUILDER, BUILDER_FORM = "segments/builder.html", "segments/form.html"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@page("segment.view")
def segments(request: Request) -> HttpResponse:
    """List the newest version of each segment in sight."""
    q, state = request.GET.get("q", "").strip().lower(), request.GET.get("state", "")
    rows = latest_segments(request.actor)
    rows = [r for r in rows if not q or q in f"{r.name} {r.spec.title.zh} {r.spec.title.en}".lower()]
    rows = [r for r in rows if not state or r.state == state]
    table = Table(request, rows, COLUMNS, name="segments", default="-created_at")
    context = {"q": q, "state": state, "states": ("draft", "submitted", "approved", "refused"), "find": q}
    return listing(request, "segments/list.html", table, _("客群列表"), context)


@page("segment.edit")
def new(request: Request) -> HttpResponse:
    """Write a new segment, from nothing, from a copy (``from``) or from YAML."""
    if request.method == "POST":
        return _edit(request, None)
    root, labels = Node("all", children=[Node("tag")]), {"name": "", "title": "", "title_en": "", "description": ""}
    if request.GET.get("from"):
        spec = segment_named(request.actor, request.GET["from"]).spec
        root, labels = (
            builder.tree_for(spec),
            _labels(spec) | {"name": f"{spec.name}_copy"[:64], "title": _("%s（副本）") % spec.title.zh},
        )
    return _shown(request, root.numbered(), labels, None)


@page("segment.edit")
def edit(request: Request, name: str) -> HttpResponse:
    """Change a segment: a change of the rule makes a new version."""
    version = _newest(request, name)
    if request.method == "POST":
        return _edit(request, version)
    return _shown(request, builder.tree_for(version.spec), _labels(version.spec), version)


@page("segment.edit")
def import_yaml(request: Request) -> HttpResponse:
    """Take a segment as YAML into the builder; nothing is saved yet."""
    if request.method != "POST":
        return render(request, "segments/import.html", {"text": ""})
    upload = request.FILES.get("file")
    text = upload.read(1_000_001).decode("utf-8-sig", errors="replace") if upload else request.POST.get("text", "")
    try:
        specs = [s for s in parse_spec(text, file=upload.name if upload else "") if isinstance(s, SegmentSpec)]
        if len(specs) != 1:
            raise InvalidSpec("The text must hold exactly one segment.", hint="Begin it with `kind: segment`.")
    except KequnError as error:
        return refused(request, "segments/import.html", {"text": text}, error)
    return _shown(request, builder.tree_for(specs[0]), _labels(specs[0]), None)


@page("segment.view")
def segment(request: Request, name: str) -> HttpResponse:
    """Show one segment: size, rule, profile, versions and use."""
    version = _version(request, name)
    context: dict[str, Any] = {
        "version": version, "tab": "profile", "versions": versions_of(request.actor, name),
        "notes": notes(request.actor, "segment", name), "export_tags": listable_tags(shown.usual_tags(version.spec)),
    }  # fmt: skip
    try:
        context["preview"] = preview = preview_segment(request.actor, version.pk)
        context["words"] = preview.words_en if _english() else preview.words_zh
        found, asked = profile_segment(request.actor, version.pk), request.GET
        context |= shown.of_profile(found, _language(), asked.get("tag", ""), asked.get("family", ""))
    except KequnError as error:
        context["error"] = error
    return render(request, "segments/segment.html", context)


@page("segment.view")
def rule(request: Request, name: str) -> HttpResponse:
    """Show how a segment is defined: words, funnel, SQL, YAML, what it refers to and who refers to it."""
    version = _version(request, name)
    context: dict[str, Any] = {
        "version": version,
        "tab": "rule",
        "yaml": dump_spec(version.spec),
        "versions": versions_of(request.actor, name),
    }
    specs = segment_specs() | {name: version.spec}
    try:
        context |= _sql_context(request, version.pk)
        tree = builder.tree_for(version.spec)
        context["panel"] = builder.look(request.actor, tree, _labels(version.spec))
        context["within"] = [n for n in closure(version.spec, specs) if n != name]
        context["users"] = [n for n, spec in specs.items() if n != name and name in closure(spec, specs)]
    except KequnError as error:
        context["error"] = error
    return render(request, "segments/rule.html", context)


def _sql_context(request: Request, version_id: int) -> dict[str, Any]:
    dialect = request.GET.get("dialect", "")
    dialect = dialect if dialect in DIALECTS else DIALECTS[0]
    sql = sql_for(request.actor, version_id, dialect=dialect)
    titles = [(name, builder.ENGINE_TITLES[name]) for name in DIALECTS]
    return {"sql": sql, "dialect": dialect, "dialects": titles, "is_untried": dialect not in EXECUTED}


@page("segment.view")
def members(request: Request, name: str) -> HttpResponse:
    """Show a segment's members with a few tags, masked."""
    version = _version(request, name)
    tags = [t for t in request.GET.getlist("show") if t in catalogue()] or shown.usual_tags(version.spec)
    number = int(request.GET["page"]) if request.GET.get("page", "").isdigit() else 1
    order = request.GET.get("sort", "")
    order = order if order.lstrip("-") in tags else ""
    context: dict[str, Any] = {
        "version": version,
        "tab": "members",
        "tags": [catalogue()[t] for t in tags],
        "sort": order,
    }
    try:
        found = members_page(request.actor, version.pk, page=max(1, number), tags=tags, order_by=order)
        context |= {"found": found, "rows": shown.of_members(found, _language()), "number": number}
    except KequnError as error:
        context["error"] = error
    return render(request, "segments/members.html", context)


@page("segment.view")
def versions(request: Request, name: str) -> HttpResponse:
    """Show the history of a segment, each version against the one before it in words."""
    version = _version(request, name)
    rows = shown.of_versions(versions_of(request.actor, name), _language())
    return render(request, "segments/versions.html", {"version": version, "tab": "versions", "rows": rows})


@page("segment.view")
def yaml(request: Request, name: str) -> HttpResponse:
    """Return the definition as a file."""
    version = _version(request, name)
    response = HttpResponse(dump_spec(version.spec), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{version.name}.yaml"'
    return response


@page("segment.edit")
@require_POST
def act(request: Request, name: str) -> HttpResponse:
    """Submit or archive a version."""
    version = _version(request, name)
    if request.POST.get("do") == "archive":
        archive_segment(request.actor, version.pk)
        return done(request, "segments", _("已停用“%s”") % version.spec.title.zh)
    submit_segment(request.actor, version.pk)
    return done(request, "segment", _("已提交审批"), name=name)


@page("export.run", "audit.view", "export.ask")
def exports(request: Request) -> HttpResponse:
    """List one's exports."""
    table = Table(request, exports_for(request.actor), EXPORT_COLUMNS, name="exports", default="-id", exports=False)
    return listing(request, "segments/exports.html", table, _("导出"))


@page("export.run", "export.ask")
@require_POST
def take(request: Request, export_id: int) -> FileResponse:
    """Hand over the file of one's own export."""
    path = take_export(request.actor, export_id)
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"kequn-{export_id}{path.suffix}")


# -- the builder --------------------------------------------------------------------------------------------------------


def _edit(request: Request, version: Any) -> HttpResponse:
    """Apply a button, show the tree again with live figures, or save it."""
    form = request.POST
    root, labels = tree_from(form), {k: form.get(k, "").strip() for k in ("name", "title", "title_en", "description")}
    labels["consents"] = " ".join(c for c in SEPARATE_CONSENTS if c in form.getlist("consents"))
    if version is not None:
        labels["name"] = version.name
    verb = form.get("do", "")
    if verb in ("save", "submit"):
        return _saved(request, root.numbered(), labels, version, submits=verb == "submit")
    changed = apply(root, verb)
    response = _shown(request, root, labels, version)
    return reswap(response, "outerHTML") if changed and request.htmx else response


def _saved(request: Request, root: Node, labels: dict[str, str], version: Any, *, submits: bool) -> HttpResponse:
    try:
        _check_labels(labels)
        spec = builder.spec_of(root, _document_labels(labels), whole=True)
        saved = save_segment(request.actor, spec, edition=request.POST.get("base") or "-" if version else "")
        if submits:
            submit_segment(request.actor, saved.pk)
    except KequnError as error:
        response = _shown(request, root, labels, version, error=error)
        response.status_code = status_of(error)
        return reswap(response, "outerHTML") if request.htmx else response
    message = _("已保存并提交审批") if submits else _("已保存为版本 %s") % saved.fingerprint
    answer = done(request, f"{reverse('segment', args=[saved.name])}?v={saved.pk}", message)
    return HttpResponseClientRedirect(answer["Location"]) if request.htmx else answer


def _shown(
    request: Request, root: Node, labels: dict[str, str], version: Any, *, error: KequnError | None = None
) -> HttpResponse:
    panel = builder.look(request.actor, root, _document_labels(labels), shows=request.POST.get("text", ""))
    rest = builder.pinned(root, error) if error else []
    target = reverse("segment_edit", args=[version.name]) if version else reverse("segment_new")
    context = {
        "root": builder.dressed(root), "labels": labels, "version": version, "panel": panel, "save_faults": rest,
        "target": target, "separate_consents": SEPARATE_CONSENTS, **builder.references(root, labels["name"]),
    }  # fmt: skip
    if request.method == "POST" and request.htmx:  # the page and its list of all tags are there already
        return render(request, BUILDER_FORM, context)
    return render(request, BUILDER, context | {"picker": builder.picker()})


def _check_labels(labels: dict[str, str]) -> None:
    if not labels["title"]:
        raise InvalidSpec("A segment needs a title.", hint="Write what these customers are called.")
    if not NAME.fullmatch(labels["name"]):
        raise InvalidSpec(
            "A name is lower case letters, digits and underscores, and begins with a letter.",
            hint="For example payroll_near_gold.",
        )


def _labels(spec: SegmentSpec) -> dict[str, str]:
    description = spec.description.zh if spec.description else ""
    return {
        "name": spec.name, "title": spec.title.zh, "title_en": spec.title.en, "description": description,
        "consents": " ".join(spec.separate_consent),
    }  # fmt: skip


def _document_labels(labels: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": labels["name"] if NAME.fullmatch(labels["name"]) else builder.NAMELESS}
    made["title"] = {"zh": labels["title"] or "-", "en": labels["title_en"]}
    made |= {"separate_consent": labels["consents"].split()} if labels.get("consents") else {}
    return made | ({"description": labels["description"]} if labels["description"] else {})


def _newest(request: Request, name: str) -> Any:
    segment_named(request.actor, name)
    return versions_of(request.actor, name).exclude(state="retired").first()


def _version(request: Request, name: str) -> Any:
    wanted = request.GET.get("v") or request.POST.get("v") or ""
    if wanted.isdigit():
        found = segment_for(request.actor, int(wanted))
        if found.name == name:
            return found
    return segment_named(request.actor, name)


def _language() -> str:
    return get_language() or "zh"


def _english() -> bool:
    return _language().startswith("en")
