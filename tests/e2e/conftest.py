"""A browser over the demo's bank, served as a bank would serve it; nothing may be asked of another host."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kequn.channels.loopback import SmsGateway

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright's sync API keeps an event loop in this thread
ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "var" / "shots"
PASSWORD = "kequn-demo-2026"
SIZES = {1440: 900, 390: 844}


def settle(page: Any) -> None:
    """Wait until no request of htmx is under way.

    The page's own timer is asked: one set now fires after every shorter one that a gesture has set before, so that a
    request which waits for the end of typing has begun, however busy the machine is.
    """
    page.evaluate("() => new Promise((done) => setTimeout(done, 350))")
    page.wait_for_function("() => !document.querySelector('.htmx-request')")


def size(page: Any) -> int:
    """Return the live count of the builder."""
    return int(page.locator("#size").inner_text().replace(",", ""))


@pytest.fixture(scope="session")
def base_url() -> str:
    """Nothing: each test names the server. (pytest's live_server plugin defines it in a way that pytest warns of.)"""
    return ""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use Debian's Chromium, quiet and without a sandbox of its own."""
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    return {
        **browser_type_launch_args,
        "executable_path": os.environ.get("KEQUN_CHROMIUM", "/usr/bin/chromium"),
        "args": [*quiet.split(), "--disable-component-update", "--disable-sync"],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A Chinese desk by default."""
    desk = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "viewport": {"width": 1440, "height": 900}}
    return {**browser_context_args, **desk}


FULLER_BOOK = """
import django; django.setup()
from kequn.ops.customers.models import Person
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import User
from kequn.ops.ownership.models import RemoteCase
from kequn.ops.workbench.models import Task
from kequn.ops.workbench.planning import with_occasion
from kequn.ops.workbench.services import plan_day
rm = User.objects.get(username="wangfang")
busy = set(with_occasion())
free = Person.objects.filter(rm_no="").order_by("customer_id").values_list("customer_id", flat=True)
listed = Task.objects.filter(kind="campaign", state="open").order_by("customer_id").values_list("customer_id", flat=True)
some = [c for c in free if c not in busy][:60] + list(listed)[:5]
Person.objects.filter(customer_id__in=some).update(rm_no=rm.staff_no, branch_code=rm.branch.code)
RemoteCase.objects.filter(customer_id__in=some).update(state="closed", agent="")
plan_day(system_actor())
"""
"""The bank is small: without this the manager's book would hold hardly anybody for whom nothing is to be done."""


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank on which the loop has run once; ``KEQUN_E2E_HOME`` names one that is there already, which is copied."""
    home = tmp_path_factory.mktemp("bank") / "home"
    ready = os.environ.get("KEQUN_E2E_HOME")
    if ready:
        shutil.copytree(ready, home)
        return _with_a_fuller_book(home)
    command = [sys.executable, "-m", "kequn.cli.main", "demo", "--no-serve", "--customers", "3000", "--home", str(home)]
    subprocess.run(command, check=True, cwd=ROOT, timeout=600, stdout=subprocess.DEVNULL)
    return _with_a_fuller_book(home)


def _with_a_fuller_book(home: Path) -> Path:
    environment = os.environ | {"KEQUN_HOME": str(home), "DJANGO_SETTINGS_MODULE": "kequn.server.settings"}
    subprocess.run([sys.executable, "-c", FULLER_BOOK], check=True, cwd=ROOT, env=environment, timeout=120)
    return home


@pytest.fixture(scope="session")
def sms() -> Iterator[SmsGateway]:
    """The bank's gateway for SMS, on this machine; it keeps what it is given."""
    with SmsGateway("a secret of the gateway") as gateway:
        yield gateway


@pytest.fixture(scope="session")
def server(demo_home: Path, sms: SmsGateway) -> Iterator[str]:
    """The console and its worker, as ``kequn serve`` starts them, with SMS connected."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"KEQUN_HOME": str(demo_home), "DJANGO_SETTINGS_MODULE": "kequn.server.settings"}
    environment |= {"KEQUN_SMS_URL": sms.url, "KEQUN_SMS_SECRET": sms.secret}
    command = [sys.executable, "-m", "kequn.cli.main", "serve", "--port", str(port)]
    with (demo_home / "serve.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(address, process, demo_home / "serve.log")
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            pytest.fail(f"the server did not start:\n{log.read_text()[-2000:]}")
        try:
            if httpx.get(f"{address}/login/", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    pytest.fail("the server did not answer within two minutes")


Visit = Callable[..., Any]


@pytest.fixture
def desk(browser: Any, browser_context_args: dict[str, Any], server: str) -> Iterator[Visit]:
    """Return a way to sit down at a desk: a page of a signed-in person that fails on foreign requests and script errors."""
    opened: list[Any] = []
    faults: list[str] = []

    def sit(username: str, *, width: int = 1440, language: str = "zh-hans") -> Any:
        context = browser.new_context(
            **browser_context_args | {"viewport": {"width": width, "height": SIZES.get(width, 800)}}
        )
        opened.append(context)
        context.add_cookies([{"name": "django_language", "value": language, "url": server}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on(
            "request",
            lambda r: None if r.url.startswith((server, "data:", "blob:")) else faults.append(f"asked {r.url}"),
        )
        page.on("pageerror", lambda e: faults.append(f"script: {e}"))
        page.on(
            "console",
            lambda m: (
                faults.append(f"console: {m.text}")
                if m.type == "error"
                and not any(word in m.text for word in ("status of 4", "ERR_INTERNET_DISCONNECTED"))
                else None
            ),
        )
        page.goto(f"{server}/login/")
        page.fill("#id_username", username)
        page.fill("#id_password", PASSWORD)
        page.click("main form[method=post] button >> nth=0")
        page.wait_for_url(f"{server}/")
        return page

    yield sit
    for context in opened:
        context.close()
    assert not faults, faults


@pytest.fixture
def shot(request: pytest.FixtureRequest) -> Callable[[Any, str], None]:
    """Return a way to keep a picture of a page for people to look at."""

    def take(page: Any, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(SHOTS / f"{name}.png"), full_page=True)

    return take
