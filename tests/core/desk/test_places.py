"""Order, folding and places: promises of pure functions, for whatever comes."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.desk import DAY, NEXT, OVER, distribute, main_of, room_for, score, urgency

TODAY = date(2026, 7, 31)


def after(*days: int) -> list[date]:
    return [TODAY + timedelta(days=n) for n in days]


def test_what_has_its_hour_comes_by_the_hour_then_the_overdue_then_what_is_due_today_then_the_rest() -> None:
    assert urgency(after(-3, 0, 1, 20), TODAY).tolist() == [99, 99, 92, 0]
    found = score(
        [60, 90, 40, 40, 100],
        after(0, 0, -1, 0, 1),
        [0, 10**15, 1, 1, 10**15],
        day=TODAY,
        minute=[840, 960, -1, -1, -1],
    )
    assert np.argsort(-found).tolist() == [0, 1, 2, 3, 4]
    assert 0 <= found.min() <= found.max() < 2**31


def test_of_what_is_due_alike_a_day_ten_of_priority_and_three_times_the_money_weigh_the_same() -> None:
    wan = 10_000_00
    risk_test, money = score([90, 80], after(0, 0), [2.8 * wan, 120.3 * wan], day=TODAY)
    assert money > risk_test
    far, near = score([90, 80], after(13, 3), [4 * wan, 3 * wan], day=TODAY)
    assert near > far
    for base, other in (
        ((70, 3, wan), (60, 2, wan)),
        ((70, 3, wan), (70, 1, wan / 10)),
        ((60, 5, wan), (80, 5, wan / 10)),
    ):
        one, two = (score([p], after(d), [v], day=TODAY)[0] for p, d, v in (base, other))
        assert abs(int(one) - int(two)) < 1_00
    unknown, ten_thousand, less = score([60] * 3, after(4, 4, 4), [0, wan, wan / 2], day=TODAY)
    assert unknown == ten_thousand > less


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_each_customer_has_one_main_row_whatever_the_order(rows: list[tuple[int, int]], chance: object) -> None:
    del chance
    customers, scores = (np.array(c) for c in zip(*rows, strict=True))
    keys = np.arange(len(rows))
    main = main_of(customers, scores, keys)
    assert sorted(customers[main].tolist()) == sorted(set(customers.tolist()))
    for c in set(customers.tolist()):
        assert scores[main & (customers == c)][0] == scores[customers == c].max()
    turned = np.arange(len(rows))[::-1]
    again = main_of(customers[turned], scores[turned], keys[turned])
    assert again[turned].tolist() == main.tolist()


tasks = st.lists(
    st.tuples(st.integers(-1, 4), st.integers(0, 50), st.booleans(), st.integers(0, 5)), min_size=0, max_size=120
)


@given(tasks, st.lists(st.integers(0, 20), min_size=5, max_size=5), st.integers(0, 90), st.integers(0, 4))
def test_capacity_is_never_exceeded_and_the_most_urgent_come_first(
    rows: list[tuple[int, int, bool, int]], capacity: list[int], live: int, wait: int
) -> None:
    columns = [np.array(c) for c in zip(*rows, strict=True)] if rows else [np.zeros(0, int)] * 4
    workers, scores, promised, waited = columns
    promised = promised.astype(bool)
    full, keys = np.array(capacity), np.arange(len(rows))
    place = distribute(
        workers, scores, keys, promised=promised, waited=waited, capacity=full, live_percent=live, wait_days=wait
    ).place
    room = room_for(full, live)
    for w in range(5):
        mine = workers == w
        given_ = mine & (place == DAY)
        assert given_.sum() <= full[w]
        assert (given_ & ~promised).sum() <= room[w]
        waiting = mine & (place != DAY) & ~promised
        if waiting.any() and (given_ & ~promised).any():
            assert scores[given_ & ~promised].min() >= scores[waiting].max()
        assert not (mine & promised & (place == OVER)).any()
    assert (place[workers == -1] == OVER).all()
    assert ((place == OVER) <= ((waited >= wait) | (workers < 0))).all()
    assert (place[(workers >= 0) & (waited < wait)] != OVER).all()
    turned = np.arange(len(rows))[::-1]
    again = distribute(
        workers[turned], scores[turned], keys[turned], promised=promised[turned], waited=waited[turned], capacity=full,
        live_percent=live, wait_days=wait,
    ).place  # fmt: skip
    assert again[turned].tolist() == place.tolist()


def test_five_thousand_tasks_for_one_are_a_full_day_and_a_long_wait() -> None:
    n = 5_000
    place = distribute(
        np.zeros(n, np.int64), np.arange(n), np.arange(n), promised=np.zeros(n, bool), waited=np.zeros(n, np.int64),
        capacity=np.array([20]), live_percent=30, wait_days=3,
    )  # fmt: skip
    assert place.counts() == {"today": 14, "later": n - 14, "over": 0}
    assert np.flatnonzero(place.place == DAY).tolist() == list(range(n - 14, n))
    assert set(place.place.tolist()) == {DAY, NEXT}
