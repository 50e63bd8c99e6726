"""Protocol facts of Hyperliquid. Source: hyperliquid.gitbook.io, section API, read in August 2026."""

from __future__ import annotations

from decimal import Decimal

VENUE = "hyperliquid"

# Hosts. The sandbox's address is handed in by whoever started it; this is where it listens when the port is free.
BASE_URLS = {
    "mainnet": "https://api.hyperliquid.xyz",
    "testnet": "https://api.hyperliquid-testnet.xyz",
    "sandbox": "http://127.0.0.1:3001",
}

# Signing domains. Every network that is not mainnet signs as testnet; the official SDK does so for any custom URL.
SIGNATURE_SOURCES = {"mainnet": "a", "testnet": "b", "sandbox": "b"}
CHAIN_NAMES = {"mainnet": "Mainnet", "testnet": "Testnet", "sandbox": "Testnet"}

# Numbers.
PERP_MAX_DECIMALS = 6
WIRE_MAX_DECIMALS = 8
PRICE_SIGNIFICANT_FIGURES = 5
MIN_NOTIONAL = Decimal(10)
# Largest market-like order in quote units, by the asset's maximum leverage; limit orders may be ten times that.
MAX_MARKET_NOTIONALS = ((25, Decimal(30_000_000)), (20, Decimal(5_000_000)), (10, Decimal(2_000_000)))
MAX_MARKET_NOTIONAL_ELSE = Decimal(500_000)
LIMIT_NOTIONAL_FACTOR = 10
COLLATERAL = "USDC"

# Asset ids: perps count from 0, spot pairs from here, builder dexes from 100000 in blocks of 10000.
SPOT_ASSET_OFFSET = 10_000
BUILDER_ASSET_OFFSET = 100_000
BUILDER_ASSET_BLOCK = 10_000

# Paging: both ends of a time range are inclusive.
FILLS_PAGE = 2000
CANDLES_PAGE = 500
FUNDING_PAGE = 500
MAX_PAGES = 20

CANDLE_INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")

# Weights per IP: 1200 a minute over /info and /exchange together.
RATE_WINDOW_MS = 60_000
REQUESTS_PER_MINUTE = 1_200
SANDBOX_LEEWAY = 100  # the default scenario of the sandbox takes that many times more
EXCHANGE_WEIGHT = 1
INFO_WEIGHT_ELSE = 20
INFO_WEIGHTS = {
    "l2Book": 2,
    "allMids": 2,
    "clearinghouseState": 2,
    "orderStatus": 2,
    "spotClearinghouseState": 2,
    "userRole": 60,
}
# An address out of its allowance gets one action through in this time.
ADDRESS_LIMIT_RETRY_MS = 10_000

# WebSocket: the server drops a connection on which it sent nothing for 60 s.
PING = '{"method":"ping"}'
HEARTBEAT_S = 30.0
DEAD_AFTER_S = 60.0
# Of one address, over all its connections.
MAX_SUBSCRIPTIONS = 1_000
GREETING = "Websocket connection established."

# Order statuses (orderStatus, historicalOrders, orderUpdates).
LIVE_STATUSES = frozenset({"open", "triggered"})
UNMATCHED_STATUSES = frozenset({"iocCancelRejected", "marketOrderNoLiquidityRejected"})
