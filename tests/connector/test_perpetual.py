"""What perpetual markets add, reads, and the small parts around them."""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest

from latentspeed_cli.cache import MarketCache
from latentspeed_cli.core.events import OrderFilledEvent, OrderStateChangedEvent
from latentspeed_cli.core.types import TradeType
from latentspeed_cli.errors import ConnectFailed, OrderRefused, OutcomeUnknown, RateLimited
from latentspeed_cli.hostile import redact
from latentspeed_cli.telemetry import Counters, set_up_logging

from .conftest import Rig
from .venue import PAIR, Fault, TinyConnector, limit, market


async def test_what_it_is(rig: Rig) -> None:
    connector = rig.connector()
    assert (connector.name, connector.domain, connector.connector_type) == ("tiny", "sandbox", "perpetual")
    assert not connector.is_ready
    async with connector:
        assert connector.status_dict == {"running": True, "markets": False, "streams": True}
        await connector.markets()
        assert connector.is_ready
        assert list(connector.rules) == [PAIR, "ETH-USD"]
    assert not connector.is_ready


async def test_prices_and_funding(rig: Rig) -> None:
    async with rig.connector() as connector:
        assert await connector.get_mark_price("btc") == 100
        assert await connector.get_index_price(PAIR) == Decimal("100.5")
        assert (await connector.get_funding_info(PAIR)).funding_rate == Decimal("0.0001")
        assert await connector.positions() == ()


async def test_quantising_is_down_and_passive(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.markets()
        assert connector.quantize_order_amount(PAIR, Decimal("1.2349")) == Decimal("1.234")
        assert connector.quantize_order_price(PAIR, Decimal("95.06"), TradeType.BUY) == Decimal("95.0")
        assert connector.quantize_order_price(PAIR, Decimal("95.06"), TradeType.SELL) == Decimal("95.1")


async def test_leverage_is_set(rig: Rig) -> None:
    async with rig.connector() as connector:
        assert await connector.set_leverage(PAIR, 3, cross=False) == (Decimal(3), "isolated")
        assert await connector.get_leverage(PAIR) == (Decimal(3), "isolated")
        with pytest.raises(OrderRefused):
            await connector.set_leverage(PAIR, 11)


async def test_a_lost_reply_about_leverage_is_settled_by_reading(rig: Rig) -> None:
    async with rig.connector() as connector:
        rig.http.faults["leverage"].append(Fault.LOST_AFTER)
        assert await connector.set_leverage(PAIR, 4) == (Decimal(4), "cross")
        rig.http.faults["leverage"].append(Fault.LOST_BEFORE)
        with pytest.raises(OutcomeUnknown):
            await connector.set_leverage(PAIR, 5)


async def test_a_read_is_repeated_a_little(rig: Rig) -> None:
    async with rig.connector() as connector:
        rig.http.faults["context"].extend([Fault.LIMITED, Fault.BROKEN_BEFORE])
        assert await connector.get_mark_price(PAIR) == 100
        rig.http.faults["context"].extend([Fault.LIMITED] * 3)
        with pytest.raises(RateLimited):
            await connector.get_mark_price(PAIR)


async def test_markets_are_read_once_and_kept_between_runs(rig: Rig, tmp_path: Path) -> None:
    cache = MarketCache(tmp_path / "cache", rig.clock)
    for _ in range(3):
        async with rig.connector(cache=cache) as connector:
            assert list(connector.rules or (await connector.markets()).rules) == [PAIR, "ETH-USD"]
    assert len(rig.http.kinds("markets")) == 1
    async with rig.connector(cache=cache, instance="another sandbox") as connector:
        await connector.markets()
    assert len(rig.http.kinds("markets")) == 2
    rig.clock.advance(3600)
    async with rig.connector(cache=cache) as connector:
        await connector.markets()
    assert len(rig.http.kinds("markets")) == 3


async def test_whose_key_it_is_is_asked_before_orders_where_the_venue_takes_any(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = MarketCache(tmp_path / "cache", rig.clock)

    async def place_two() -> None:
        async with rig.connector(cache=cache) as connector:
            await asyncio.gather(connector.place_order(limit()), connector.place_order(limit()))

    await place_two()
    assert rig.http.kinds("identity") == []
    monkeypatch.setattr(TinyConnector, "takes_any_key", True)
    for _ in range(2):
        await place_two()
    assert len(rig.http.kinds("identity")) == 1, "once for all orders, and for the runs of the next minutes"
    rig.clock.advance(3600)
    rig.http.faults["identity"].extend([Fault.REFUSED] * 9)
    sent = len(rig.http.kinds("place"))
    with pytest.raises(ConnectFailed):
        await place_two()
    assert len(rig.http.kinds("place")) == sent


async def test_a_cached_reply_without_sense_is_read_afresh(rig: Rig) -> None:
    class Junk:
        def get(self, key: str, *, max_age_s: float) -> bytes:
            return b"not json"

        def put(self, key: str, data: bytes) -> None:
            pass

    async with rig.connector(cache=Junk()) as connector:
        assert len((await connector.markets()).symbols) == 2


async def test_an_unknown_market_is_refused_with_a_hint(rig: Rig) -> None:
    async with rig.connector() as connector:
        with pytest.raises(OrderRefused, match="BTX") as refused:
            await connector.book("BTX-USD")
    assert refused.value.hint is not None
    assert PAIR in refused.value.hint


async def test_fills_bear_our_ids(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await connector.place_order(market())).order
        (fill,) = await connector.fills(since_ns=0)
    assert fill.client_order_id == order.client_order_id


async def test_an_id_is_found_by_its_beginning(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="alpha-1")
        found = await connector.find("alp")
        assert found is not None
        assert found.client_order_id == "alpha-1"
        assert connector.known("beta") is None


# Telemetry


async def test_events_are_counted(rig: Rig) -> None:
    counters = Counters("tiny")
    async with rig.connector() as connector:
        connector.add_listener(OrderFilledEvent, counters.count)
        connector.add_listener(OrderStateChangedEvent, counters.count)
        await connector.place_order(market())
    assert counters["order_filled_total"] == 1
    assert 'order_filled_total{connector="tiny"} 1' in counters.lines()


def test_logs_are_lines_of_json_without_secrets() -> None:
    stream = StringIO()
    logger = logging.getLogger("latentspeed_cli")
    before = (logger.handlers[:], logger.propagate, logger.level)
    try:
        set_up_logging(1, stream)
        logging.getLogger("latentspeed_cli.x").info("sent", extra={"body": "0x" + "ab" * 65, "order": "cd" * 16})
        logging.getLogger("latentspeed_cli.x").debug("not shown")
    finally:
        logger.handlers[:], logger.propagate = before[0], before[1]
        logger.setLevel(before[2])
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {
        "level": "info",
        "logger": "latentspeed_cli.x",
        "message": "sent",
        "body": "0x(hidden)",
        "order": "cd" * 16,
    }


def test_addresses_and_ids_survive_redaction() -> None:
    assert redact("0x" + "ab" * 20) == "0x" + "ab" * 20
    assert "ab" * 32 not in redact("key " + "ab" * 32)
