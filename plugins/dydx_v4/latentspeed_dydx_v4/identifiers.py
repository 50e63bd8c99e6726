"""The indexer's ids. They are computed, not given: an order's is known before the order is sent.

Source: indexer source, package postgres, stores' uuid functions; equal for all recorded orders, fills and subaccounts.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_NAMESPACE = bytes.fromhex("0f9da948a6fb4c459edc4685c3f3317d")


def _uuid5(name: str) -> str:
    """RFC 4122, version 5."""
    digest = bytearray(hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@cache
def subaccount_id(address: str, number: int) -> str:
    return _uuid5(f"{address}-{number}")


def order_id(subaccount: str, client_id: int, clob_pair_id: int, order_flags: int) -> str:
    """subaccount: its id. order_flags: 0 short-term, 32 conditional, 64 long-term, 128 twap."""
    return _uuid5(f"{subaccount}-{client_id}-{clob_pair_id}-{order_flags}")


def is_order_id(text: str) -> bool:
    """Whether it has the look of one."""
    return _UUID.fullmatch(text) is not None


def fill_id(event_id: str, liquidity: str) -> str:
    """event_id: 24 hex digits. liquidity: TAKER or MAKER; both sides of one match share the event."""
    return _uuid5(f"{event_id}-{liquidity}")


def venue_client_id(client_id: int, client_metadata: int) -> str:
    """Our twin of a client order id: both free numbers that the venue keeps with an order, as "17-4"."""
    return f"{client_id}-{client_metadata}"


def client_ids(venue_id: str) -> tuple[int, int] | None:
    """client_id and client_metadata of a twin; None when it is none."""
    first, _, second = venue_id.partition("-")
    if not (venue_id.isascii() and first.isdecimal() and second.isdecimal() and max(len(first), len(second)) <= 10):
        return None
    return int(first), int(second)
