"""Protocol facts of dYdX v4 that sending rests on. Source: v4-chain, protocol v9.6; files of it are named beside them.

Addresses and what reading rests on stand where they are used: web_utils.py, decode.py.
"""

from __future__ import annotations

VENUE = "dydx_v4"

# Signing domains. The sandbox is a chain of its own, as the venue's repository starts it locally.
CHAIN_IDS = {"mainnet": "dydx-mainnet-1", "testnet": "dydx-testnet-4", "sandbox": "localdydxprotocol"}
ADDRESS_PREFIX = "dydx"
HD_PATH = "m/44'/118'/0'/0/0"

# Kinds of orders, as flags of the order id (protocol/x/clob/types/order_id.go).
SHORT_TERM = 0
CONDITIONAL = 32
LONG_TERM = 64
TWAP = 128

# Sides, times in force and conditions (proto/dydxprotocol/clob/order.proto).
SIDE_BUY, SIDE_SELL = 1, 2
TIF_GOOD_TIL, TIF_IMMEDIATE, TIF_POST_ONLY = 0, 1, 2
CONDITION_NONE, CONDITION_STOP_LOSS, CONDITION_TAKE_PROFIT = 0, 1, 2

# Blocks. The window has been 40 since protocol v9.5; a refusal names it, so that it can be learnt.
SHORT_BLOCK_WINDOW = 40
SHORT_TERM_BLOCKS = 10
TIMEOUT_BLOCKS = 20
# An expiry up to this many seconds is short-term; beyond it the order lives in the chain's state.
SHORT_TERM_EXPIRE_S = 20
GTC_S = 28 * 86_400
STATEFUL_WINDOW_S = 95 * 86_400

MAX_SUBACCOUNT = 128_000
MAX_BATCH_CANCEL = 100
# A sequence from here on is taken as a timestamp nonce, in Unix milliseconds (x/accountplus/keeper/timestampnonce.go).
TIMESTAMP_NONCE_FLOOR = 1 << 40
TIMESTAMP_NONCE_WINDOW_MS = 30_000

# What messages of the order book cost: nothing. The figure is the official client's.
GAS_LIMIT = 1_000_000

# Calls of a node.
BROADCAST_TX = "cosmos.tx.v1beta1.Service/BroadcastTx"
GET_TX = "cosmos.tx.v1beta1.Service/GetTx"
ACCOUNT = "cosmos.auth.v1beta1.Query/Account"
BROADCAST_SYNC = 2

# Type URLs of messages.
PLACE_ORDER = "/dydxprotocol.clob.MsgPlaceOrder"
CANCEL_ORDER = "/dydxprotocol.clob.MsgCancelOrder"
BATCH_CANCEL = "/dydxprotocol.clob.MsgBatchCancel"
UPDATE_LEVERAGE = "/dydxprotocol.clob.MsgUpdateLeverage"
TX_EXTENSION = "/dydxprotocol.accountplus.TxExtension"
PUBLIC_KEY = "/cosmos.crypto.secp256k1.PubKey"
