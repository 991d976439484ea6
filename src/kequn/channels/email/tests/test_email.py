"""E-mail against real SMTP servers on this machine."""

from __future__ import annotations

import email
import email.policy
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from kequn.channels.base import Accepted, Answer, Message, Refused, TryLater, Unclear
from kequn.channels.conformance import HOSTILE, check_channel
from kequn.channels.email.transport import EmailTransport
from kequn.channels.loopback import MailServer

SENDER = "noreply@bank.example"
KEY = "cd" * 16


class Inbox:
    """What a server of another make took."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 taken"


@contextmanager
def _server(handler: object) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    handler = Inbox()
    with _server(handler) as port:
        yield handler, port


def message(to: str = "wang@customer.example", subject: str = "到期提醒", body: str = "您好") -> Message:
    return Message(key=KEY, channel="email", to=to, subject=subject, body=body)


def sent(port: int, what: Message, **more: Any) -> Answer:
    with closing(EmailTransport("127.0.0.1", port, SENDER, **more)) as transport:
        return transport.send(what)


def read(content: bytes | str | None) -> email.message.EmailMessage:
    assert isinstance(content, bytes)
    return email.message_from_bytes(content, policy=email.policy.default)


def test_the_transport_keeps_the_contract_of_a_channel(inbox: tuple[Inbox, int]) -> None:
    handler, port = inbox

    def received(key: str) -> int:
        return sum(read(e.content)["Message-ID"] == f"<{key}@bank.example>" for e in handler.envelopes)

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        down = holder.getsockname()[1]
        result = check_channel(
            lambda: EmailTransport("127.0.0.1", port, SENDER),
            channel="email",
            to="wang@customer.example",
            received=received,
            broken=lambda: EmailTransport("127.0.0.1", down, SENDER),
        )
    assert result.faults == []


@pytest.mark.parametrize("text", [*HOSTILE, "\r\n.\r\nMAIL FROM:<a@b.example>", "a\nb", "."])
def test_no_text_adds_a_header_a_recipient_or_a_mail(inbox: tuple[Inbox, int], text: str) -> None:
    handler, port = inbox
    assert sent(port, message(subject=text, body=text)) == Accepted()
    (envelope,) = handler.envelopes
    mail = read(envelope.content)
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo",
    } - {"X-Peer", "X-MailFrom", "X-RcptTo"}  # fmt: skip
    assert envelope.rcpt_tos == ["wang@customer.example"]
    kept = "".join(c for c in text if c in "\r\n\t" or c >= " ").replace("\r\n", "\n").replace("\r", "\n")
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == kept.rstrip("\n")


@pytest.mark.parametrize(
    "to",
    ["", "wang", "wang@", "a@b.example\r\nRCPT TO:<c@d.example>", "a b@c.example", "<a@b.example>", "王@b.example"],
)
def test_what_is_no_address_is_refused_before_any_server_hears_of_it(to: str) -> None:
    assert sent(1, message(to=to)) == Refused("bad_address")


def test_one_connection_serves_many_and_a_lost_one_is_made_anew() -> None:
    with MailServer() as server:
        transport = EmailTransport("127.0.0.1", server.port, SENDER)
        assert [transport.send(message()) for _ in range(3)] == [Accepted()] * 3
        assert transport._smtp is not None
        assert transport._smtp.sock is not None
        transport._smtp.sock.shutdown(socket.SHUT_RDWR)
        assert transport.send(message()) == Accepted()
        transport.close()
        assert len(server.mails) == 4
        assert read(server.mails[0].content)["Subject"] == "到期提醒"


class Refusing(Inbox):
    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        if address.startswith("full"):
            return "452 come back later"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return "554 looks like spam"


@pytest.mark.parametrize(
    ("to", "answer"),
    [
        ("nobody@c.example", Refused("smtp_550", "no such user")),
        ("full@c.example", TryLater("smtp_452", text="come back later")),
        ("wang@c.example", Refused("smtp_554")),
    ],
)
def test_a_server_s_no_is_final_or_not_as_its_code_says(to: str, answer: Answer) -> None:
    with _server(Refusing()) as port:
        assert sent(port, message(to=to)) == answer


@contextmanager
def _hanging_up(after: Callable[[bytes], bool], replies: dict[bytes, bytes]) -> Iterator[int]:
    """A server that closes the connection when it reads a line for which ``after`` holds."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb", buffering=0) as stream:
            stream.write(b"220 hello\r\n")
            for line in stream:
                if after(line):
                    return
                stream.write(replies.get(line[:4].upper(), b""))

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=5)


POLITE = {b"EHLO": b"250 hello\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"DATA": b"354 go on\r\n"}


@pytest.mark.parametrize(
    ("last_word", "kind"), [(b"MAIL", TryLater), (b"RCPT", TryLater), (b"DATA", TryLater), (b".\r\n", Unclear)]
)
def test_only_a_failure_after_the_text_is_unclear(last_word: bytes, kind: type[Answer]) -> None:
    with _hanging_up(
        lambda line: line.startswith(last_word) and (last_word != b".\r\n" or line == last_word), POLITE
    ) as port:
        assert isinstance(sent(port, message()), kind)


def test_a_server_without_starttls_gets_nothing_in_clear() -> None:
    with MailServer() as server:
        assert isinstance(sent(server.port, message(), tls="starttls"), TryLater)
        assert server.mails == []
