"""Customers keep their ordinal, and nobody without the key can tell who they are."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.data.identity import MASK_64, CustomerIndex, pseudonym, salt

NONE = np.zeros(0, np.uint64)


def words(numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([n & MASK_64 for n in numbers], np.uint64), np.array([n >> 64 for n in numbers], np.uint64)


@pytest.mark.parametrize("value", ["C1", "", "客户'1", "x" * 200, "6222021001112345678"])
def test_the_engine_and_python_hash_alike(value: str):
    customer = salt(b"key", "customer")
    connection = duckdb.connect()
    (found,) = connection.execute(f"SELECT {customer.sql('v')}::VARCHAR FROM (SELECT ? AS v)", [value]).fetchone()
    assert int(found) == customer.number(value)


def test_a_hash_depends_on_key_kind_and_number():
    hashes = {pseudonym(k, kind, n) for k in (b"a", b"b") for kind in ("ref", "customer") for n in ("1", "2")}
    assert len(hashes) == 8
    assert all(0 <= pseudonym(b"a", "ref", str(i)) < 2**63 for i in range(100))


# few low words, so that some customers share one and differ only in the high word
hashes = st.tuples(st.sampled_from([0, 1, 2**63, 2**64 - 1, 12345]), st.integers(0, 5)).map(lambda t: t[0] | t[1] << 64)


@settings(deadline=None)
@given(st.lists(st.lists(st.one_of(hashes, st.integers(0, 2**128 - 1)), max_size=30), max_size=8))
def test_an_index_gives_each_customer_one_ordinal_in_order_of_appearance(batches: list[list[int]]):
    index = CustomerIndex(NONE, NONE)
    expected: dict[int, int] = {}
    for batch in batches:
        low, high = words(batch)
        ordinals, is_new = index.add(low, high)
        for number, ordinal, new in zip(batch, ordinals, is_new, strict=True):
            assert bool(new) == (number not in expected)
            assert expected.setdefault(number, len(expected)) == ordinal
    known = list(expected)
    assert list(index.find(*words(known))) == [expected[n] for n in known]
    assert list(index.find(*words([2**127 + 7, 3 << 64]))) == [expected.get(2**127 + 7, -1), expected.get(3 << 64, -1)]
    assert index.size == len(expected)


def test_a_large_index_finds_all_and_only_its_own():
    rng = np.random.default_rng(7)
    low = rng.integers(0, 2**64, 200_000, dtype=np.uint64)
    high = rng.integers(0, 2**64, 200_000, dtype=np.uint64)
    index = CustomerIndex(low[:150_000], high[:150_000])
    found = index.find(low, high)
    assert (found[:150_000] == np.arange(150_000)).all()
    assert (found[150_000:] == -1).all()
    assert (index.find(low[:100], high[1:101]) == -1).all()
