"""SMS by an HTTP gateway: POST one message with our key, GET by key to ask (短信)."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from kequn.channels.base import Accepted, Answer, Finding, Message, NotSeen, Refused, Terms, TryLater, Unclear
from kequn.channels.signature import SIGNATURE_HEADER, TIME_HEADER, sign

CONNECT_SECONDS, PATIENCE_SECONDS = 2.0, 3.0
MOST_BYTES = 64 * 1024
REFUSED = frozenset({400, 404, 413, 422})
"""The gateway read the message and will never take it."""
OUR_FAULT = frozenset({401, 403, 405})
"""Wrong credentials or address: nothing is wrong with the message, so it waits."""


class SmsTransport:
    """Sends through one account of one gateway. Safe to call from several threads.

    The gateway's side: ``POST <url>`` with ``{"id", "to", "text"}`` answers 200 or 202 with ``{"status": "accepted",
    "message_id": …}``; ``GET <url>/<id>`` answers 200 with ``{"id", "status"}``, where status is accepted, delivered,
    undelivered or refused, or 404 with ``{"status": "not_found"}``. Both carry time and HMAC-SHA-256 in headers.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        settling: timedelta = timedelta(seconds=30),
        concurrency: int = 8,
        patience_seconds: float = PATIENCE_SECONDS,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        longest = CONNECT_SECONDS + 3 * patience_seconds  # connect, write, first answer, and a last piece of it
        self.terms = Terms("answers", settling, timedelta(seconds=longest), concurrency=concurrency)
        self._patience = patience_seconds
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the gateway's address begins with http:// or https://")
        self._host, self._port, self._is_tls = parts.hostname, parts.port, parts.scheme == "https"
        self._path = parts.path.rstrip("/")
        self._secret = secret
        self._wall_clock = wall_clock
        self._trust: ssl.SSLContext | None = None
        self._mine = threading.local()
        self._open: set[http.client.HTTPConnection] = set()

    def send(self, message: Message) -> Answer:
        """Hand over one message; every way it can go wrong is an answer."""
        content = {"id": message.key, "to": message.to, "text": message.body}
        body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        try:
            connection = self._connected()
        except OSError as error:
            return TryLater(type(error).__name__)  # not a byte of the message left
        try:
            status, headers, answer = self._call(connection, "POST", self._path, body)
        except (OSError, http.client.HTTPException, _TooMuch) as error:
            self._drop(connection)
            return Unclear(type(error).__name__)
        return _answer(status, headers, _object(answer))

    def ask(self, key: str) -> Finding:
        """Ask what became of a key. "Never seen" needs the gateway's own word: any proxy can say 404."""
        try:
            connection = self._connected()
        except OSError as error:
            return Unclear(type(error).__name__)
        try:
            status, _, body = self._call(connection, "GET", f"{self._path}/{key}", b"")
        except (OSError, http.client.HTTPException, _TooMuch) as error:
            self._drop(connection)
            return Unclear(type(error).__name__)
        answer = _object(body)
        match status, answer.get("status"):
            case 200, ("accepted" | "delivered" | "undelivered") if answer.get("id") == key:
                return Accepted(str(answer.get("message_id", "")))
            case 200, "refused" if answer.get("id") == key:
                return Refused(str(answer.get("code", "refused")))
            case 404, "not_found":
                return NotSeen()
        return Unclear(f"http_{status}")

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in list(self._open):
            self._drop(connection)

    def _connected(self) -> http.client.HTTPConnection:
        """Return this thread's connection; a new one where the gateway has closed the old one meanwhile."""
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is not None and connection.sock is not None:
            if not _has_something_to_say(connection.sock):
                return connection
            self._drop(connection)  # it says something though nobody asked: it hung up
        if self._is_tls:
            self._trust = self._trust or ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=CONNECT_SECONDS, context=self._trust
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        connection.connect()
        connection.auto_open = 0  # never send a message a second time by itself
        connection.sock.settimeout(self._patience)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._mine.connection = connection
        self._open.add(connection)
        return connection

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        self._open.discard(connection)
        connection.close()

    def _call(
        self, connection: http.client.HTTPConnection, method: str, path: str, content: bytes
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        moment = str(int(self._wall_clock()))
        headers = {
            "Content-Type": "application/json",
            TIME_HEADER: moment,
            SIGNATURE_HEADER: sign(self._secret, moment, content),
        }
        end = time.monotonic() + CONNECT_SECONDS + self._patience
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        body = b""
        while piece := response.read1(MOST_BYTES):
            body += piece
            if len(body) > MOST_BYTES or time.monotonic() > end:
                raise _TooMuch
        response.close()
        return response.status, response.headers, body


class _TooMuch(Exception):
    """The answer is longer, or takes longer, than any honest one."""


def _answer(status: int, headers: http.client.HTTPMessage, body: dict[str, Any]) -> Answer:
    text = str(body.get("text", ""))[:80]
    if status in (200, 202) and body.get("status") == "accepted":
        return Accepted(str(body.get("message_id", "")))
    if status == 409:
        return Accepted(str(body.get("message_id", "")))  # it has this key already
    if status in REFUSED:
        return Refused(str(body.get("code", f"http_{status}")), text)
    if status in (429, 503):
        return TryLater(f"http_{status}", _seconds(headers.get("Retry-After", "")), text)
    if status in OUR_FAULT:
        return TryLater(f"http_{status}", 60.0, text)
    return Unclear(f"http_{status}", text)


def _seconds(value: str) -> float | None:
    return float(value) if value.isascii() and value.isdigit() and len(value) < 6 else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _has_something_to_say(sock: socket.socket) -> bool:
    """Return whether bytes or a hang-up wait on a socket; by ``poll``, for ``select`` ends at the 1,024th open file."""
    asked = select.poll()
    asked.register(sock, select.POLLIN)
    return bool(asked.poll(0))
