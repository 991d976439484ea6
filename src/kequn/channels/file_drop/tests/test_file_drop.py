"""Files dropped for another system: whole, once, and harmless to a spreadsheet."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.channels.base import Accepted, Message, NotSeen, TransportError
from kequn.channels.cells import BLANK, harmless
from kequn.channels.conformance import HOSTILE, check_channel
from kequn.channels.file_drop.transport import JOURNAL, FileDropTransport


def message(n: int, body: str = "您好") -> Message:
    return Message(key=f"{n:032x}", channel="file_drop", to=f"{n:010}", body=body, customer_ref=f"c{n}")


class Receiver:
    """The other system: takes every file name once, and removes what it took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: set[str] = set()
        self.keys: Counter[str] = Counter()

    def take(self) -> None:
        for path in sorted(self.folder.glob("*.csv")):
            if path.name not in self.names:
                self.names.add(path.name)
                with path.open(encoding="utf-8-sig", newline="") as file:
                    self.keys.update(row["key"] for row in csv.DictReader(file))
            path.unlink()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_the_transport_keeps_the_contract_of_a_channel(tmp_path: Path, form: str) -> None:
    def received(key: str) -> int:
        return sum(path.read_text("utf-8").count(key) > 0 for path in tmp_path.glob(f"*.{form}"))

    def down() -> FileDropTransport:
        (tmp_path / "a file").touch()
        return FileDropTransport(tmp_path / "a file" / "drop")

    result = check_channel(
        lambda: FileDropTransport(tmp_path, form=form),  # type: ignore[arg-type]
        channel="file_drop",
        to="0001",
        received=received,
        broken=down,
    )
    assert [f for f in result.faults if f.check != "says_unclear_rather_than_guess"] == []


def test_a_batch_is_one_file_with_a_header(tmp_path: Path) -> None:
    FileDropTransport(tmp_path).send_batch([message(1), message(2)])
    (path,) = tmp_path.glob("*.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == [message(1).key, message(2).key]
    assert [row["body"] for row in rows] == ["您好", "您好"]


def test_a_message_that_comes_again_in_other_company_is_in_one_file_only(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path)
    transport = FileDropTransport(tmp_path)
    transport.send_batch([message(1), message(2)])
    receiver.take()
    transport.send_batch([message(2), message(3)])
    FileDropTransport(tmp_path).send_batch([message(1), message(3), message(4)])
    receiver.take()
    assert receiver.keys == {message(n).key: 1 for n in (1, 2, 3, 4)}


@pytest.mark.parametrize("dies_at", ["rename", "link", "rename again"])
def test_a_writer_that_dies_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path, dies_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver(tmp_path)
    steps: list[str] = []
    link, rename = os.link, Path.rename

    def dying(name: str) -> None:
        steps.append(name)
        if dies_at == (name if steps.count(name) == 1 else f"{name} again"):
            raise KeyboardInterrupt

    def dying_link(source: Path, target: Path) -> None:
        dying("link")
        link(source, target)

    def dying_rename(source: Path, target: Path) -> Path:
        dying("rename")
        return rename(source, target)

    monkeypatch.setattr(os, "link", dying_link)
    monkeypatch.setattr(Path, "rename", dying_rename)
    with pytest.raises(KeyboardInterrupt):
        FileDropTransport(tmp_path).send_batch([message(1), message(2)])
    monkeypatch.undo()
    receiver.take()
    FileDropTransport(tmp_path).send_batch([message(2), message(1)])
    receiver.take()
    assert receiver.keys == {message(1).key: 1, message(2).key: 1}


def test_it_says_what_it_has_and_what_it_never_saw(tmp_path: Path) -> None:
    FileDropTransport(tmp_path).send(message(1))
    again = FileDropTransport(tmp_path)
    assert isinstance(again.ask(message(1).key), Accepted)
    assert again.ask(message(2).key) == NotSeen()


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_give_up(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(TransportError) as error:
        FileDropTransport(blocked / "drop").send(message(1))
    assert not error.value.permanent
    assert str(tmp_path) not in str(error.value)


def test_nothing_half_written_is_ever_seen(tmp_path: Path) -> None:
    FileDropTransport(tmp_path).send_batch([message(n) for n in range(50)])
    assert [p.suffix for p in tmp_path.iterdir() if p.name != JOURNAL] == [".csv"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_from_the_lines_as_it_was(tmp_path: Path, text: str) -> None:
    FileDropTransport(tmp_path, form="jsonl").send(message(1, body=text))
    (path,) = tmp_path.glob("*.jsonl")
    assert json.loads(path.read_text("utf-8"))["body"] == text


@given(st.text())
def test_no_cell_begins_a_formula_and_its_text_is_kept(text: str) -> None:
    cell = harmless(text)
    start = cell.lstrip("".join(BLANK))[:1]
    assert start not in ("=", "+", "-", "@", "＝", "＋", "－", "＠")
    assert cell.removeprefix("'") == text.replace("\x00", "").removeprefix("'" if not cell.startswith("''") else "")
