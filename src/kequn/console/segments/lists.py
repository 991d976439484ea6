"""Lists of customer numbers that people upload: what matched and what did not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django import forms
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, refused
from kequn.console.exports import listing
from kequn.console.forms import Styled
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.ops.audiences.queries import list_for, lists_for
from kequn.ops.audiences.services import remove_list, upload_list
from kequn.ops.runtime import now

COLUMNS = (
    Column(lazy("名称"), "title", "title"),
    Column(lazy("标识"), "name", "name"),
    Column(lazy("行数"), "rows", "rows", number=True),
    Column(lazy("匹配"), "matched", "matched", number=True),
    Column(lazy("未匹配"), "unmatched", "unmatched", number=True),
    Column(lazy("重复"), "duplicates", "duplicates", number=True),
    Column(lazy("用途"), "purpose", "purpose"),
    Column(lazy("有效至"), "expires_on", "expires_on"),
    Column(lazy("上传人"), "owner_name", "owner_name"),
)


MOST_BYTES = 128 * 1024 * 1024
USUAL_DAYS = 90


class UploadForm(Styled, forms.Form):
    """A file of customer numbers with what it is for and until when."""

    file = forms.FileField(label=lazy("文件"), help_text=lazy("Excel（xlsx）或 CSV，至少有一列客户号"))
    title = forms.CharField(label=lazy("名称"), max_length=100)
    name = forms.RegexField(
        r"^[a-z][a-z0-9_]{0,63}$", label=lazy("标识"), help_text=lazy("小写字母、数字、下划线；同名则替换"),
        error_messages={"invalid": lazy("用小写字母、数字和下划线，以字母开头。")},
    )  # fmt: skip
    purpose = forms.CharField(label=lazy("用途"), max_length=200)
    expires_on = forms.DateField(
        label=lazy("有效至"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    column = forms.CharField(
        label=lazy("客户号在哪一列"),
        max_length=100,
        required=False,
        help_text=lazy("表头名；只有一列或能看出来时不用填"),
    )

    def clean_file(self) -> object:
        """Refuse a file that no list needs."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("文件超过 128 MB。"))
        return file


@page("segment.view")
def lists(request: Request) -> HttpResponse:
    """List the uploaded lists in sight."""
    table = Table(request, lists_for(request.actor), COLUMNS, name="lists", default="-created_at")
    return listing(request, "segments/lists.html", table, _("上传名单"))


@page("segment.view")
def uploaded(request: Request, name: str) -> HttpResponse:
    """Show one list."""
    return render(request, "segments/uploaded.html", {"list": list_for(request.actor, name)})


@page("list.upload")
def new(request: Request) -> HttpResponse:
    """Upload a list and show what matched and what did not."""
    until = timezone.localdate(now()) + timedelta(days=USUAL_DAYS)
    form = UploadForm(request.POST or None, request.FILES or None, initial={"expires_on": until})
    if request.method != "POST":
        return render(request, "segments/upload.html", {"form": form})
    if not form.is_valid():
        return render(request, "segments/upload.html", {"form": form}, status=422)
    given = form.cleaned_data
    try:
        report = upload_list(
            request.actor, _uploaded(given["file"]), given["file"].name, name=given["name"], title=given["title"], purpose=given["purpose"],
            expires_on=given["expires_on"], column=given["column"] or None,
        )  # fmt: skip
    except KequnError as error:
        return refused(request, "segments/upload.html", {"form": form}, error)
    context = {"list": list_for(request.actor, report.name), "faults": report.faults, "report": report}
    return render(request, "segments/uploaded.html", context)


def _uploaded(file: UploadedFile) -> Path | bytes:
    """A large upload lies in a file of its own and stays there."""
    return Path(file.temporary_file_path()) if isinstance(file, TemporaryUploadedFile) else file.read()


@page("list.upload")
@require_POST
def remove(request: Request, name: str) -> HttpResponse:
    """Take a list away."""
    row = remove_list(request.actor, name)
    return done(request, "lists", _("已删除“%s”") % row.title)
