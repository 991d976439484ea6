"""The installed program in processes of its own: the demo end to end, and a load that is killed half-way."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PROGRAM = str(Path(sys.executable).with_name("kequn"))


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"KEQUN_HOME": str(home), "COLUMNS": "160"}


def kequn(home: Path, *words: object) -> str:
    done = subprocess.run(
        [PROGRAM, *map(str, words)], cwd=ROOT, env=environment(home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


# -- the demo -----------------------------------------------------------------------------------------------------------


def demo(home: Path) -> tuple[dict[str, Any], str]:
    said = kequn(home, "demo", "--no-serve", "--customers", 1_500, "--home", home)
    return json.loads((home / "summary.json").read_text("utf-8")), said


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    return demo(tmp_path_factory.mktemp("demo") / "one")


def test_every_row_the_demo_reads_is_loaded_rejected_or_skipped(first: tuple[dict[str, Any], str]) -> None:
    loads = first[0]["loads"]
    assert len(loads) > 11
    for load in loads:
        assert load["adds_up"]
        assert load["read"] == load["loaded"] + load["rejected"] + load["skipped"]
        assert sum(load["reasons"].values()) == load["rejected"]
    assert sum(load["rejected"] for load in loads) > 0  # the bank's files have their faults


def test_the_demo_accounts_for_every_customer_and_every_touch(first: tuple[dict[str, Any], str]) -> None:
    summary = first[0]
    campaign, delivery = summary["campaign"], summary["delivery"]
    assert campaign["passed"] == campaign["treated"] + campaign["control"]
    assert campaign["members"] >= campaign["passed"] + campaign["excluded"]
    assert delivery["touches"] == sum(delivery["by_state"].values()) == campaign["treated"]
    assert delivery["sms_twice"] == 0
    assert summary["tags"]["last"]["tags"] >= 80
    assert all(0 <= n <= summary["tags"]["first"]["customers"] for n in summary["segments"].values())
    assert any(summary["segments"].values())


def test_the_demo_says_what_it_does_and_what_may_be_concluded(first: tuple[dict[str, Any], str]) -> None:
    summary, said = first
    steps = re.findall(r"^✓ (.+?)\s{2,}", said, re.MULTILINE)
    assert steps == list(summary["seconds"])
    review = summary["review"]
    assert review["sentence_zh"]
    assert review["sentence_en"]
    if review["lift"]:
        lift, truth = review["lift"], review["truth"]["realised"]
        assert lift["low"] <= lift["point"] <= lift["high"]
        assert review["covers_truth"] == (lift["low"] <= truth <= lift["high"])


def test_the_demo_opens_with_a_full_and_varied_day_for_the_manager_and_the_remote_agent(
    first: tuple[dict[str, Any], str],
) -> None:
    day = first[0]["day"]
    assert sum(day["rm_day"].values()) >= 8
    assert len(day["rm_day"]) >= 4
    assert {"appointment", "promise"} <= set(day["rm_day"])
    assert sum(day["agent_day"].values()) >= 6
    assert len(day["agent_day"]) >= 2


def test_the_same_seed_gives_the_same_figures(first: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    def figures(summary: dict[str, Any]) -> dict[str, Any]:
        loads = [{k: v for k, v in load.items() if k != "seconds"} for load in summary["loads"]]
        return {k: summary[k] for k in ("customers", "seed", "tags", "segments")} | {"loads": loads[:11]}

    assert figures(demo(tmp_path / "two")[0]) == figures(first[0])


def test_the_demo_runs_at_the_size_of_the_readme(tmp_path: Path) -> None:
    """The examples' budgets and rules are written for that bank, and a small one meets none of their limits."""
    home = tmp_path / "usual"
    kequn(home, "demo", "--no-serve", "--home", home)
    summary = json.loads((home / "summary.json").read_text("utf-8"))
    assert summary["customers"] == 50_000
    assert all(load["adds_up"] for load in summary["loads"])
    assert summary["delivery"]["sms_twice"] == 0
    assert summary["next"]["tasks"] > 0
    assert sum(summary["day"]["rm_day"].values()) >= 12
    assert len(summary["day"]["rm_day"]) >= 5


# -- a kill -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a small bank, loaded."""
    home = tmp_path_factory.mktemp("killed")
    kequn(home, "starter-bank", home / "small", "--customers", 2_000)
    kequn(home, "apply", "examples/starter_bank/sources")
    kequn(home, "load", "--folder", home / "small")
    kequn(home, "starter-bank", home / "large", "--customers", 20_000, "--seed", 7)
    return home


def manifest(home: Path) -> bytes:
    return (home / "store" / "manifest.json").read_bytes()


