"""What holds for every template: no foreign address, htmx 4's rules, words in both languages, assets that are there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "src" / "kequn" / "console"
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))
sys.path.insert(0, str(ROOT / "tools"))
import translations  # noqa: E402 - a tool, not a package

INHERITED = ("hx-target", "hx-headers", "hx-confirm", "hx-boost", "hx-swap", "hx-select", "hx-include")
ISSUES = re.compile(r"\bhx-(get|post|put|patch|delete|boost)\b")


def tags(text: str) -> list[str]:
    """Return the opening tags of a template, Django's own taken out."""
    plain = re.sub(r"{%.*?%}", " ", re.sub(r"{{.*?}}", "x", text))
    return re.findall(r"<[a-z][^>]*>", plain)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_a_template_names_no_other_host_and_runs_no_script_of_its_own(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href|action)=["'](?:https?:)?//""", text)
    for tag in tags(text):
        assert not re.search(r"\son[a-z]+=", tag), tag
        assert "hx-on" not in tag, tag
        assert not (tag.startswith("<script") and "src=" not in tag), tag
        assert "javascript:" not in tag, tag


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_what_went_wrong_is_said_once_above_the_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if 'extends "base.html"' in text and "{% block page %}" not in text:
        assert "error_note error" not in text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_htmx_attributes_stand_on_what_asks_or_say_that_they_are_inherited(path: Path) -> None:
    for tag in tags(path.read_text(encoding="utf-8")):
        for name in INHERITED:
            if re.search(rf"\s{name}=", tag) and not ISSUES.search(tag):
                pytest.fail(f"{path.name}: {name} without a request or `:inherited` in {tag[:120]}")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_every_form_that_changes_something_carries_its_token(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, re.DOTALL):
        assert "{% csrf_token %}" in form or 'name="csrfmiddlewaretoken"' in form or "{% include" in form, (
            f"{path.name}: {form[:120]}"
        )


def test_every_word_has_its_english_and_nothing_is_said_untranslated() -> None:
    assert [*translations.untranslated(), *translations.bare_chinese()] == []


def test_every_asset_that_a_template_names_is_there() -> None:
    for path in TEMPLATES:
        for name in re.findall(r"{% static '([^']+)' %}", path.read_text(encoding="utf-8")):
            assert (CONSOLE / "static" / name).exists(), f"{name}: run `python tools/assets.py`"


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    sprite = (CONSOLE / "static" / "vendor" / "icons.svg").read_text(encoding="utf-8")
    used = {
        n for p in TEMPLATES for n in re.findall(r"""{% icon ["']([a-z0-9-]+)["']""", p.read_text(encoding="utf-8"))
    }
    used |= {
        n for p in TEMPLATES for n in re.findall(r"""{% empty ["']([a-z0-9-]+)["']""", p.read_text(encoding="utf-8"))
    }
    used |= set(
        re.findall(r'Item\("[a-z_]+", .*?, "([a-z0-9-]+)", \(', (CONSOLE / "navigation.py").read_text(encoding="utf-8"))
    )
    missing = sorted(n for n in used if f'id="{n}"' not in sprite)
    assert missing == []


def test_the_sheet_uses_nothing_that_old_engines_lack() -> None:
    sheet = (CONSOLE / "static" / "kq.css").read_text(encoding="utf-8").split("*/", 1)[1]
    for word in ("color-mix", ":has(", "oklch", "@layer", "@container", "light-dark", "&:", "& "):
        assert word not in sheet, word


def test_the_lock_names_no_registry() -> None:
    lock = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
