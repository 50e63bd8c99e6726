"""What is written by hand is what the definitions say: both encode every message to the same bytes."""

from __future__ import annotations

import pytest
from latentspeed_dydx_v4 import encode, proto
from latentspeed_dydx_v4.constants import BATCH_CANCEL, CANCEL_ORDER, PLACE_ORDER, UPDATE_LEVERAGE

from .test_vectors import LONG_TERM, OWNER, SHORT_TERM, market

BTC, ETH = market("BTC-USD"), market("ETH-USD")
CANCEL = encode.cancel_order(OWNER, encode.id_of(SHORT_TERM, BTC), good_til_block=12345680, good_til_ts_ns=None)


@pytest.mark.parametrize(
    ("type_url", "body"),
    [
        (PLACE_ORDER, encode.place_order(SHORT_TERM, BTC, OWNER)),
        (PLACE_ORDER, encode.place_order(LONG_TERM, ETH, OWNER)),
        (CANCEL_ORDER, CANCEL),
        (BATCH_CANCEL, encode.batch_cancel(OWNER, {0: [1, 2**32 - 1], 1: [3]}, 12345678)),
        (UPDATE_LEVERAGE, encode.update_leverage(OWNER, 1, 5)),
    ],
)
def test_the_definitions_read_and_write_the_same_bytes(type_url: str, body: bytes) -> None:
    read = proto.message(type_url).FromString(body)
    assert read.SerializeToString(deterministic=True) == body
    assert len(proto.shown(type_url, body)) > 1


def test_an_order_is_shown_in_the_words_of_the_chain() -> None:
    shown = proto.shown(PLACE_ORDER, encode.place_order(LONG_TERM, ETH, OWNER))["order"]
    assert shown["side"] == "SIDE_SELL"
    assert shown["time_in_force"] == "TIME_IN_FORCE_POST_ONLY"
    assert (shown["quantums"], shown["subticks"]) == ("1500000000", "3000100000")
    assert shown["order_id"]["client_id"] == 42
    assert shown["good_til_block_time"] == 1767225600
