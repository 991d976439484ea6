"""Gateways on this machine, for the demo and the tests: a real SMS gateway over HTTP and a real SMTP server."""

from __future__ import annotations

import json
import random
import socket
import socketserver
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any

import httpx

from kequn.channels.signature import SIGNATURE_HEADER, TIME_HEADER, is_genuine, sign

HOST = "127.0.0.1"
FAULTS = (
    "error_500",
    "error_500_after",
    "timeout_after",
    "black_hole",
    "reset_after",
    "too_fast_429",
    "garbage_after",
)


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Faults:
    """How often, in shares of the calls, the gateway misbehaves; ``hang_seconds`` long where it hangs."""

    error_500: float = 0.0
    """Answers 500 and has not taken the message."""
    error_500_after: float = 0.0
    """Answers 500 and has taken it."""
    timeout_after: float = 0.0
    """Takes it and does not answer in time."""
    black_hole: float = 0.0
    """Takes nothing and does not answer in time."""
    reset_after: float = 0.0
    """Takes it and resets the connection."""
    too_fast_429: float = 0.0
    garbage_after: float = 0.0
    """Takes it and answers 200 with something unreadable."""
    hang_seconds: float = 6.0

    def drawn(self, at: float) -> str:
        """Return the fault that falls to a number in [0, 1); empty for none."""
        for name in FAULTS:
            at -= getattr(self, name)
            if at < 0:
                return name
        return ""


@dataclass(slots=True)
class Taken:
    """One message as the gateway has it."""

    to: str
    text: str
    at: datetime
    status: str = "accepted"


@dataclass(slots=True)
class _Ledger:
    """What the gateway was given; a key that came twice was sent twice, and is counted so."""

    taken: dict[str, Taken] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class SmsGateway:
    """An HTTP gateway on a port of its own. Use as a context manager, or ``start`` and ``stop``.

    It does not know keys by itself: it sends what it is given, as often as it is given it, and counts the copies. ``quota``
    is how many messages an address may be given, as WeCom limits them for each customer; 0: any number.
    """

    def __init__(
        self,
        secret: str,
        *,
        port: int = 0,
        faults: Faults | None = None,
        latency_seconds: float = 0.0,
        seed: int = 1,
        receipt_url: str = "",
        receipt_secret: str = "",
        undelivered_rate: float = 0.0,
        refuses: Collection[str] = (),
        quota: int = 0,
        clock: Callable[[], datetime] = _utc,
    ) -> None:
        self.secret = secret
        self.faults = faults or Faults()
        self.latency_seconds = latency_seconds
        self.undelivered_rate = undelivered_rate
        self.refuses = refuses
        self.quota = quota
        self._clock = clock
        self._random = random.Random(seed)
        self._ledger = _Ledger()
        self._receipts = _ReceiptSender(receipt_url, receipt_secret) if receipt_url else None
        self._server = _Server((HOST, port), _SmsHandler)
        self._server.gateway = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where messages are posted."""
        return f"http://{HOST}:{self._server.server_address[1]}/messages"

    @property
    def messages(self) -> Mapping[str, Taken]:
        """The messages taken, by key."""
        return dict(self._ledger.taken)

    def found(self, key: str) -> Taken | None:
        """Return what the gateway knows of a key."""
        return self._ledger.taken.get(key)

    def count(self, key: str) -> int:
        """Return how many copies of a message the customer got."""
        return self._ledger.copies[key]

    @property
    def duplicates(self) -> int:
        """Copies beyond the first, of all messages."""
        return sum(self._ledger.copies.values()) - len(self._ledger.copies)

    @property
    def calls(self) -> int:
        """How many messages were posted, taken or not."""
        return self._ledger.calls

    def start(self) -> SmsGateway:
        """Serve until ``stop``."""
        self._thread.start()
        if self._receipts:
            self._receipts.start()
        return self

    def stop(self) -> None:
        """Close the port. Receipts that wait are sent first."""
        self._server.shutdown()
        self._server.server_close()
        if self._receipts:
            self._receipts.stop()

    def __enter__(self) -> SmsGateway:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_full(self, key: str, to: str) -> bool:
        """Whether an address was given all that it may be given, this message not among it."""
        taken = self.messages
        return bool(self.quota) and key not in taken and sum(t.to == to for t in taken.values()) >= self.quota

    def fault(self) -> str:
        """Draw what goes wrong with the next call."""
        with self._ledger.lock:
            self._ledger.calls += 1
            return self.faults.drawn(self._random.random())

    def take(self, key: str, to: str, text: str) -> None:
        """Count a message as sent, and announce its receipt."""
        with self._ledger.lock:
            lost = self._random.random() < self.undelivered_rate
            status = "undelivered" if lost else "delivered"
            self._ledger.copies[key] += 1
            taken = self._ledger.taken.setdefault(key, Taken(to, text, self._clock()))
            if self._receipts:
                taken.status = status
        if self._receipts:
            self._receipts.announce(key, status, self._clock())


class _Calm(socketserver.BaseServer):
    """A caller who hangs up is part of the game, and not worth a trace."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Server(_Calm, ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    gateway: SmsGateway


