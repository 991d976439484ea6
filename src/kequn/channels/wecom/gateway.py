"""WeCom's side panel: who sits before it, and the signatures by which a page may talk to the chat beside it (企业微信侧边栏)."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from kequn.core.errors import KequnError

PATIENCE_SECONDS = 5.0
RENEW_BEFORE_SECONDS = 300
TICKETS = {"corp": ("/cgi-bin/get_jsapi_ticket", {}), "agent": ("/cgi-bin/ticket/get", {"type": "agent_config"})}
"""Kind of ticket -> where it is asked for: the company's, and the application's own."""


class WecomDown(KequnError):
    """WeCom did not answer, or refused us."""

    code = "wecom_down"


class Wecom(Protocol):
    """What the panel needs of WeCom, or of what stands in for it."""

    def user_of(self, code: str) -> str:
        """Return WeCom's id of the member of staff behind a one-time code; empty when it stands for nobody."""

    def ticket(self, kind: str) -> str:
        """Return the ticket that signatures are made with; ``kind`` is ``corp`` or ``agent``."""


def signature(ticket: str, *, nonce: str, timestamp: int, url: str) -> str:
    """Return the signature of a page by WeCom's rule: SHA-1 over ticket, nonce, time and the very address without its fragment."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url.partition('#')[0]}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # the protocol's own choice


def authorize_url(door: str, *, corp_id: str, agent_id: str, back_to: str, state: str) -> str:
    """Return where a browser is sent to be told who sits before it; the order of the parameters is WeCom's."""
    asked = {
        "appid": corp_id, "redirect_uri": back_to, "response_type": "code", "scope": "snsapi_base", "state": state,
        "agentid": agent_id,
    }  # fmt: skip
    return f"{door}?{urlencode(asked)}#wechat_redirect"


class HttpWecom:
    """WeCom over HTTP. Tokens and tickets are kept until shortly before they run out. Safe to call from several threads."""

    def __init__(
        self,
        address: str,
        corp_id: str,
        secret: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._client = httpx.Client(base_url=address, timeout=PATIENCE_SECONDS, transport=transport)
        self._login = {"corpid": corp_id, "corpsecret": secret}
        self._clock = clock
        self._kept: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def user_of(self, code: str) -> str:
        """See `Wecom`."""
        answer = self._ask("/cgi-bin/auth/getuserinfo", {"access_token": self._token(), "code": code})
        return str(answer.get("userid") or answer.get("UserId") or "")

    def ticket(self, kind: str) -> str:
        """See `Wecom`."""
        path, more = TICKETS[kind]
        return self._keep(kind, "ticket", lambda: self._ask(path, {"access_token": self._token(), **more}))

    def _token(self) -> str:
        return self._keep("token", "access_token", lambda: self._ask("/cgi-bin/gettoken", self._login))

    def _keep(self, name: str, field: str, ask: Callable[[], dict[str, Any]]) -> str:
        with self._lock:
            until, value = self._kept.get(name, (0.0, ""))
        if value and self._clock() < until:
            return value
        answer = ask()
        value = str(answer.get(field, ""))
        lasts = max(0.0, float(answer.get("expires_in", 0)) - RENEW_BEFORE_SECONDS)
        with self._lock:
            self._kept[name] = (self._clock() + lasts, value)
        return value

    def _ask(self, path: str, asked: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self._client.get(path, params=asked)
            answer.raise_for_status()
            told = answer.json()
        except (httpx.HTTPError, json.JSONDecodeError):
            # the error's own words hold the address, and with it the secret
            raise WecomDown("WeCom does not answer.", hint="Sign in with name and password.") from None
        if not isinstance(told, dict) or told.get("errcode", 0) != 0:
            code = told.get("errcode") if isinstance(told, dict) else "?"
            raise WecomDown(f"WeCom refused us ({code}).", hint="Sign in with name and password.", errcode=code)
        return told


class SimulatedWecom:
    """Stands in for WeCom in a demo and in tests: codes are sealed ids, tickets are fixed."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def code_for(self, user: str) -> str:
        """Return the code that WeCom would give for a member of staff."""
        return f"{user}.{self._seal(user)}"

    def user_of(self, code: str) -> str:
        """See `Wecom`."""
        user, _, seal = code.rpartition(".")
        return user if hmac.compare_digest(seal.encode(), self._seal(user).encode()) else ""

    def ticket(self, kind: str) -> str:
        """See `Wecom`."""
        return f"simulated-{kind}"

    def _seal(self, user: str) -> str:
        return hmac.new(self._key, b"wecom " + user.encode(), hashlib.sha256).hexdigest()[:32]
