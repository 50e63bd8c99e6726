"""Commands through a proxy that loses, cuts, delays, doubles and garbles bytes; afterwards reconcile is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from latentspeed_cli.sandbox.home import Home, Running, VenueInfo

from .conftest import VENUES, Sandbox, Trader
from .honesty import check, live_through, settle
from .proxy import running

MOVED = ("base_url", "ws_url", "node_url")


def ports_of(sandbox: Sandbox) -> set[int]:
    addresses = [getattr(venue, name) for venue in sandbox.venues.values() for name in MOVED]
    return {_port(address) for address in addresses if address is not None}


def _port(address: str) -> int:
    return urlsplit(address if "//" in address else f"//{address}").port or 0


def go_through(trader: Trader, sandbox: Sandbox, ports: dict[int, int]) -> Callable[[], None]:
    """Let the trader reach the sandbox through these ports. What is returned undoes that."""
    own = Home(trader.state).info

    def moved(venue: VenueInfo) -> VenueInfo:
        found = {name: getattr(venue, name) for name in MOVED}
        there = {
            name: address.replace(str(_port(address)), str(ports[_port(address)]))
            for name, address in found.items()
            if address is not None
        }
        return msgspec.structs.replace(venue, **there)

    known = msgspec.json.decode(Home(sandbox.folder).info.read_bytes(), type=Running)
    venues = {name: moved(venue) for name, venue in known.info.venues.items()}
    own.unlink()
    info = msgspec.structs.replace(known.info, venues=venues)
    own.write_bytes(msgspec.json.encode(msgspec.structs.replace(known, info=info)))

    def undo() -> None:
        own.unlink()
        Home(sandbox.folder).share(trader.state)

    return undo


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
