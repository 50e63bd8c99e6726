"""The field's words as types. Values are what JSON and the command line show."""

from __future__ import annotations

import enum


class OrderType(enum.Enum):
    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"
    STOP_LIMIT = "stop-limit"
    TAKE_PROFIT = "take-profit"
    TAKE_PROFIT_LIMIT = "take-profit-limit"

    has_limit: bool
    """The user gives its price; the others take the market, within a slippage bound."""
    has_trigger: bool

    def __init__(self, word: str) -> None:
        # Every order's path asks eight times, so each member knows.
        self.has_limit = word.endswith("limit")
        self.has_trigger = word not in ("limit", "market")


class TradeType(enum.Enum):
    """The side of an order or of a trade's aggressor."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is TradeType.BUY else -1

    @property
    def opposite(self) -> TradeType:
        return TradeType.SELL if self is TradeType.BUY else TradeType.BUY


class TimeInForce(enum.Enum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class PositionAction(enum.Enum):
    """Whether an order may open (NIL and OPEN) or only reduce a position (CLOSE)."""

    OPEN = "open"
    CLOSE = "close"
    NIL = "nil"


class PositionSide(enum.Enum):
    LONG = "long"
    SHORT = "short"


class OrderState(enum.Enum):
    """The nine states. Which facts prove which state: core/order_state.py, and nothing else."""

    PENDING_CREATE = "PENDING_CREATE"
    PENDING_SUBMIT = "PENDING_SUBMIT"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"

    @property
    def is_done(self) -> bool:
        return self in _DONE


_DONE = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.FAILED})


class Liquidity(enum.Enum):
    MAKER = "maker"
    TAKER = "taker"


class Network(enum.Enum):
    """One choice fixes the addresses *and* the signing domain."""

    SANDBOX = "sandbox"
    TESTNET = "testnet"
    MAINNET = "mainnet"
