"""The console's words: Chinese in the source, English in ``locale/en``.

``extract`` brings the catalogue up to date with the source, ``check`` fails on what has no English and on Chinese that
stands in a template outside a translation, ``compile`` writes the ``.mo`` that Django reads. No gettext tools needed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "kequn"
CATALOGUE = SOURCE / "console" / "locale" / "en" / "LC_MESSAGES" / "django.po"
KEYWORDS: dict[str, tuple[object, ...] | None] = {
    "_": None, "gettext": None, "gettext_lazy": None, "lazy": None, "gettext_noop": None, "ngettext": (1, 2), "ngettext_lazy": (1, 2),
    "_p": ((1, "c"), 2), "pgettext": ((1, "c"), 2), "pgettext_lazy": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3),
}  # fmt: skip
MADE = datetime(2026, 1, 1, tzinfo=UTC)  # fixed, so that a second extract changes nothing
CHINESE = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3000-\u303f]+")
TOKEN = re.compile(r"({%.*?%}|{{.*?}}|{#.*?#})")
SIMPLE = re.compile(r"""^(?:trans|translate)\s+(?P<text>"[^"]*"|'[^']*')(?P<rest>.*)$""")
BLOCK = re.compile(r"^(?:blocktrans|blocktranslate)(?P<rest>\s.*)?$")
INLINE = re.compile(r"""_\((?P<text>"[^"]*"|'[^']*')\)""")
CONTEXT = re.compile(r"""context\s+(?P<text>"[^"]*"|'[^']*')""")
VARIABLE = re.compile(r"{{\s*(.*?)\s*}}")
Found = tuple[str | None, str | tuple[str, str]]


def main(verb: str) -> int:
    """Run one verb; return the exit code."""
    if verb == "extract":
        extract()
    elif verb == "compile":
        compile_all()
    elif verb == "check":
        faults = [*untranslated(), *bare_chinese()]
        print("\n".join(faults) or "translations: complete")
        return 1 if faults else 0
    else:
        print("usage: translations.py extract | check | compile")
        return 2
    return 0


def extract() -> None:
    """Write a catalogue with exactly the messages of the source; English that exists is kept."""
    new, old = messages(), _read()
    for message in new:
        if message.id and (known := old.get(message.id, message.context)) and known.string:
            message.string = known.string
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with CATALOGUE.open("wb") as file:
        write_po(file, new, width=0, omit_header=False, sort_output=True, no_location=True)


def compile_all() -> None:
    """Write the ``.mo`` beside the ``.po``."""
    with CATALOGUE.with_suffix(".mo").open("wb") as file:
        write_mo(file, _read())


def untranslated() -> list[str]:
    """Return one line for each message without English or with other placeholders, and each that is no longer used."""
    faults, known, wanted = [], _read(), messages()
    for message in wanted:
        if not message.id:
            continue
        there = known.get(message.id, message.context)
        strings = [] if there is None else [there.string] if isinstance(there.string, str) else list(there.string)
        if not strings or not all(strings):
            faults.append(f"no English: {message.id!r}")
        elif any(_places(_first(message)) - _places(text) for text in strings[-1:]):
            faults.append(f"the English lacks a placeholder: {message.id!r}")
    faults += [f"not used: {m.id!r}" for m in known if m.id and wanted.get(m.id, m.context) is None]
    return faults


def bare_chinese() -> list[str]:
    """Return file:line of Chinese that a template shows without translating it."""
    faults = []
    for path in _templates():
        inside = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            rest = []
            for part in TOKEN.split(line):
                tag = part[2:-2].strip() if part.startswith("{%") else ""
                if BLOCK.match(tag):
                    inside = True
                elif re.match(r"endblocktrans(late)?$", tag):
                    inside = False
                elif tag.startswith(("trans ", "translate ")) or part.startswith("{#"):
                    continue
                elif part.startswith(("{%", "{{")):
                    rest.append(INLINE.sub("", part))
                elif not inside:
                    rest.append(part)
            if found := CHINESE.search(" ".join(rest)):
                faults.append(f"{path.relative_to(ROOT)}:{number}: not translated: {found[0]}")
    return faults


def messages() -> Catalog:
    """Return what the source says, without translations."""
    catalogue = Catalog(
        locale="en", project="kequn", charset="utf-8", fuzzy=False, creation_date=MADE, revision_date=MADE
    )
    catalogue.header_comment = "# The console's words in English; the message is the Chinese."
    for path in sorted(SOURCE.rglob("*.py")):
        for _line, text, _comments, context in extract_from_file("python", path, keywords=KEYWORDS):
            if CHINESE.search(text if isinstance(text, str) else text[0]):
                catalogue.add(text, context=context)
    for path in _templates():
        for context, text in template_messages(path.read_text(encoding="utf-8")):
            catalogue.add(text, context=context)
    return catalogue


def template_messages(content: str) -> Iterator[Found]:
    """Yield (context, message or pair) of one Django template."""
    block: list[str] | None = None
    singular = context = None
    trimmed = False
    for part in TOKEN.split(content) if "\n" not in content else re.split(TOKEN.pattern, content, flags=re.DOTALL):
        tag = part[2:-2].strip() if part.startswith("{%") else ""
        if block is None:
            if found := SIMPLE.match(tag):
                yield _context(found["rest"]), _unquoted(found["text"])
            elif found := BLOCK.match(tag):
                rest = found["rest"] or ""
                block, singular, context, trimmed = [], None, _context(rest), "trimmed" in rest
            elif part.startswith(("{%", "{{")):
                for found in INLINE.finditer(part):
                    yield None, _unquoted(found["text"])
        elif tag == "plural":
            singular, block = _joined(block, trimmed=trimmed), []
        elif tag.startswith("endblocktrans"):
            text = _joined(block, trimmed=trimmed)
            yield context, (singular, text) if singular is not None else text
            block = None
        else:
            block.append(VARIABLE.sub(r"%(\1)s", part) if part.startswith("{{") else part.replace("%", "%%"))


def _joined(parts: list[str], *, trimmed: bool) -> str:
    text = "".join(parts)
    return " ".join(line.strip() for line in text.splitlines() if line.strip()) if trimmed else text


def _context(rest: str) -> str | None:
    found = CONTEXT.search(rest)
    return _unquoted(found["text"]) if found else None


def _unquoted(text: str) -> str:
    return text[1:-1].replace("%", "%%")


def _templates() -> list[Path]:
    return sorted(SOURCE.rglob("templates/**/*.html")) + sorted(SOURCE.rglob("templates/**/*.txt"))


def _read() -> Catalog:
    if not CATALOGUE.exists():
        return Catalog(locale="en", domain="django")
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="en", domain="django")


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[-1]


def _places(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[sd]|{\w+}", text))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
