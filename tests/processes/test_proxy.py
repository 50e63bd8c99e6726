"""Commands through a proxy that loses, cuts, delays, doubles and garbles bytes; afterwards reconcile is enough."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .conftest import VENUES, Sandbox, Trader
from .honesty import check, live_through, settle
from .proxy import go_through, ports_of, running


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_the_way_does_to_the_bytes(sandbox: Sandbox, tmp_path: Path, seed: int) -> None:
    struck: Counter[str] = Counter()
    traders = [Trader(tmp_path / venue, sandbox, venue) for venue in VENUES]
    with running(ports_of(sandbox), seed=seed, rate=0.08) as proxy:
        for trader in traders:
            back = go_through(trader, sandbox, proxy.ports)
            live_through(trader, [trader.id(f"n{number}") for number in range(9)])
            back()
        struck += proxy.struck
    assert struck.total() > 10
    settle(traders)
    for trader in traders:
        check(trader, [trader.id(f"n{number}") for number in range(9)])
        trader.end()
