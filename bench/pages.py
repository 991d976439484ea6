"""What a person waits for: edits in the segment builder with several at once, and whole segment pages.

    python bench/pages.py --home var/demo --users 8 --seconds 60
    python bench/pages.py --home var/demo --users 50 --book

Starts the console over a bank that is there already and signs in as the marketer in several sessions. Opens each segment's page
with all its parts, twice; then each session changes one value of a segment's rule after the other, as the builder's form does:
first with time to think between, then without any. After each new count the page loads the draft's profile and overlap, as the
builder does when nothing was changed for 0.4 seconds, and asks again where it is told to; without time to think it does so at once.
With ``--book`` it signs in as so many relationship managers instead, giving each the demo's password, and each opens a customer
of her own book with all parts of the page, every half minute another one whom nobody opened before; head and parts are counted
one by one and as a whole. One more manager opens a few pages before, so that the processes have read their code.
Prints a Markdown table of wall times seen by the client, which runs on the same machine.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import httpx

MARKETER, PASSWORD = "zhaomin", "kequn-demo-2026"
THINK_SECONDS = (0.3, 1.2)
"""How long a person looks before she changes the next thing."""
PAUSE_SECONDS = 0.4
"""How long the page waits after a count before it loads profile and overlap."""
ASKS_AGAIN = 0.7
LOOKS_SECONDS = 30.0
"""How long a relationship manager stays on a customer's page."""
CONNECTIONS = 6
"""So many requests a browser sends to one host at a time."""
ROOT = Path(__file__).resolve().parents[1]


class Fields(HTMLParser):
    """The fields of the builder's form as a browser would send them, and the addresses of parts a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.data, self.parts, self.select = False, {}, [], ""  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        """Note a field, or a part that is loaded when the page stands."""
        at = {k: v or "" for k, v in pairs}
        if "hx-get" in at and "load" in at.get("hx-trigger", ""):
            self.parts.append(at["hx-get"])
        self.inside = self.inside or (tag == "form" and at.get("id") == "builder")
        if not self.inside or (not at.get("name") and tag != "option"):
            return
        if tag == "input" and (at.get("type") not in ("checkbox", "radio") or "checked" in at):
            self.data.setdefault(at["name"], []).append(at.get("value", ""))
        elif tag == "select":
            self.select = at["name"]
        elif tag == "option" and "selected" in at and self.select:
            self.data.setdefault(self.select, []).append(at.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        """End with the form."""
        self.inside = self.inside and tag != "form"


def read(html: str) -> Fields:
    """Return what a page's builder form holds and what it loads."""
    fields = Fields()
    fields.feed(html)
    return fields


