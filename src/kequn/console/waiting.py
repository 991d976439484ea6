"""Long answers beside short ones: one at a time in a web process, and none for a reader who has gone on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.http import HttpRequest

MOST_SECONDS = 0.2
"""How long a long answer waits for its turn; then its page asks again, so that waiting takes no thread from others."""

_turn = threading.Semaphore(1)


@contextmanager
def turn() -> Iterator[bool]:
    """Enter when no other long answer is being computed in this process; false where the wait was in vain."""
    entered = _turn.acquire(timeout=MOST_SECONDS)
    try:
        yield entered
    finally:
        if entered:
            _turn.release()


def has_gone(request: HttpRequest) -> bool:
    """Whether the reader has hung up, as a browser does with a question that the next edit has overtaken.

    Told by the connection that gunicorn hands over; elsewhere nobody is known to have gone.
    """
    line = request.META.get("gunicorn.socket")
    if not isinstance(line, socket.socket):
        return False
    with suppress(BlockingIOError, InterruptedError):
        try:
            return line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except ConnectionError:
            return True
    return False
