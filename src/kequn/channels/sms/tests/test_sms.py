"""SMS against a real HTTP gateway on this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kequn.channels.base import Accepted, Answer, Finding, Message, NotSeen, Refused, TransportError, TryLater, Unclear
from kequn.channels.conformance import check_channel
from kequn.channels.loopback import Faults, SmsGateway
from kequn.channels.signature import SIGNATURE_HEADER, TIME_HEADER, is_genuine
from kequn.channels.sms.receipts import read_receipts
from kequn.channels.sms.transport import SmsTransport

SECRET = "s" * 32
KEY = "ab" * 16


def message(key: str = KEY, body: str = "您好", to: str = "19900000001") -> Message:
    return Message(key=key, channel="sms", to=to, body=body)


def sent(url: str, what: Message | None = None, secret: str = SECRET) -> Answer:
    with closing(SmsTransport(url, secret)) as transport:
        return transport.send(what or message())


def asked(url: str, secret: str = SECRET) -> Finding:
    with closing(SmsTransport(url, secret)) as transport:
        return transport.ask(KEY)


@pytest.fixture
def gateway() -> Iterator[SmsGateway]:
    with SmsGateway(SECRET) as running:
        yield running


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken and that nobody listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_the_transport_keeps_the_contract_of_a_channel(gateway: SmsGateway, closed_port: int) -> None:
    def down() -> SmsTransport:
        return SmsTransport(f"http://127.0.0.1:{closed_port}/messages", SECRET)

    result = check_channel(
        lambda: SmsTransport(gateway.url, SECRET), channel="sms", to="19900000001", received=gateway.count, broken=down
    )
    assert result.faults == []
    assert len(result.passed) == 9


def test_text_and_number_arrive_as_they_were_given(gateway: SmsGateway) -> None:
    text = '尊敬的"王"先生 \\ \u2028 😀 {{x}}'
    assert sent(gateway.url, message(body=text)) == Accepted(f"m-{KEY[:12]}")
    assert (gateway.messages[KEY].to, gateway.messages[KEY].text) == ("19900000001", text)


@pytest.mark.parametrize(
    ("fault", "kind", "has_it"),
    [
        ("error_500", Unclear, False),
        ("error_500_after", Unclear, True),
        ("timeout_after", Unclear, True),
        ("black_hole", Unclear, False),
        ("reset_after", Unclear, True),
        ("garbage_after", Unclear, True),
        ("too_fast_429", TryLater, False),
    ],
)
def test_what_may_have_arrived_is_unclear_and_asking_tells(fault: str, kind: type[Answer], has_it: bool) -> None:
    with SmsGateway(SECRET, faults=Faults(**{fault: 1.0}, hang_seconds=4.0)) as gateway:
        assert isinstance(sent(gateway.url), kind)
        assert isinstance(asked(gateway.url), Accepted if has_it else NotSeen)
        assert gateway.count(KEY) == int(has_it)


def test_a_number_that_the_gateway_refuses_is_refused_for_good() -> None:
    with SmsGateway(SECRET, refuses={"000"}) as gateway:
        assert sent(gateway.url, message(to="000")) == Refused("bad_number")


def test_a_wrong_secret_is_our_fault_and_not_the_message_s(gateway: SmsGateway) -> None:
    assert isinstance(sent(gateway.url, secret="wrong"), TryLater)
    assert isinstance(asked(gateway.url, secret="wrong"), Unclear)
    assert gateway.count(KEY) == 0


class Scripted(BaseHTTPRequestHandler):
    """Answers with a status, headers and a body that the test names."""

    protocol_version = "HTTP/1.1"
    reply: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    asked: list[str] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status, headers, body = self.reply
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def scripted() -> Iterator[tuple[type[Scripted], str]]:
    handler = type("Handler", (Scripted,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_address[1]}/messages"
        server.shutdown()


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ((200, {}, b'{"status": "accepted"}'), Accepted()),
        ((202, {}, b'{"status": "accepted", "message_id": 7}'), Accepted("7")),
        ((409, {}, b'{"message_id": "old"}'), Accepted("old")),
        ((200, {}, b"[1]"), Unclear("http_200")),
        ((200, {}, b"[" * 60_000), Unclear("http_200")),
        ((200, {}, b"x" * 100_000), Unclear("_TooMuch")),
        ((302, {"Location": "/elsewhere"}, b""), Unclear("http_302")),
        ((502, {}, b""), Unclear("http_502")),
        ((503, {"Retry-After": "120"}, b""), TryLater("http_503", 120.0)),
        ((429, {"Retry-After": "tomorrow"}, b""), TryLater("http_429", None)),
        ((422, {}, b'{"code": "bad_number"}'), Refused("bad_number")),
        ((400, {}, b""), Refused("http_400")),
        ((403, {}, b""), TryLater("http_403", 60.0)),
    ],
)
def test_every_answer_of_a_gateway_has_its_meaning(
    scripted: tuple[type[Scripted], str], reply: tuple[int, dict[str, str], bytes], answer: Answer
) -> None:
    handler, url = scripted
    handler.reply = reply
    assert sent(url) == answer
    assert handler.asked == ["/messages"]


def test_a_404_of_somebody_in_between_is_not_the_gateway_s_word(scripted: tuple[type[Scripted], str]) -> None:
    handler, url = scripted
    handler.reply = (404, {}, b"<h1>Not Found</h1>")
    assert isinstance(asked(url), Unclear)


def test_an_answer_about_another_key_settles_nothing(scripted: tuple[type[Scripted], str]) -> None:
    handler, url = scripted
    handler.reply = (200, {}, json.dumps({"id": "cd" * 16, "status": "accepted"}).encode())
    assert isinstance(asked(url), Unclear)


def test_no_proxy_is_taken_from_the_environment(
    gateway: SmsGateway, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port}")
    assert isinstance(sent(gateway.url), Accepted)


def test_receipts_are_read_with_their_time_and_key() -> None:
    at = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
    body = json.dumps({"receipts": [{"id": KEY, "status": "delivered", "at": at.isoformat(), "message_id": "m1"}]})
    (receipt,) = read_receipts(body.encode(), provider="sms")
    assert (receipt.key, receipt.status, receipt.at, receipt.message_id) == (KEY, "delivered", at, "m1")


@pytest.mark.parametrize(
    "entry",
    [
        {"id": KEY, "status": "delivered", "at": "2026-07-01T10:00:00"},
        {"id": KEY, "status": "read", "at": "2026-07-01T10:00:00+08:00"},
        {"id": "", "status": "delivered", "at": "2026-07-01T10:00:00+08:00"},
        {"id": 7, "status": "delivered", "at": "2026-07-01T10:00:00+08:00"},
        {"id": KEY, "status": "delivered", "at": 7},
        {"status": "delivered"},
        "delivered",
    ],
)
def test_one_wrong_receipt_refuses_the_whole_call(entry: object) -> None:
    right = {"id": KEY, "status": "delivered", "at": "2026-07-01T10:00:00+08:00"}
    with pytest.raises(TransportError, match="cannot be read"):
        read_receipts(json.dumps({"receipts": [right, entry]}).encode(), provider="sms")


def test_the_gateway_posts_signed_receipts() -> None:
    arrived: list[tuple[bytes, bool]] = []

    class Inbox(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            genuine = is_genuine(
                ["r" * 32],
                time=self.headers[TIME_HEADER],
                signature=self.headers[SIGNATURE_HEADER],
                body=body,
                now=datetime.now(UTC),
            )
            arrived.append((body, genuine))
            self.send_response(204)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Inbox) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/receipts"
        with SmsGateway(SECRET, receipt_url=url, receipt_secret="r" * 32) as gateway:
            sent(gateway.url)
        server.shutdown()
    ((body, genuine),) = arrived
    assert genuine
    assert [r.status for r in read_receipts(body, provider="sms")] == ["delivered"]


def test_terms_leave_room_for_a_request_that_is_still_on_its_way(gateway: SmsGateway) -> None:
    with closing(SmsTransport(gateway.url, SECRET)) as transport:
        terms = transport.terms
    assert terms.settling > terms.longest_call >= timedelta(seconds=5)
    assert {f.name for f in fields(Faults)} >= {"timeout_after", "reset_after"}
