"""What has to be known of the chain before something can be signed, and how to read it from a node's answers."""

from __future__ import annotations

import re

import msgspec

from latentspeed_cli.errors import AuthRejected, ProtocolError

from .constants import SHORT_BLOCK_WINDOW
from .node import Value, fields
from .protowire import data

NS_PER_S = 1_000_000_000
# A height is good for an order for so long: short-term orders have ten blocks, a second is two or three.
MAX_AGE_NS = NS_PER_S
_WINDOW = re.compile(r"ShortBlockWindow (\d{1,4})\b", re.ASCII)
_MISMATCH = re.compile(r"account sequence mismatch, expected (\d{1,20}), got (\d{1,20})", re.ASCII)
MAX_REFUSALS = 1_000


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as its last block left it."""

    number: int
    sequence: int


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The last committed block. time_ns: the chain's own."""

    height: int
    time_ns: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt whose nonce a node did not take. height: the last block known then."""

    attempt: int
    height: int


class ChainState:
    """What was read, and when. One connector holds it; it is the only thing about the chain that changes.

    block_age_ns: how old the last block was by our clock when it was read. window: how many blocks ahead a short-term
    order may end; a refusal can teach another. expected: the sequence that a refusal named. authenticator: which one
    lets our key sign for the account. block_ns: the pace of blocks, 0 when it could not be measured, None when nobody
    has tried.
    """

    def __init__(self, authenticator: int | None = None) -> None:
        self.account: Account | None = None
        self.block: Block | None = None
        self.account_read_ns = self.block_read_ns = 0
        self.block_age_ns = 0
        self.window = SHORT_BLOCK_WINDOW
        self.expected: int | None = None
        self.authenticator = authenticator
        self.block_ns: int | None = None
        self._refusals: dict[str, Refusal] = {}

    def knows_account(self, now_ns: int, *, counts_sequences: bool) -> bool:
        """An account's number never changes; its sequence does, and matters where nonces are counted."""
        is_fresh = not counts_sequences or 0 <= now_ns - self.account_read_ns < MAX_AGE_NS
        return self.account is not None and is_fresh

    def knows_block(self, now_ns: int) -> bool:
        return self.block is not None and 0 <= now_ns - self.block_read_ns < MAX_AGE_NS

    def learn_account(self, account: Account, now_ns: int) -> None:
        if self.expected is not None:  # the account may have moved on since a refusal named the number
            self.expected = max(self.expected, account.sequence)
        self.account = account
        self.account_read_ns = now_ns

    def learn_block(self, block: Block, now_ns: int) -> None:
        if self.block is None or block.height >= self.block.height:
            self.block = block
        self.block_read_ns = now_ns
        self.block_age_ns = now_ns - self.block.time_ns

    def stale(self) -> None:
        """Read again before the next use: something was refused for what was believed."""
        self.account_read_ns = self.block_read_ns = 0

    def learn_window(self, text: str) -> None:
        """From the words of a refusal, if they name it."""
        found = _WINDOW.search(text)
        if found is not None and int(found[1]) > 0:
            self.window = int(found[1])

    def learn_sequence(self, text: str) -> None:
        """From the words of a refusal, if they name the sequence that would have been right."""
        found = _MISMATCH.search(text)
        if found is not None:
            self.expected = int(found[1])

    def note_refusal(self, client_order_id: str, attempt: int) -> None:
        """A node refused this attempt for its nonce."""
        if len(self._refusals) >= MAX_REFUSALS:
            del self._refusals[next(iter(self._refusals))]
        height = 0 if self.block is None else self.block.height
        self._refusals[client_order_id] = Refusal(attempt=attempt, height=height)

    def refusal_of(self, client_order_id: str, attempt: int) -> Refusal | None:
        found = self._refusals.get(client_order_id)
        return found if found is not None and found.attempt == attempt else None


# Questions and answers


def account_query(address: str) -> bytes:
    """QueryAccountRequest."""
    return data(1, address.encode())


def account(answer: bytes | None, address: str) -> Account:
    """QueryAccountResponse; None when the node does not know the address. Raises AuthRejected, ProtocolError."""
    if answer is None:
        raise AuthRejected(
            f"the chain does not know {address}: it never received a coin",
            hint="deposit first, or check key and network",
        )
    found = _inside(_inside(_inside(answer).get(1)).get(2))
    number, sequence = found.get(3, 0), found.get(4, 0)
    if found.get(1) == address.encode() and isinstance(number, int) and isinstance(sequence, int):
        return Account(number=number, sequence=sequence)
    raise ProtocolError("the node's answer about the account makes no sense", payload=answer)


def block(answer: bytes) -> Block:
    """GetLatestBlockResponse. The newer member sdk_block wins, older nodes lack it. Raises ProtocolError."""
    members = dict(fields(answer))
    for member in (3, 2):
        header = _inside(_inside(members.get(member)).get(1))
        moment = _inside(header.get(4))
        height, seconds, nanos = header.get(3, 0), moment.get(1, 0), moment.get(2, 0)
        if isinstance(height, int) and height > 0 and isinstance(seconds, int) and isinstance(nanos, int):
            return Block(height=height, time_ns=seconds * NS_PER_S + nanos)
    raise ProtocolError("the node's latest block has no height", payload=answer)


def _inside(value: Value | None) -> dict[int, Value]:
    """The members of a message; none of what is not there."""
    return dict(fields(value)) if isinstance(value, bytes) else {}
