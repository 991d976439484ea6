"""What a person fills in to start a search or to keep an expansion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from kequn.console.forms import Styled

NAME = r"^[a-z][a-z0-9_]{0,39}$"
PLAIN_NAME = {"invalid": _("用小写字母、数字和下划线，以字母开头。")}


class SearchForm(Styled, forms.Form):
    """What every search needs beside its tags."""

    title = forms.CharField(label=_("名称"), max_length=100)
    name = forms.RegexField(
        NAME, label=_("标识"), help_text=_("同一标识再次运行，聚类群会与已发布的一一对应"), error_messages=PLAIN_NAME
    )
    as_of = forms.TypedChoiceField(label=_("业务日期"), coerce=date.fromisoformat)
    seed = forms.IntegerField(label=_("随机种子"), initial=1, min_value=0, help_text=_("种子相同，结果相同"))

    def __init__(self, *args: Any, days: Sequence[date], seeds: Sequence[tuple[str, str]] | None = None, **more: Any):
        super().__init__(*args, **more)
        self.fields["as_of"].choices = [(d.isoformat(), d.isoformat()) for d in days]  # type: ignore[attr-defined]
        if "seeds" in self.fields:
            self.fields["seeds"].choices = list(seeds or [])  # type: ignore[attr-defined]


class ClusterForm(SearchForm):
    """A search for clusters."""

    fewest = forms.IntegerField(label=_("最少几群"), initial=2, min_value=2, max_value=20)
    most = forms.IntegerField(label=_("最多几群"), initial=10, min_value=2, max_value=20)
    rows = forms.IntegerField(
        label=_("抽样客户数"),
        initial=50_000,
        min_value=300,
        max_value=50_000,
        help_text=_("按样本聚类，再给全行每位客户归群"),
    )


class LookAlikeForm(SearchForm):
    """A search for customers like some seeds."""

    seeds = forms.ChoiceField(label=_("种子客户"), help_text=_("至少 100 户；定义种子的标签会自动排除"))
    field_order = ("title", "name", "seeds", "as_of", "seed")


class ExpansionForm(Styled, forms.Form):
    """How many are kept, under which name, what for and until when."""

    n = forms.IntegerField(label=_("取最相似的多少户"), min_value=1)
    title = forms.CharField(label=_("客群名称"), max_length=60)
    name = forms.RegexField(r"^[a-z][a-z0-9_]{0,63}$", label=_("标识"), error_messages=PLAIN_NAME)
    purpose = forms.CharField(label=_("用途"), max_length=200)
    expires_on = forms.DateField(label=_("有效至"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
