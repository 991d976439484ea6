"""SMS by an HTTP gateway: POST one message with our key, GET by key to ask (短信)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

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
        self._url = url.rstrip("/")
        self._secret = secret
        self._wall_clock = wall_clock
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def send(self, message: Message) -> Answer:
        """Hand over one message; every way it can go wrong is an answer."""
        content = {"id": message.key, "to": message.to, "text": message.body}
        try:
            status, headers, body = self._call("POST", self._url, json.dumps(content, ensure_ascii=False).encode())
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return TryLater(type(error).__name__)  # not a byte of the message left
        except (httpx.HTTPError, _TooMuch) as error:
            return Unclear(type(error).__name__)
        return _answer(status, headers, _object(body))

    def ask(self, key: str) -> Finding:
        """Ask what became of a key. "Never seen" needs the gateway's own word: any proxy can say 404."""
        try:
            status, _, body = self._call("GET", f"{self._url}/{key}", b"")
        except (httpx.HTTPError, _TooMuch) as error:
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
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connections(self) -> httpx.Client:
        """Return the pool of connections, made at the first call: reading the trusted certificates takes a while."""
        with self._lock:
            if self._client is None:
                n = self.terms.concurrency
                self._client = httpx.Client(
                    timeout=httpx.Timeout(self._patience, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
                    limits=httpx.Limits(max_connections=n, max_keepalive_connections=n, keepalive_expiry=10),
                    follow_redirects=False,
                    trust_env=False,
                )
            return self._client

    def _call(self, method: str, url: str, content: bytes) -> tuple[int, httpx.Headers, bytes]:
        moment = str(int(self._wall_clock()))
        headers = {
            "Content-Type": "application/json",
            TIME_HEADER: moment,
            SIGNATURE_HEADER: sign(self._secret, moment, content),
        }
        end = time.monotonic() + CONNECT_SECONDS + self._patience
        with self._connections().stream(method, url, content=content, headers=headers) as response:
            body = b""
            for piece in response.iter_raw():
                body += piece
                if len(body) > MOST_BYTES or time.monotonic() > end:
                    raise _TooMuch
            return response.status_code, response.headers, body


class _TooMuch(Exception):  # noqa: N818 - a limit, not a fault of ours
    """The answer is longer, or takes longer, than any honest one."""


def _answer(status: int, headers: httpx.Headers, body: dict[str, Any]) -> Answer:
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
