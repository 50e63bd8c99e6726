"""The throttle keeps reads within the venue's allowance and never holds up a change."""

from __future__ import annotations

import asyncio

from latentspeed_cli.connector.throttle import Throttle
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.rate_limit import Rate


class Wire:
    """Answers at once and counts."""

    def __init__(self) -> None:
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Reply:
        self.sent.append(request)
        return Reply(status=200, body=b"", headers={}, received_ns=0)


def read(weight: int) -> Request:
    return Request(url="http://127.0.0.1:1/info", body=b"", weight=weight)


async def test_reads_within_the_allowance_go_at_once() -> None:
    wire = Wire()
    throttle = Throttle(wire, Rate(weight=100, window_s=60))
    for _ in range(5):
        await throttle.send(read(20))
    assert len(wire.sent) == 5
    assert throttle.waited_total == 0


async def test_a_read_beyond_the_allowance_waits() -> None:
    wire = Wire()
    throttle = Throttle(wire, Rate(weight=100, window_s=60))
    await throttle.send(read(100))
    waiting = asyncio.ensure_future(throttle.send(read(1)))
    await asyncio.sleep(0.02)
    assert (len(wire.sent), throttle.waited_total, waiting.done()) == (1, 1, False)
    waiting.cancel()


async def test_a_change_never_waits() -> None:
    wire = Wire()
    throttle = Throttle(wire, Rate(weight=100, window_s=60))
    await throttle.send(read(100))
    change = Request(url="http://127.0.0.1:1/exchange", body=b"", changes=True)
    await asyncio.wait_for(throttle.send(change), 0.5)
    assert wire.sent[-1] is change


async def test_a_request_heavier_than_the_whole_allowance_is_sent_all_the_same() -> None:
    wire = Wire()
    await asyncio.wait_for(Throttle(wire, Rate(weight=100, window_s=60)).send(read(500)), 0.5)
    assert len(wire.sent) == 1
