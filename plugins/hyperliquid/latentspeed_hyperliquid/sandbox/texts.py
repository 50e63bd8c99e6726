"""The venue's words, exactly. N is the asset id; every text with ` asset=N` is sent with it on the live venue."""

from __future__ import annotations

BAD_JSON = "Failed to parse the request body as JSON"
BAD_SHAPE = "Failed to deserialize the JSON body into the target type"
BAD_CONTENT_TYPE = "Expected request with `Content-Type: application/json`"

# Order errors: status of the record (None: no record is kept) and text.
TICK = ("tickRejected", "Price must be divisible by tick size. asset={asset}")
INVALID_PRICE = (None, "Order has invalid price.")
INVALID_SIZE = (None, "Order has invalid size.")
ZERO_SIZE = (None, "Order has zero size.")
PRICE_BAND = (None, "Order price cannot be more than 95% away from the reference price")
TOO_LARGE = (None, "Order value too large. Max is ${limit}.")
MIN_NOTIONAL = ("minTradeNtlRejected", "Order must have minimum value of $10. asset={asset}")
MARGIN = ("perpMarginRejected", "Insufficient margin to place order. asset={asset}")
REDUCE_ONLY = ("reduceOnlyRejected", "Reduce only order would increase position. asset={asset}")
POST_ONLY = (
    "badAloPxRejected",
    "Post only order would have immediately matched, bbo was {bid}@{ask}. asset={asset}",
)
IOC = ("iocCancelRejected", "Order could not immediately match against any resting orders. asset={asset}")
TRIGGER_PRICE = ("badTriggerPxRejected", "Invalid TP/SL price. asset={asset}")
NO_LIQUIDITY = ("marketOrderNoLiquidityRejected", "No liquidity available for market order. asset={asset}")
TIER = (
    "perpMaxPositionRejected",
    "Order would cause position to exceed margin tier limit at current leverage. asset={asset}",
)
TOO_MANY_OPEN = ("tooManyOpenOrdersRejected", "Too many open orders. asset={asset}")
ORDERS_EMPTY = "Orders are empty."
TPSL_COUNT = "Unexpected number of trigger orders"
TPSL_REDUCE_ONLY = "Trigger orders must be reduce only"
BUILDER = "Builder fee has not been approved"
NO_PRIORITY = "Insufficient delegatable balance for priority order"
INVALID_ASSET = "Invalid asset"
INVALID_SPOT = "Invalid spot"
DELISTED = "Asset is delisted. asset={asset}"

CANCEL = "Order was never placed, already canceled, or filled. asset={asset}"
MODIFY_GONE = "Cannot modify canceled or filled order"
MODIFY_INVALID = "Attempted to modify to invalid new order"
MODIFY_FAILED = "Error placing new order during modify: {reason}"
TWAP_GONE = "TWAP was never placed, already canceled, or filled."

UNRECOVERABLE = "Unable to recover signer."
UNKNOWN_SIGNER = "User or API Wallet {address} does not exist."
MUST_DEPOSIT = "Must deposit before performing actions. User: {address}"
NONCE_DUPLICATE = "Invalid nonce: duplicate nonce {nonce}"
NONCE_LOW = "Invalid nonce: nonce too low {nonce} < {bound}"
NONCE_HIGH = "Invalid nonce: nonce too high {nonce} > {bound}"
EXPIRED = "Action already expired"
VAULT = "Vault not registered: {address}"
ADDRESS_LIMIT = (
    "Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${volume}. "
    "Place taker orders to free up 1 request per USDC traded."
)
OVERWEIGHT = "Signed action over weight limit of 200."
LEVERAGE = "Invalid leverage value"
NO_CROSS = "Cross margin is not allowed for this asset."
LEVERAGE_SWITCH = "Cannot switch leverage type with open position."
LEVERAGE_MARGIN = "Insufficient margin to place order."
NOT_ISOLATED = "Position does not use isolated margin."
SCHEDULE_VOLUME = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: ${volume}."
SCHEDULE_SOON = "Scheduled cancel time too early, must be at least 5 seconds from now."
SCHEDULE_DAILY = "Too many scheduled cancels triggered today. Limit is 10."
SUB_VOLUME = "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: ${volume}."
SUB_TRANSFER = "Invalid sub-account transfer from {source} to {target}"
SUB_NAME = "Invalid sub-account name"
AGENTS_MANY = "Too many extra agents for cumulative volume traded. Current limit is {limit}"
AGENT_PENDING = "User has pending agent removal"
AGENT_EXPIRED = "Agent valid_until already expired."
AGENT_USED = "Extra agent already used."
AGENT_NAME = "Invalid agent name"
AGENT_SEND = "Agent can only send asset to same user or their sub-accounts."
INVALID_SEND = "Invalid send"
BALANCE = "Insufficient balance for token transfer"
WITHDRAWAL = "Insufficient balance for withdrawal"
ZERO_SEND = "Send amount cannot be zero"
UNKNOWN_TOKEN = "Unknown token {token}"
INVALID_DEX = "Invalid perp DEX"
REFERRAL = "Referral code not registered"
BUILDER_RATE = "Builder fee rate is too high"
BUILDERS_MANY = "Too many builders approved"
UNSUPPORTED = "Action {name} is not modelled by the sandbox"
TRANSFERS_UNMODELLED = "Transfers of this kind are not modelled by the sandbox"

WS_PARSE = "Error parsing JSON into valid websocket request: {message}"
WS_SUBSCRIBED = "Already subscribed: {subscription}"
WS_UNSUBSCRIBED = "Already unsubscribed: {subscription}"
WS_INVALID = "Invalid subscription {subscription}"
WS_USERS = "Cannot track more than {limit} total users."
WS_CHANNELS = "Cannot subscribe to more than {limit} channels."
WS_MESSAGES = "Cannot send more than {limit} messages per minute."
