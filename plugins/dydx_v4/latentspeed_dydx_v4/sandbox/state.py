"""What the chain remembers, and what it tells its indexer. Chain objects are mutable; rows on disk are MessagePack.

Sizes are quantums, prices subticks, money quote quantums, times Unix nanoseconds unless a name says otherwise.
"""

from __future__ import annotations

import msgspec

SHORT_TERM, CONDITIONAL, LONG_TERM, TWAP = 0, 32, 64, 128
IOC, POST_ONLY, FILL_OR_KILL = 1, 2, 3
STOP_LOSS, TAKE_PROFIT = 1, 2


class Account(msgspec.Struct):
    """An address on chain. sequence: committed; check_sequence: with what waits in the mempool.

    coins: decimal text by denom, because native coins have 18 decimals and do not fit 64 bits.
    """

    address: str
    number: int
    sequence: int = 0
    check_sequence: int = 0
    public_key: bytes = b""
    nonces: list[int] = []
    largest_ejected: int = 0
    coins: dict[str, str] = {}
    authenticators: list[Authenticator] = []
    maker_days: dict[str, int] = {}
    taker_days: dict[str, int] = {}

    def held(self, denom: str) -> int:
        """Coins of the wallet."""
        return int(self.coins.get(denom, "0"))

    def hold(self, denom: str, amount: int) -> None:
        self.coins[denom] = str(amount)


class Authenticator(msgspec.Struct, frozen=True):
    id: int
    kind: str
    config: bytes


class Position(msgspec.Struct):
    """One perpetual position; size is signed."""

    size: int = 0
    funding_index: int = 0


class Subaccount(msgspec.Struct):
    """usdc is signed quote quantums; leverage: custom initial margin in ppm by clob pair."""

    owner: str
    number: int
    usdc: int = 0
    positions: dict[int, Position] = {}
    leverage: dict[int, int] = {}

    @property
    def key(self) -> str:
        return f"{self.owner}/{self.number}"


class Order(msgspec.Struct):
    """One order. filled: all of its matches, committed or not; book_id: its number on the book."""

    owner: str
    number: int
    client_id: int
    flags: int
    pair: int
    is_buy: bool
    quantums: int
    subticks: int
    good_til_block: int | None = None
    good_til_block_time: int | None = None
    time_in_force: int = 0
    reduce_only: bool = False
    client_metadata: int = 0
    condition: int = 0
    trigger: int = 0
    builder: str = ""
    builder_fee_ppm: int = 0
    router: str = ""
    book_id: int = 0
    filled: int = 0
    committed_filled: int = 0
    triggered: bool = False
    height: int = 0
    tx_index: int = 0

    @property
    def key(self) -> str:
        return order_key(self.owner, self.number, self.client_id, self.flags, self.pair)

    @property
    def subaccount(self) -> str:
        return f"{self.owner}/{self.number}"

    @property
    def left(self) -> int:
        return self.quantums - self.filled

    @property
    def is_short_term(self) -> bool:
        return self.flags == SHORT_TERM


def order_key(owner: str, number: int, client_id: int, flags: int, pair: int) -> str:
    return f"{owner}/{number}/{client_id}/{flags}/{pair}"


class FillRecord(msgspec.Struct):
    """What a short-term OrderId has filled so far; it is kept until a height."""

    filled: int
    until: int


class TxResult(msgspec.Struct):
    """A transaction in a block, as GetTx shows it."""

    hash: str
    height: int
    index: int
    time_ns: int
    code: int
    codespace: str
    raw_log: str
    raw: bytes
    gas_wanted: int = 0
    gas_used: int = 0


class Waiting(msgspec.Struct):
    """A transaction in the mempool. deadline: its timeout height, or 0."""

    number: int
    raw: bytes
    signer: str
    deadline: int = 0
    uses_sequence: bool = True


class Counters(msgspec.Struct):
    """Where the chain is, and what numbers come next."""

    start_ns: int = 0
    start_height: int = 0
    height: int = 0
    block_time_ns: int = 0
    book_id: int = 0
    account: int = 0
    authenticator: int = 0
    waiting: int = 0
    match: int = 0
    news: int = 0
    row: int = 0
    funding_hour: int = 0


# ---- what the node tells the indexer ----------------------------------------------------------------


class Side(msgspec.Struct, frozen=True):
    """A user's side of a match: the order as it was after it. fee in quote quantums, builder_fee is part of it."""

    order: Order
    filled: int
    fee: int
    builder_fee: int = 0


class Match(msgspec.Struct, frozen=True, tag="match", kw_only=True):
    """A trade. A side that is None is background flow. kind: LIMIT or LIQUIDATED."""

    number: int
    pair: int
    is_buy: bool
    price: int
    size: int
    quote: int
    taker: Side | None
    maker: Side | None
    kind: str = "LIMIT"


class Placed(msgspec.Struct, frozen=True, tag="placed"):
    """A stateful order is in state."""

    order: Order


class Triggered(msgspec.Struct, frozen=True, tag="triggered"):
    order: Order


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """A stateful order has left the state."""

    order: Order
    reason: str


class Expired(msgspec.Struct, frozen=True, tag="expired"):
    """A short-term order still rested when its good-til-block was committed."""

    order: Order


class Holdings(msgspec.Struct, frozen=True, tag="holdings"):
    """What a subaccount holds after the block."""

    owner: str
    number: int
    usdc: int
    sizes: dict[int, int]


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """A transfer, deposit or withdrawal; a number of None is the wallet. event: its index in the block."""

    sender: str
    sender_number: int | None
    recipient: str
    recipient_number: int | None
    amount: int
    tx_hash: str
    event: int


class Paid(msgspec.Struct, frozen=True, tag="paid"):
    """Funding of one position: amount is what the subaccount gets."""

    owner: str
    number: int
    pair: int
    size: int
    rate: int
    price: int
    amount: int


Item = Match | Placed | Triggered | Gone | Expired | Holdings | Moved | Paid


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """Off chain: the node took a short-term order."""

    order: Order


class Removed(msgspec.Struct, frozen=True, tag="removed"):
    """Off chain: the node dropped an order (or took a cancel for one)."""

    order: Order | None
    key: str
    reason: str
    optimistic: int


class Block(msgspec.Struct, frozen=True, tag="block"):
    """A committed block. hash: of the proposer's operations, shared by its matches."""

    height: int
    time_ns: int
    hash: str
    items: list[Item]


News = Opened | Removed | Block


class Pending(msgspec.Struct):
    """News on the way to the indexer."""

    number: int
    due_ns: int
    news: News
