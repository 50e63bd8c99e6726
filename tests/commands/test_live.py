"""Tables that are redrawn fit the terminal, and cut no number."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from latentspeed_cli.live import Board
from latentspeed_cli.records import PositionRecord

POSITION = PositionRecord(
    venue="hyperliquid",
    network="sandbox",
    account="0x14c6c22e4ab2024d45168fa67c747bd65c2e56ae",
    trading_pair="BTC-USD",
    side="long",
    amount="0.01",
    entry_price="84012",
    position_value="840.786",
    unrealized_pnl="0.666",
    liquidation_price=None,
    leverage="5",
    margin="cross",
    margin_used="168.1572",
    ts_ns=1_795_695_105_893_000_000,
    ts_iso="2026-11-26T12:11:45.893000000Z",
)


def screen(width: int) -> list[str]:
    """What a terminal of so many columns shows of the position."""
    board = Board()
    board.show(POSITION)
    console = Console(file=io.StringIO(), width=width)
    console.print(board.draw())
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [130, 100, 80, 60, 40])
def test_what_is_shown_is_shown_whole(width: int) -> None:
    lines = screen(width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    row = next(line for line in lines if line.startswith("BTC-USD")).split()
    whole = [POSITION.trading_pair, "long", "0.01", "84012", "840.786", "0.666", "-", "5", "cross", "168.1572"]
    assert row == whole[: len(row)]
    assert len(row) >= 5


def test_what_is_left_out_is_named() -> None:
    assert screen(80)[-1] == "too narrow for margin, margin_used"
    assert len(screen(100)) == 3, "heads of two lines make it fit"
    assert len(screen(130)) == 2
