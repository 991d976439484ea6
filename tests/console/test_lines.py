"""What a phone on a bad line needs of the server: little to carry, forms that are sent by themselves, a sign of life."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from django.test import Client

from tests.console.conftest import Things

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
FORM = {"X-Kq-Form": "1"}


def test_a_form_sent_by_the_script_is_told_where_it_leads(things: Things, desk: Desk) -> None:
    client = desk("wangfang")
    told = {"kind": "insight", "text": "周五人最多", "about": "早市商户", "key": "one"}
    first = client.post("/feedback/new", told, headers=FORM)
    again = client.post("/feedback/new", told, headers=FORM)
    assert (first.status_code, again.status_code) == (204, 204)
    assert first["X-Kq-Location"] == again["X-Kq-Location"]
    assert "Location" not in first
    assert "周五人最多" in client.get(first["X-Kq-Location"]).content.decode()
    assert client.post("/feedback/new", told)["Location"] == first["X-Kq-Location"]


def test_a_form_that_is_refused_comes_back_whole(things: Things, desk: Desk) -> None:
    answer = desk("wangfang").post("/feedback/new", {"kind": "insight", "text": "谁?", "key": "k"}, headers=FORM)
    assert answer.status_code == 422
    assert "谁?" in answer.content.decode()


def test_who_was_signed_out_is_told_so_and_not_redirected_with_the_form(things: Things, desk: Desk) -> None:
    answer = desk("").post("/feedback/new", {"text": "x"}, headers=FORM)
    assert (answer.status_code, answer["X-Kq-Location"][:7]) == (204, "/login/")


def test_pages_and_the_consoles_own_files_travel_compressed(things: Things, desk: Desk) -> None:
    for path in ("/feedback/", "/static/kq.css", "/static/kq.js"):
        answer = desk("wangfang").get(path, headers={"Accept-Encoding": "gzip"})
        assert answer["Content-Encoding"] == "gzip", path
        assert len(gzip.decompress(answer.getvalue())) > len(answer.getvalue())


def test_a_sign_of_life_is_for_who_is_signed_in(things: Things, desk: Desk) -> None:
    assert desk("wangfang").get("/alive/").status_code == 200
    assert desk("").get("/alive/").status_code == 302
    page = desk("wangfang").get("/feedback/").content.decode()
    assert 'data-idle="900"' in page
    assert 'data-alive="/alive/"' in page
