"""Windows and buckets on a given now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.rate_limit import TokenBucket, WindowLimit


def test_a_window_gives_back_what_is_old() -> None:
    limit = WindowLimit(limit=10, window_ns=60)
    assert limit.spend(6, 0)
    assert limit.spend(4, 10)
    assert not limit.spend(1, 59)
    assert limit.wait_ns(1, 59) == 1
    assert limit.wait_ns(6, 59) == 1
    assert limit.wait_ns(7, 59) == 11
    assert limit.used(60) == 4
    assert limit.spend(6, 60)
    assert limit.wait_ns(0, 60) == 0


def test_what_never_fits() -> None:
    limit = WindowLimit(limit=10, window_ns=60)
    assert not limit.spend(11, 0)
    assert limit.wait_ns(11, 0) is None
    assert limit.wait_ns(10, 0) == 0
    limit.spend(1, 0)
    assert limit.wait_ns(11, 0) is None


@given(requests=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=30))
def test_no_window_ever_holds_more_than_the_limit(requests: list[tuple[int, int]]) -> None:
    limit = WindowLimit(limit=10, window_ns=50)
    now, spent = 0, []
    for pause, weight in requests:
        now += pause
        wait = limit.wait_ns(weight, now)
        if wait is None:
            assert weight > 10
            continue
        if wait:
            assert not limit.spend(weight, now + wait - 1)
        now += wait
        assert limit.spend(weight, now)
        spent.append((now, weight))
        assert sum(part for at, part in spent if now - 50 < at) <= 10


def test_a_bucket_refills_to_its_capacity() -> None:
    bucket = TokenBucket(capacity=3, refill_ns=10)
    assert bucket.tokens(1_000) == 3
    assert bucket.take(3, 1_000)
    assert not bucket.take(1, 1_009)
    assert bucket.wait_ns(1, 1_009) == 1
    assert bucket.wait_ns(3, 1_009) == 21
    assert bucket.tokens(1_015) == 1
    assert bucket.take(1, 1_015)
    assert bucket.wait_ns(1, 1_015) == 5
    assert bucket.tokens(9_999) == 3
    assert bucket.wait_ns(3, 9_999) == 0
    assert bucket.wait_ns(4, 9_999) is None


@given(requests=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3)), max_size=30))
def test_a_bucket_never_gives_more_than_burst_and_rate(requests: list[tuple[int, int]]) -> None:
    bucket = TokenBucket(capacity=3, refill_ns=10)
    now, taken, first = 0, 0, None
    for pause, count in requests:
        now += pause
        wait = bucket.wait_ns(count, now)
        assert wait is not None
        if wait:
            assert not bucket.take(count, now + wait - 1)
        now += wait
        assert bucket.take(count, now)
        first = now if first is None else first
        taken += count
        assert taken <= 3 + (now - first) / 10


@pytest.mark.parametrize("pauses", [[3] * 20, [7, 1, 1, 30]])
def test_fractions_of_a_token_are_not_lost(pauses: list[int]) -> None:
    bucket = TokenBucket(capacity=100, refill_ns=10)
    bucket.take(100, 0)
    now = 0
    for pause in pauses:
        now += pause
        assert bucket.tokens(now) == now // 10
