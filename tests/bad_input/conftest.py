"""Bad input through the whole door: files in a folder, the command line, rows, the store and the console."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from kequn.ops import runtime
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.models import User
from kequn.ops.sources.models import Load
from tests.cli.conftest import Kequn, Said, kequn  # noqa: F401 - fixtures
from tests.ops.conftest import bank_runtime, cast, delivery_wiring  # noqa: F401 - fixtures

CUSTOMERS = """
kind: source
name: people
title: {zh: 客户表, en: People}
table: customer
input: {format: csv, path: people.csv, separator: ","}
columns:
  customer_no: 客户号
  name: 姓名
  phone: 手机
  opened_on: 开户日
  city: 城市
  branch_code: 网点
  rm_no: 客户经理
"""
HEADER = "客户号,姓名,手机,开户日,城市,网点,客户经理\n"
GOOD = HEADER + "C1,张三,13900000001,2020-01-01,上海,0001,R001\nC2,李四,13900000002,2020-01-02,北京,0001,R001\n"


class Delivery:
    """A folder of the bank's files with a source that reads them, loaded by command."""

    def __init__(self, folder: Path, call: Kequn) -> None:
        self.folder, self.call = folder, call
        folder.mkdir(exist_ok=True)
        self.define(CUSTOMERS)

    def define(self, text: str) -> None:
        path = self.folder / "source.yaml"
        path.write_text(text, encoding="utf-8")
        assert self.call("apply", path, "--as", "sunli").code == 0

    def load(self, content: str | bytes, source: str = "people", file: str = "people.csv") -> Said:
        path = self.folder / file
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.call("load", source, "--folder", self.folder, "--as", "sunli", "--json")

    def rejects(self) -> list[tuple[str, int, str, str]]:
        """File, line, column and reason of the last load's rejects, as the command shows them."""
        found = self.call("load", "--rejects", self.last.load_id, "--json").json
        return [(r["file"], r["line"], r["column"], r["reason"]) for r in found]

    @property
    def last(self) -> Load:
        return Load.objects.order_by("-id").first()  # type: ignore[return-value]

    @property
    def served(self) -> int:
        """Customers that the store serves."""
        tables = runtime.runtime().store.manifest().tables
        return tables["customer"].rows if "customer" in tables else 0


@pytest.fixture
def delivery(cast: dict[str, Actor], tmp_path: Path, kequn: Kequn) -> Delivery:  # noqa: F811
    return Delivery(tmp_path / "files", kequn)


@pytest.fixture
def visit(cast: dict[str, Actor]) -> Callable[[str], Client]:  # noqa: F811
    """Return a function that gives a client logged in as a member of the cast."""

    def login(username: str) -> Client:
        client = Client()
        client.force_login(User.objects.get(username=username), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return login
