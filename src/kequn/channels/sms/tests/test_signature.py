"""Signatures: what was not signed in time with an active secret is refused."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from kequn.channels.signature import MAX_BODY_BYTES, is_genuine, sign

NOW = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
TIME = str(int(NOW.timestamp()))
SECRET = "s" * 32
BODY = b'{"receipts": []}'


def genuine(
    body: bytes = BODY, time: str = TIME, signature: str | None = None, secrets: tuple[str, ...] = (SECRET,)
) -> bool:
    signature = sign(SECRET, TIME, BODY) if signature is None else signature
    return is_genuine(secrets, time=time, signature=signature, body=body, now=NOW)


def test_what_was_signed_is_believed_with_either_active_secret() -> None:
    assert genuine()
    assert genuine(secrets=("new", SECRET))


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY + b" "},
        {"time": str(int(TIME) + 1)},
        {"time": ""},
        {"time": "-1"},
        {"time": "１７"},
        {"time": "9" * 400},
        {"signature": ""},
        {"signature": "v1="},
        {"signature": "v1=" + "０" * 64},
        {"secrets": ()},
        {"secrets": ("",)},
        {"secrets": ("other",)},
    ],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    assert not genuine(**change)  # type: ignore[arg-type]


def test_an_empty_secret_signs_nothing() -> None:
    assert not genuine(signature=sign("", TIME, BODY), secrets=("",))


@pytest.mark.parametrize(("seconds", "believed"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_a_signature_is_good_for_five_minutes(seconds: int, believed: bool) -> None:
    signature = sign(SECRET, TIME, BODY)
    at = NOW + timedelta(seconds=seconds)
    assert is_genuine([SECRET], time=TIME, signature=signature, body=BODY, now=at) is believed


def test_a_huge_body_is_refused_unread() -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    assert not is_genuine([SECRET], time=TIME, signature=sign(SECRET, TIME, body), body=body, now=NOW)


def test_ten_thousand_mutated_signatures_are_all_refused() -> None:
    draw = random.Random(7)
    right = sign(SECRET, TIME, BODY)
    accepted = 0
    for _ in range(10_000):
        letters = list(right)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(letters))
            letters[at] = draw.choice("0123456789abcdefvV1=")
        forged = "".join(letters)
        accepted += forged != right and genuine(signature=forged)
    assert accepted == 0