class _SmsHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing: the ledger is the log."""

    def do_POST(self) -> None:
        """Take one message, unless a fault is drawn."""
        gateway = self.server.gateway
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not self._is_genuine(body):
            return self._say(401, {"status": "refused", "code": "bad_signature"})
        try:
            content = json.loads(body)
            key, to, text = str(content["id"]), str(content["to"]), str(content["text"])
        except (ValueError, KeyError, TypeError):
            return self._say(400, {"status": "refused", "code": "bad_request"})
        if to in gateway.refuses:
            return self._say(422, {"status": "refused", "code": "bad_number"})
        if gateway.is_full(key, to):
            return self._say(422, {"status": "refused", "code": "quota"})
        fault = gateway.fault()
        time.sleep(gateway.latency_seconds)
        if fault.endswith("_after") or not fault:
            gateway.take(key, to, text)
        return (
            self._misbehave(fault) if fault else self._say(200, {"status": "accepted", "message_id": f"m-{key[:12]}"})
        )

    def do_GET(self) -> None:
        """Say what became of a key."""
        key = self.path.rpartition("/")[2]
        if not self._is_genuine(b""):
            return self._say(401, {"status": "refused"})
        taken = self.server.gateway.found(key)
        if taken is None:
            return self._say(404, {"status": "not_found"})
        return self._say(200, {"id": key, "status": taken.status, "message_id": f"m-{key[:12]}"})

    def _misbehave(self, fault: str) -> None:
        match fault:
            case "error_500" | "error_500_after":
                self._say(500, {"status": "error"})
            case "too_fast_429":
                self._say(429, {"status": "refused", "code": "too_fast"})
            case "garbage_after":
                self._send(200, b"<html>it works</html>")
            case "reset_after":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            case _:
                time.sleep(self.server.gateway.faults.hang_seconds)
                self.close_connection = True

    def _is_genuine(self, body: bytes) -> bool:
        return is_genuine(
            [self.server.gateway.secret],
            time=self.headers.get(TIME_HEADER, ""),
            signature=self.headers.get(SIGNATURE_HEADER, ""),
            body=body,
            now=datetime.now(UTC),
        )

    def _say(self, status: int, content: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(content).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _ReceiptSender:
    """Posts receipts in handfuls to the bank, signed, and tries again while nobody listens."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self._waiting: SimpleQueue[dict[str, str]] = SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(timeout=5)

    def announce(self, key: str, status: str, at: datetime) -> None:
        self._waiting.put({"id": key, "status": status, "at": at.isoformat(), "message_id": f"m-{key[:12]}"})

    def _run(self) -> None:
        with httpx.Client(timeout=3, trust_env=False) as client:
            while not (self._ending.is_set() and self._waiting.empty()):
                if handful := self._handful():
                    self._post(client, json.dumps({"receipts": handful}).encode())

    def _handful(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        while len(found) < 100:
            try:
                found.append(self._waiting.get(timeout=0.1))
            except Empty:
                break
        return found

    def _post(self, client: httpx.Client, body: bytes) -> None:
        for pause in (0.1, 0.5, 1.0):
            moment = str(int(time.time()))
            headers = {TIME_HEADER: moment, SIGNATURE_HEADER: sign(self._secret, moment, body)}
            try:
                if client.post(self._url, content=body, headers=headers).is_success:
                    return
            except httpx.HTTPError:
                pass
            if self._ending.wait(pause):
                return


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail as the server took it: envelope and the text as it came, dots unstuffed."""

    sender: str
    to: tuple[str, ...]
    content: bytes


class MailServer:
    """An SMTP server that takes everything and keeps it in memory; a context manager, or ``start`` and ``stop``."""

    def __init__(self, *, port: int = 0) -> None:
        self.mails: list[Mail] = []
        self._server = _MailListener((HOST, port), _MailHandler)
        self._server.mails = self.mails
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> MailServer:
        """Serve until ``stop``."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> MailServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _MailListener(_Calm, socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    mails: list[Mail]


class _MailHandler(socketserver.StreamRequestHandler):
    timeout = 60
    server: _MailListener

    def handle(self) -> None:
        """Speak SMTP until QUIT or the end of the connection."""
        sender = ""
        to: list[str] = []
        self._say("220 kequn loopback")
        while line := self.rfile.readline(2000):
            words = line.decode("utf-8", "replace").strip()
            match words[:4].upper():
                case "EHLO" | "HELO":
                    self._say("250 kequn loopback")
                case "MAIL":
                    sender, to = _address(words), []
                    self._say("250 ok")
                case "RCPT":
                    to.append(_address(words))
                    self._say("250 ok")
                case "DATA" if to:
                    self._say("354 end with a dot")
                    self.server.mails.append(Mail(sender, tuple(to), self._text()))
                    self._say("250 taken")
                case "RSET" | "NOOP":
                    sender, to = "", []
                    self._say("250 ok")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("500 what?")

    def _text(self) -> bytes:
        lines = []
        while (line := self.rfile.readline(10_000)) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _say(self, words: str) -> None:
        self.wfile.write(words.encode() + b"\r\n")


def _address(words: str) -> str:
    return words[words.find("<") + 1 : words.rfind(">")]
