"""Every verb tells what it does, in both languages, with an example; and a wrong call is told apart from a fault."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from kequn.cli.main import app
from tests.cli.conftest import Kequn
from tests.conftest import ROOT


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Return every command that does something, with its words."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(words, command)]
    return [leaf for name, one in inner.items() for leaf in leaves(one, (*words, name))]


VERBS = dict(leaves(typer.main.get_command(app)))


def test_the_verbs_of_the_loop_are_there() -> None:
    first = {words[0] for words in VERBS}
    wanted = (
        "check apply load tag segment approval campaign dispatch review serve worker user demo starter-bank version"
    )
    assert set(wanted.split()) <= first


def test_a_process_may_open_the_files_of_an_index() -> None:
    told = "import resource, sys; from kequn.cli.main import run; sys.argv = ['kequn', 'version']\ntry: run()\n"
    told += "finally: print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    narrow = f"ulimit -Sn 256; exec {shlex.quote(sys.executable)} -c {shlex.quote(told)}"
    said = subprocess.run(["/bin/sh", "-c", narrow], capture_output=True, text=True, check=False).stdout.split()
    may, most = (int(number) for number in said[-2:])
    assert may == (65_536 if most < 0 else min(65_536, most))


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_says_what_a_verb_does_in_both_languages_with_an_example(words: tuple[str, ...], kequn: Kequn) -> None:
    said = kequn(*words, "--help")
    assert said.code == 0
    assert re.search(r"[a-z]{3} .*[\u4e00-\u9fff]", said.out, re.DOTALL)
    if words != ("version",):
        assert f"Example: kequn {' '.join(words)}" in said.out


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_the_examples_in_help_are_calls_that_would_be_understood(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    command = VERBS[words]
    for line in re.findall(r"Example: kequn (.+)", command.help or ""):
        given = shlex.split(line)[len(words) :]
        given = [Path("examples").as_posix() if w == "data" else w for w in given]  # a folder that is there
        command.make_context(" ".join(words), given)


def test_the_commands_of_the_documents_would_be_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    texts = [p.read_text("utf-8") for p in (ROOT / "README.md", ROOT / "README.zh-CN.md", *ROOT.glob("docs/**/*.md"))]
    lines = [m for text in texts for m in re.findall(r"^\s*(?:\$ )?kequn ([a-z][^\n#`]*)$", text, re.MULTILINE)]
    for line in lines:
        given = tuple(shlex.split(line.rstrip("\\")))
        assert any(given[: len(words)] == words for words in VERBS), f"kequn {line}"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",), ("load", "--nonsense"), ("check",), ("check", "no_such_file.yaml"), ("segment", "count"),
        ("review", "x", "--as-of", "30.06.2026"), ("approval", "decide", "three"), ("demo", "--customers", "5"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_call_ends_with_two_and_says_how(words: tuple[str, ...], kequn: Kequn) -> None:
    said = kequn(*words)
    assert said.code == 2
    assert "Usage: " in said.err
    assert not said.out


def test_the_version_is_printed(kequn: Kequn) -> None:
    from kequn import __version__

    assert kequn("version").out == f"{__version__}\n"


def test_the_demo_leaves_alone_a_folder_that_is_not_its_own(tmp_path: Path, kequn: Kequn) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    said = kequn("demo", "--no-serve", "--home", tmp_path)
    assert said.code == 2
    assert "was not made by the demo" in " ".join(re.sub(r"[│╭╮╰╯─]", " ", said.err).split())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
