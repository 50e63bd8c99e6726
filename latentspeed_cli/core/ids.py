"""Client order ids, and the hash that tells whether two commands ask for the same order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

import msgspec

from ..errors import OrderRefused
from .decimals import plain
from .in_flight_order import OrderIntent

MAX_LENGTH = 64
# Raise it when the canonical text of an intent changes: old hashes then match nothing, instead of the wrong thing.
INTENT_VERSION = 1
_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


class TokenSource(Protocol):
    """The part of entropy.Entropy that ids need."""

    def token_hex(self, nbytes: int) -> str: ...


def check_client_order_id(text: str) -> str:
    """`text` itself. Raises OrderRefused unless it is a legal client order id: decisions.md section 3."""
    if not text:
        raise OrderRefused("the client order id is empty")
    if len(text) > MAX_LENGTH:
        raise OrderRefused(f"the client order id has {len(text)} characters, {MAX_LENGTH} are allowed")
    if _CLIENT_ORDER_ID.fullmatch(text) is None or "--" in text:
        raise OrderRefused(
            f"not a client order id: {text!r}",
            hint="letters, digits and . _ : - (not twice in a row), starting with a letter or digit",
        )
    return text


def new_client_order_id(entropy: TokenSource) -> str:
    """32 random hex digits."""
    return entropy.token_hex(16)


def typed_parameters(intent: OrderIntent) -> dict[str, str | None]:
    """What was asked for, as canonical text; never a resolved price."""
    return {
        "trading_pair": intent.trading_pair,
        "side": intent.side.value,
        "type": intent.order_type.value,
        "amount": None if intent.amount is None else plain(intent.amount),
        "notional": None if intent.notional is None else plain(intent.notional),
        "price": intent.price_expression if intent.price is None else plain(intent.price),
        "trigger_price": None if intent.trigger_price is None else plain(intent.trigger_price),
        "tif": intent.tif.value,
        "post_only": "true" if intent.post_only else None,
        "reduce_only": "true" if intent.reduce_only else None,
        "slippage_bps": None if intent.order_type.has_limit else str(intent.slippage_bps),
        "expire_s": None if intent.expire_s is None else str(intent.expire_s),
    }


def parameters_hash(typed: Mapping[str, str | None], venue: str, network: str, account: str) -> str:
    """sha256, in hex, of the canonical text of an intent. A parameter that is None counts as absent."""
    text = msgspec.json.encode(
        {
            "intent_version": INTENT_VERSION,
            "venue": venue,
            "network": network,
            "account": account.lower(),
            "typed": {name: value for name, value in typed.items() if value is not None},
        },
        order="sorted",
    )
    return hashlib.sha256(text).hexdigest()
