"""A folder that another system empties: whole files, each message in exactly one of them (文件下发).

A batch becomes one file. It is first written into a journal below the folder, then linked under its name, which makes
it appear at once and whole. A message that comes again is found in the journal: its file is shown under the same name
with the same content, or left alone where it is known to have been shown. So the receiver, who takes each file name
once, gets each message once.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

from kequn.channels.base import Accepted, Answer, Finding, Message, NotSeen, Terms, TransportError
from kequn.channels.cells import harmless

COLUMNS = ("key", "to", "customer_ref", "campaign", "wave", "offer", "subject", "body", "expires_at")
JOURNAL = ".journal"
WAITING, SHOWN = ".waiting", ".shown"
Form = Literal["csv", "jsonl"]


class FileDropTransport:
    """Writes batches of messages as files into one folder. Several processes may share it."""

    def __init__(self, folder: Path, *, form: Form = "csv", max_batch: int = 50) -> None:
        self.terms = Terms(
            "keeps_keys", settling=timedelta(seconds=5), longest_call=timedelta(seconds=30), max_batch=max_batch
        )
        self._folder = folder
        self._form = form
        self._journal = folder / JOURNAL
        self._file_of: dict[str, str] = {}
        self._read: set[str] = set()

    def send(self, message: Message) -> Answer:
        """Write one message as a file of its own."""
        return self.send_batch([message])[0]

    def send_batch(self, messages: list[Message]) -> list[Answer]:
        """Write the messages that are in no file yet as one file; show again the files of the others.

        Raises:
            TransportError: the folder cannot be written to; nothing of the batch appeared.
        """
        try:
            with self._alone():
                self._learn()
                for name in {self._file_of[m.key] for m in messages if m.key in self._file_of}:
                    self._show(name)
                fresh = list({m.key: m for m in messages if m.key not in self._file_of}.values())
                if fresh:
                    self._show(self._write(fresh))
                return [Accepted(self._file_of[m.key]) for m in messages]
        except OSError as error:
            raise TransportError(
                f"The folder cannot be written to ({error.strerror}).",
                permanent=False,
                hint="Check that it exists, has room, and belongs to the worker.",
            ) from error

    def ask(self, key: str) -> Finding:
        """Say whether a key is in a file that was shown."""
        try:
            with self._alone():
                self._learn()
                name = self._file_of.get(key)
                if name is None:
                    return NotSeen()
                self._show(name)
                return Accepted(name)
        except OSError as error:
            raise TransportError(f"The folder cannot be read ({error.strerror}).", permanent=False) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._journal.mkdir(parents=True, exist_ok=True)
        with (self._journal / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _learn(self) -> None:
        """Read what the journal has since the last look."""
        for entry in os.scandir(self._journal):
            name, _, state = entry.name.rpartition(".")
            if f".{state}" in (WAITING, SHOWN) and name not in self._read:
                for key in _keys(Path(entry.path), self._form):
                    self._file_of[key] = name
                self._read.add(name)

    def _write(self, messages: list[Message]) -> str:
        digest = hashlib.sha256("".join(m.key for m in messages).encode()).hexdigest()[:20]
        name = f"kequn-{messages[0].channel}-{digest}.{self._form}"
        part = self._journal / f"{name}.part"
        with part.open("wb") as file:
            file.write(_content(messages, self._form))
            file.flush()
            os.fsync(file.fileno())
        part.rename(self._journal / f"{name}{WAITING}")
        _keep(self._journal)
        self._file_of |= {m.key: name for m in messages}
        self._read.add(name)
        return name

    def _show(self, name: str) -> None:
        waiting, shown, target = (
            self._journal / f"{name}{WAITING}",
            self._journal / f"{name}{SHOWN}",
            self._folder / name,
        )
        if not waiting.exists():
            return
        if not target.exists():
            os.link(waiting, target)
            _keep(self._folder)
        waiting.rename(shown)
        _keep(self._journal)


def _content(messages: list[Message], form: Form) -> bytes:
    rows = [_row(m) for m in messages]
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "replace")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({column: harmless(value) for column, value in row.items()} for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "replace")


def _row(m: Message) -> dict[str, str]:
    until = m.expires_at.isoformat() if m.expires_at else ""
    values = (m.key, m.to, m.customer_ref, m.campaign, m.wave, m.offer, m.subject, m.body, until)
    return dict(zip(COLUMNS, values, strict=True))


def _keys(path: Path, form: Form) -> list[str]:
    text = path.read_text(encoding="utf-8-sig")
    if form == "jsonl":
        return [json.loads(line)["key"] for line in text.split("\n") if line]
    return [row["key"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def _keep(folder: Path) -> None:
    """Make a rename or link in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