@pytest.mark.parametrize("source", ["customers", "transactions"])
def test_a_load_killed_half_way_leaves_the_previous_data_serving(source: str, bank: Path) -> None:
    before = manifest(bank)
    rows = {r["source"]: r["rows"] for r in json.loads(kequn(bank, "load", "--list", "--json"))}
    process = subprocess.Popen(
        [PROGRAM, "load", source, "--folder", str(bank / "large")], cwd=ROOT, env=environment(bank),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not any((bank / "store" / "tmp").glob("load-*")) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)
    assert process.poll() is None, "the load was over before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert manifest(bank) == before
    assert {r["source"]: r["rows"] for r in json.loads(kequn(bank, "load", "--list", "--json"))} == rows
    again = json.loads(kequn(bank, "load", source, "--folder", bank / "small", "--json"))
    assert [r["state"] for r in again] == ["unchanged"]  # and nothing of the killed one stands in the way


# -- a large file -------------------------------------------------------------------------------------------------------

PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
LEDGER = """
kind: source
name: ledger
title: 流水
table: transaction
input: {format: csv, path: ledger.csv}
columns:
  transaction_no: no
  customer_no: cust
  booked_on: day
  direction: {from: dc, codes: {C: in, D: out}}
  amount: amt
  category: {sql: "'other'"}
"""


def test_a_large_file_is_streamed_through_the_command(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("no,since\n" + "".join(f"C{n},2020-01-01\n" for n in range(1_000)))
    (tmp_path / "people.yaml").write_text(
        "kind: source\nname: people\ntitle: 客户\ntable: customer\ninput: {format: csv, path: people.csv}\n"
        "columns: {customer_no: no, opened_on: since}\n"
    )
    (tmp_path / "ledger.yaml").write_text(LEDGER)
    rows = 6_000_000
    with (tmp_path / "ledger.csv").open("w") as file:
        file.write("no,cust,day,dc,amt,memo\n")
        for start in range(0, rows, 100_000):
            numbers = range(start, start + 100_000)
            file.writelines(f"T{n},C{n % 1000},2026-0{1 + n % 6}-15,C,{n % 9999}.50,{'x' * 40}\n" for n in numbers)
    assert (tmp_path / "ledger.csv").stat().st_size > 400_000_000
    home = tmp_path / "home"
    kequn(home, "apply", tmp_path)
    kequn(home, "load", "people", "--folder", tmp_path)
    load = [PROGRAM, "load", "ledger", "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *load], cwd=ROOT, env=environment(home), capture_output=True, text=True, check=True
    )
    code, peak = map(int, done.stdout.split())
    assert code == 0
    assert peak < 1_500_000, (
        f"{peak / 1024:.0f} MiB"
    )  # KiB; the file alone is larger than what is left above the program
    (row,) = [r for r in json.loads(kequn(home, "load", "--list", "--json")) if r["source"] == "ledger"]
    assert row["rows"] == rows


# -- the server ---------------------------------------------------------------------------------------------------------


def test_stopping_the_server_stops_its_worker_and_its_web_processes(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PROGRAM, "serve", "--port", str(port)]
    group = subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path), start_new_session=True)
    try:
        end = time.monotonic() + 120
        while not answers(port):
            assert time.monotonic() < end
            assert group.poll() is None
            time.sleep(0.2)
        until_web_processes(group.pid, 1 + min(2, len(os.sched_getaffinity(0))), end)
        group.send_signal(signal.SIGTERM)
        group.wait(timeout=60)
        with pytest.raises(ProcessLookupError):  # nobody of its session is left
            os.killpg(group.pid, 0)
        assert not answers(port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(group.pid, signal.SIGKILL)


def test_a_database_of_an_earlier_version_is_told_and_brought_up_to_date(tmp_path: Path) -> None:
    command = [PROGRAM, "segment", "list"]
    old = subprocess.run(command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert old.returncode == 1
    assert "kequn migrate" in old.stderr
    assert "Traceback" not in old.stderr
    kequn(tmp_path, "migrate")
    kequn(tmp_path, "segment", "list")


def until_web_processes(session: int, wanted: int, end: float) -> None:
    """Wait until so many processes of a session run gunicorn: its master and the web processes."""
    while True:
        found = 0
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError):
                of_session = int((process / "stat").read_text().rsplit(")", 1)[1].split()[3]) == session
                found += of_session and b"gunicorn" in (process / "cmdline").read_bytes()
        if found == wanted:
            return
        assert time.monotonic() < end, f"{found} processes"
        time.sleep(0.2)


def answers(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0