def signed_in(address: str, username: str = MARKETER) -> httpx.Client:
    """Return a session of a demo's member of staff."""
    client = httpx.Client(base_url=address, timeout=120, follow_redirects=True)
    client.get("/login/")
    form = {"username": username, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    answer = client.post("/login/", data=form, headers={"Referer": address})
    if "/login/" in str(answer.url):
        raise SystemExit(f"{username} could not sign in: is this a demo's home?")
    return client


def edit_for(
    address: str, names: list[str], until: float, seed: int, out: list[float], looks: list[float], *, thinks: bool
) -> None:
    """One person at the builder until a moment: change a value, wait for the count, think."""
    rng, client = random.Random(seed), signed_in(address)
    while time.monotonic() < until:
        name = rng.choice(names)
        page = client.get(f"/segments/{name}/edit")
        data = read(page.text).data
        numbers = [k for k, v in data.items() if k.startswith("val:") and re.fullmatch(r"\d+(\.\d+)?", v[0])]
        for _ in range(6):
            if numbers:
                field = rng.choice(numbers)
                data[field] = [str(max(1, round(float(data[field][0]) * rng.uniform(0.7, 1.4))))]
            time.sleep(rng.uniform(*THINK_SECONDS) if thinks else 0)
            began = time.perf_counter()
            answer = client.post(str(page.url), data=data, headers={"HX-Request": "true", "Referer": str(page.url)})
            out.append(time.perf_counter() - began)
            if answer.status_code != 200 or 'id="size"' not in answer.text:
                raise RuntimeError(f"the builder answered {answer.status_code}")
            time.sleep(PAUSE_SECONDS if thinks else 0)
            looks.append(look(client, data, str(page.url)))
            if time.monotonic() >= until:
                return


def look(client: httpx.Client, data: dict[str, list[str]], referer: str) -> float:
    """Return the seconds until profile and overlap of a draft are there."""
    began = time.perf_counter()
    while True:
        answer = client.post("/segments/look", data=data, headers={"HX-Request": "true", "Referer": referer})
        if 'hx-post="/segments/look" hx-trigger="load' not in answer.raise_for_status().text:
            return time.perf_counter() - began
        time.sleep(ASKS_AGAIN)


def whole_page(
    client: httpx.Client, address: str, heads: list[float] | None = None, parts: list[float] | None = None
) -> float:
    """Return the seconds until a page and the parts it loads by itself are there; parts come side by side, as in a browser.

    The seconds of the page's first answer are put into ``heads``, those of each part into ``parts``.
    """
    began = time.perf_counter()
    answer = client.get(address)
    answer.raise_for_status()
    if heads is not None:
        heads.append(time.perf_counter() - began)
    waiting = read(answer.text).parts

    def load(part: str) -> httpx.Response:
        asked = time.perf_counter()
        answer = client.get(part, headers={"HX-Request": "true"})
        if parts is not None:
            parts.append(time.perf_counter() - asked)
        return answer

    with ThreadPoolExecutor(CONNECTIONS) as loading:
        while waiting:
            answers = list(loading.map(load, waiting))
            waiting = [part for answer in answers for part in read(answer.raise_for_status().text).parts]
            if time.perf_counter() - began > 60:
                raise SystemExit(f"{address} did not stand within a minute")
    return time.perf_counter() - began


WITH_A_BOOK = """
import sys, django
django.setup()
from kequn.ops.customers.queries import owners_in
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.orgs.services import set_password
counts = owners_in(None)
rms = [u for u in staff_numbered(counts) if u.is_active and u.role == "rm"]
for user in sorted(rms, key=lambda u: (-counts[u.staff_no], u.username))[:int(sys.argv[1])]:
    set_password(system_actor(), user.username, sys.argv[2])
    print(user.username)
"""
"""Names the managers with the largest books, who may now sign in."""


def customers_of_books(address: str, usernames: list[str], seconds: float) -> None:
    """Print how long a customer's page takes when many managers open one of their own, each every half minute another."""
    *sessions, other = (signed_in(address, username) for username in usernames)
    books = [book_of(session) for session in sessions]
    heads: list[float] = []
    parts: list[float] = []
    wholes: list[float] = []
    for customer in book_of(other)[:8]:  # the first page of a process does what no later one does
        whole_page(other, customer)
    users = len(sessions)
    ready = threading.Barrier(users)

    def person(number: int) -> None:
        customers = iter(books[number])
        ready.wait()
        time.sleep(LOOKS_SECONDS * number / users)
        until = time.monotonic() + seconds
        while time.monotonic() < until and (customer := next(customers, None)):
            took = whole_page(sessions[number], customer, heads, parts)
            wholes.append(took)
            time.sleep(max(0, LOOKS_SECONDS - took))

    people = [threading.Thread(target=person, args=(n,)) for n in range(users)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    print(shown("customer page, first answer", heads), flush=True)
    print(shown("customer page, each part", parts), flush=True)
    print(shown("customer page with all its parts", wholes), flush=True)


def book_of(client: httpx.Client) -> list[str]:
    """Return the customers' pages that the first page of one's list leads to, each once."""
    return list(dict.fromkeys(re.findall(r'href="(/c/[0-9a-f]{32}/)', client.get("/c/").text)))


def shown(what: str, seconds: list[float]) -> str:
    """Return a row of the table, in milliseconds."""
    ordered = sorted(1000 * s for s in seconds)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"| {what} | {len(ordered)} | {statistics.median(ordered):.0f} | {p95:.0f} | {ordered[-1]:.0f} |"


def main() -> None:
    """Serve, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--users", type=int, default=8)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--page", default="/segments/{name}/", help="the page to open whole, for each segment")
    options.add_argument("--segments", type=int, default=0, help="open the pages of so many segments; 0: of all")
    options.add_argument(
        "--settle", type=float, default=0, help="seconds before the first question, as after a night's load"
    )
    options.add_argument("--book", action="store_true", help="measure customers' pages instead")
    chosen = options.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "KEQUN_HOME": str(chosen.home.resolve()),
        "DJANGO_SETTINGS_MODULE": "kequn.server.settings",
    }
    command = [sys.executable, "-m", "kequn.cli.main", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                httpx.get(f"{address}/login/", timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.5)
        if chosen.book:
            asked = [sys.executable, "-c", WITH_A_BOOK, str(chosen.users + 1), PASSWORD]
            named = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
            managers = named.stdout.split()
            if len(managers) <= chosen.users:
                raise SystemExit(
                    f"The bank has {len(managers)} managers with customers; {chosen.users + 1} are needed."
                )
            print(f"{chosen.users} people, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
            print("| what | n | median ms | p95 ms | longest ms |\n|---|---|---|---|---|", flush=True)
            customers_of_books(address, managers, chosen.seconds)
            return
        client = signed_in(address)
        time.sleep(chosen.settle)
        names = sorted(set(re.findall(r'href="/segments/([a-z][a-z0-9_]*)/"', client.get("/segments/").text)))
        names = [n for n in names if client.get(f"/segments/{n}/edit").status_code == 200]
        print(f"{len(names)} segments, {chosen.users} people, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print("| what | n | median ms | p95 ms | longest ms |\n|---|---|---|---|---|", flush=True)
        opened = names[: chosen.segments or None]
        first = [whole_page(client, chosen.page.format(name=n)) for n in opened]
        print(shown("segment page with all its parts, first time", first), flush=True)
        again = [whole_page(client, chosen.page.format(name=n)) for n in opened]
        print(shown("segment page with all its parts, again", again), flush=True)
        for thinks in (True, False):
            edits: list[float] = []
            looks: list[float] = []
            until = time.monotonic() + chosen.seconds
            people = [
                threading.Thread(
                    target=edit_for, args=(address, names, until, n, edits, looks), kwargs={"thinks": thinks}
                )
                for n in range(chosen.users)
            ]
            for each in people:
                each.start()
            for each in people:
                each.join()
            how = "" if thinks else ", without a pause"
            print(shown(f"edit in the builder to the new count{how}", edits), flush=True)
            print(shown(f"profile of all tags and overlap with all segments{how}", looks), flush=True)
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    main()
