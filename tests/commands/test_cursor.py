"""A cursor is refused for another stream than its own, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from latentspeed_cli.cursor import Cursor, Owner
from latentspeed_cli.errors import UsageError

OWNER = Owner(
    venue="hyperliquid", network="sandbox", account="0xa", instance="d16bac83cec7f53d", channel="fills", pairs=()
)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"venue": "dydx_v4"}, "another venue: hyperliquid, not dydx_v4"),
        ({"channel": "orders"}, "another channel: fills, not orders"),
        ({"pairs": ("BTC-USD",)}, "another choice of pairs: all, not BTC-USD"),
        ({"instance": "9"}, "another sandbox: d16bac83cec7f53d, not 9"),
    ],
)
def test_a_cursor_of_another_stream_is_refused(other: dict[str, Any], said: str, tmp_path: Path) -> None:
    Cursor.open(tmp_path / "cursor", OWNER, now_ns=1)
    with pytest.raises(UsageError, match=said):
        Cursor.open(tmp_path / "cursor", msgspec.structs.replace(OWNER, **other), now_ns=2)
    Cursor.open(tmp_path / "cursor", OWNER, now_ns=3)
