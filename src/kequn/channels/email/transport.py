"""E-mail by SMTP, step by step, so that it is known at which word a failure came (电子邮件)."""

from __future__ import annotations

import re
import smtplib
import ssl
import threading
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from typing import Literal

from kequn.channels.base import Accepted, Answer, Message, Refused, Terms, TryLater, Unclear

TIMEOUT_SECONDS = 10.0
STEPS = 12
"""Connect, greet, encrypt, log in, envelope, text and replies: each may take that long."""
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
BODY_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
Tls = Literal["", "starttls", "ssl"]


class EmailTransport:
    """Sends through one SMTP server, keeping the connection. ``opaque``: nobody can say later what SMTP did.

    The Message-ID is made of the key, so that a reader can collapse a second copy.
    """

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        *,
        user: str = "",
        password: str = "",
        tls: Tls = "",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.terms = Terms(
            "opaque",
            settling=timedelta(seconds=60),
            longest_call=timedelta(seconds=STEPS * TIMEOUT_SECONDS),
            max_batch=10,
        )
        self._host, self._port, self._sender = host, port, sender
        self._user, self._password, self._tls = user, password, tls
        self._context = context
        self._smtp: smtplib.SMTP | None = None
        self._lock = threading.Lock()

    def send(self, message: Message) -> Answer:
        """Hand over one message. Only a failure between the text and the reply to it is unclear."""
        if not ADDRESS.fullmatch(message.to):
            return Refused("bad_address")
        text = self._written(message)
        with self._lock:
            try:
                smtp = self._connected()
                refusal = self._envelope(smtp, message.to)
            except smtplib.SMTPResponseException as error:
                self._drop()
                return TryLater(f"smtp_{error.smtp_code}")
            except (smtplib.SMTPException, OSError) as error:
                self._drop()
                return TryLater(type(error).__name__)
            if refusal is not None:
                return refusal
            try:
                smtp.send(text)
                code, _ = smtp.getreply()
            except (smtplib.SMTPException, OSError) as error:
                self._drop()
                return Unclear(type(error).__name__)
        return self._replied(code)

    def close(self) -> None:
        """Say goodbye to the server."""
        with self._lock:
            self._drop()

    def _connected(self) -> smtplib.SMTP:
        """Return a connection that answers, new where the old one was closed."""
        if self._smtp is not None:
            try:
                if self._smtp.rset()[0] == 250:
                    return self._smtp
            except (smtplib.SMTPException, OSError):
                self._drop()
        if self._tls == "ssl":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._trust()
            )
        else:
            smtp = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_SECONDS)
        self._smtp = smtp
        smtp.ehlo_or_helo_if_needed()
        if self._tls == "starttls":
            smtp.starttls(context=self._trust())
            smtp.ehlo_or_helo_if_needed()
        if self._user:
            smtp.login(self._user, self._password)
        return smtp

    def _envelope(self, smtp: smtplib.SMTP, to: str) -> Answer | None:
        """Go as far as the server's "go ahead"; nothing was said yet, so every failure here is certain."""
        for command, wanted in ((f"MAIL FROM:<{self._sender}>", 250), (f"RCPT TO:<{to}>", 250), ("DATA", 354)):
            code, reply = smtp.docmd(command)
            if code == wanted or (command.startswith("RCPT") and code == 251):
                continue
            if 500 <= code < 600 and command.startswith("RCPT"):
                return Refused(f"smtp_{code}", reply.decode("ascii", "replace")[:80])
            return TryLater(f"smtp_{code}", text=reply.decode("ascii", "replace")[:80])
        return None

    def _replied(self, code: int) -> Answer:
        if code == 250:
            return Accepted()
        if 400 <= code < 500:
            return TryLater(f"smtp_{code}")
        return Refused(f"smtp_{code}") if 500 <= code < 600 else Unclear(f"smtp_{code}")

    def _written(self, message: Message) -> bytes:
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"] = self._sender
        mail["To"] = message.to
        mail["Subject"] = CONTROL.sub(" ", message.subject)[:200].strip()
        mail["Message-ID"] = f"<{message.key}@{self._sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        body = BODY_CONTROL.sub("", message.body).encode("utf-8", "replace").decode()
        mail.set_content(body, charset="utf-8", cte="base64")
        # base64 has no line that begins with a dot, and no bare line ends: the text cannot end the DATA early
        return mail.as_bytes() + b".\r\n"

    def _trust(self) -> ssl.SSLContext:
        self._context = self._context or ssl.create_default_context()
        return self._context

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()
