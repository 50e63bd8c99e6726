"""The least that prints the records of `latentspeed stream book`: websockets and msgspec in one loop.

`bare_stream.py BASE_URL SECONDS COIN...` checks nothing, recovers from nothing, and keeps no book.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import Literal

import msgspec
from websockets.asyncio.client import connect


class Level(msgspec.Struct):
    px: str
    sz: str
    n: int


class Book(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[list[Level], list[Level]]


class Frame(msgspec.Struct, tag_field="channel", tag="l2Book"):
    data: Book


class Acknowledgement(msgspec.Struct, tag_field="channel", tag="subscriptionResponse"):
    pass


class Row(msgspec.Struct):
    price: str
    amount: str
    orders: int


class Record(msgspec.Struct):
    trading_pair: str
    bids: list[Row]
    asks: list[Row]
    ts_ns: int
    ts_iso: str
    seq: int
    venue: str = "hyperliquid"
    network: str = "sandbox"
    schema: Literal["book"] = "book"
    schema_version: int = 1


def rows(levels: list[Level]) -> list[Row]:
    return [Row(level.px.rstrip("0").rstrip("."), level.sz.rstrip("0").rstrip("."), level.n) for level in levels]


async def main(base_url: str, seconds: float, coins: list[str]) -> None:
    decode = msgspec.json.Decoder(Frame | Acknowledgement).decode
    encode = msgspec.json.Encoder().encode
    async with connect(
        base_url.replace("http", "ws") + "/ws", compression=None, proxy=None, close_timeout=0.1
    ) as socket:
        for coin in coins:
            asked = {"type": "l2Book", "coin": coin, "fast": True}
            await socket.send(json.dumps({"method": "subscribe", "subscription": asked}))
        seq, end_s = 0, time.monotonic() + seconds
        while time.monotonic() < end_s:
            said = decode(await socket.recv())
            if isinstance(said, Acknowledgement):
                continue
            seq += 1
            book, at = said.data, datetime.fromtimestamp(said.data.time // 1000, UTC)
            bids, asks = map(rows, book.levels)
            iso = f"{at:%Y-%m-%dT%H:%M:%S}.{book.time % 1000:03d}000000Z"
            record = Record(f"{book.coin}-USD", bids, asks, book.time * 1_000_000, iso, seq)
            sys.stdout.buffer.write(encode(record) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
