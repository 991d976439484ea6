"""Whole working days, as the people of a bank live them: from the first page in the morning to what comes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kequn.core.data.starter.files import write_workbook
from tests.e2e.conftest import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def settle(page: Any) -> None:
    """Wait until no request of htmx is under way."""
    page.wait_for_timeout(350)
    page.wait_for_function("() => !document.querySelector('.htmx-request')")


def size(page: Any) -> int:
    """Return the live count of the builder."""
    return int(page.locator("#size").inner_text().replace(",", ""))


def in_bank(home: Path, code: str) -> str:
    """Run a few lines where the bank's programs run, and return what they print."""
    environment = os.environ | {"KEQUN_HOME": str(home), "DJANGO_SETTINGS_MODULE": "kequn.server.settings"}
    begin = "import django; django.setup()\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + code], check=True, cwd=ROOT, env=environment, timeout=120, capture_output=True
    )
    return done.stdout.decode()


NUMBERS = """
from kequn.ops.customers.models import Person
from kequn.ops.customers.services import numbers_of
from kequn.ops.orgs.actor import system_actor
some = list(Person.objects.order_by("customer_id").values_list("customer_id", flat=True)[200:240])
print("\\n".join(numbers_of(system_actor(), some).values()))
"""


@pytest.fixture
def mall_list(demo_home: Path, tmp_path: Path) -> Path:
    """A partner's Excel list: forty customers, one of them twice, and two strangers."""
    numbers = in_bank(demo_home, NUMBERS).split()
    assert len(numbers) == 40
    file = tmp_path / "商圈名单.xlsx"
    write_workbook(file, "名单", [["客户号"], *[[n] for n in (*numbers, numbers[0], "9999999998", "9999999997")]])
    return file


def approve(desk: Any, server: str, words: str) -> None:
    """Let the checker approve the request that has the words in its title."""
    checker = desk("zhoulv")
    checker.goto(f"{server}/approvals/")
    checker.click(f"#approvals tbody tr:has-text('{words}') a >> nth=0")
    checker.fill("#reason", "已核对")
    checker.click("button[value=approve]")
    checker.wait_for_url(f"{server}/approvals/")


def test_the_marketing_managers_day(desk: Any, server: str, shot: Any, mall_list: Path) -> None:
    page = desk("zhaomin")
    assert re.search(r"2026-0\d-\d\d", page.inner_text("main"))  # the date of the data
    shot(page, "day-marketer-1-home")

    # a partner's list, and what of it is ours
    page.goto(f"{server}/lists/new")
    page.set_input_files("#id_file", str(mall_list))
    page.fill("#id_title", "商圈名单")
    page.fill("#id_name", "mall_street")
    page.fill("#id_purpose", "到期承接活动")
    page.click("main form[enctype] button[type=submit], main form[enctype] .btn-primary")
    report = page.inner_text("main")
    assert all(re.search(rf"\b{n}\b", report) for n in (43, 40, 2, 1)), report
    shot(page, "day-marketer-2-list")

    # merged with those whose money comes due
    page.goto(f"{server}/segments/new?from=seg_maturity")
    maturing = size(page)
    page.fill("#title", "到期加商圈")
    page.fill("#name", "maturing_and_mall")
    page.select_option("[name='kind:0']", "any")
    settle(page)
    page.click("button[value='add-list:0']")
    settle(page)
    page.select_option("[name='ref:0.1']", "mall_street")
    settle(page)
    assert maturing < size(page) <= maturing + 40
    shot(page, "day-marketer-3-segment")
    page.click("button[value=submit]")
    page.wait_for_url(re.compile("/segments/maturing_and_mall/"))
    approve(desk, server, "到期加商圈")

    # words with a red mark are not let through; cured, they are
    page.goto(f"{server}/catalog/new/template")
    page.fill("#f-title", "稳健半年享提醒")
    page.fill("#f-name", "steady_note")
    page.select_option("#f-channel", "sms")
    page.fill("#f-body", "【客群银行】您的资金近期到期,稳健半年享保本保收益,欢迎了解。")
    page.fill("#f-opt_out", "拒收请回复R")
    page.click("button[value=submit]")
    assert page.locator("#marked mark").all_inner_texts() == ["保本", "保收益"]
    shot(page, "day-marketer-4-red-mark")
    page.fill("#f-body", "【客群银行】您的资金近期到期,可在手机银行查看稳健半年享。理财非存款、产品有风险、投资须谨慎。")
    page.click("button[value=submit]")
    page.wait_for_url(re.compile(r"/catalog/\d+/"))
    approve(desk, server, "稳健半年享提醒")

    # a campaign from the playbook: reasons, quota, control group
    page.goto(f"{server}/campaigns/new?playbook=steady_wealth")
    page.fill("#f-name", "maturing_august")
    page.fill("#f-title", "八月到期承接")
    page.click("button[data-submit]")
    page.select_option("#f-segment", "maturing_and_mall")
    for _ in range(3):
        page.click("button[data-submit]")
    page.fill("#f-start_on", "2026-07-31")
    page.fill("#f-end_on", "2026-08-31")
    page.click("button[data-submit]")
    rail = page.locator("aside")
    rail.get_by_text("产品剩余额度（元）").wait_for()
    assert rail.get_by_text("可触达").first.is_visible()
    shot(page, "day-marketer-5-wizard")
    page.click("button[value=submit]")
    page.wait_for_url(f"{server}/campaigns/maturing_august/")
    approve(desk, server, "八月到期承接")

    # frozen, one in a hundred first, watched, then all; one branch pauses
    page.goto(f"{server}/campaigns/maturing_august/")
    page.click("button[value=freeze]")
    page.wait_for_url(f"{server}/campaigns/maturing_august/", timeout=60_000)
    page.on("dialog", lambda d: d.accept())
    page.select_option("#share", "0.05")
    page.click("button[value=launch]")
    page.wait_for_url(f"{server}/campaigns/maturing_august/", timeout=60_000)
    assert page.locator("#waves tbody tr").count() == 1
    shot(page, "day-marketer-6-first-wave")
    page.select_option("#branch", "0001")
    page.fill("#pause-why", "网点人手不足")
    page.click("button[value=pause_branch]")
    assert "网点人手不足" in page.inner_text("#pauses")
    page.select_option("#share", "1")
    page.click("button[value=launch]")
    page.wait_for_url(f"{server}/campaigns/maturing_august/", timeout=60_000)
    assert page.locator("#waves tbody tr").count() == 2
    shot(page, "day-marketer-7-expanded")
    page.click("button[value=resume_branch]")
    assert "没有机构暂停" in page.inner_text("#pauses")

    # what the last campaign was worth, and the draft of the next
    page.goto(f"{server}/reviews/")
    page.click("#reviews tbody a >> nth=0")
    assert re.search("还不能|有效|没有|提升", page.inner_text("main"))
    shot(page, "day-marketer-8-review")
    page.click("button[value=copy]")
    page.wait_for_url(re.compile(r"/campaigns/\w+/edit"))
    shot(page, "day-marketer-9-next")
