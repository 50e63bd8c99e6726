"""Windows and buckets on a given now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.rate_limit import WindowLimit


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
