"""What a node's answer to a transaction means: one table by codespace and code. Texts are for people.

Code 0 is one node's opinion and no acceptance. A code means that this node did not take the transaction; as it was sent
to one node, once, nothing of it rests, unless the code says that another message of ours got there first.
Source: the error registers of v4-chain (x/clob/types/errors.go, x/accountplus/types/errors.go) and of cosmos-sdk.
"""

from __future__ import annotations

import enum

from latentspeed_cli.errors import (
    AttemptRefused,
    AuthRejected,
    LatentspeedError,
    NonceRefused,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)

from .tx import TxResponse


class Meaning(enum.Enum):
    """What a code says about the message that was sent."""

    FINAL = "final"  # wrong, or not allowed
    KEY = "key"  # the key, or what it may do
    TIMING = "timing"  # right, and too early or too late: to be built again
    LIMIT = "limit"  # too many, or no room; nothing was accepted
    NONCE = "nonce"  # the sequence or nonce is not the one expected
    OPEN = "open"  # another message of ours decides, or nobody knows: ask
    STANDS = "stands"  # of a cancel: one is there already
    GONE = "gone"  # of a cancel: there is no such order, or it is over


WAIT_MS = 1_000
MEMPOOL_FULL, ALREADY_SEEN, WRONG_SEQUENCE = "sdk 20", "sdk 19", "sdk 32"

_BOTH: dict[str, Meaning] = {
    "sdk 4": Meaning.KEY,  # unauthorized: key, account number or chain id
    "sdk 8": Meaning.KEY,  # invalid pubkey
    "sdk 9": Meaning.KEY,  # unknown address
    ALREADY_SEEN: Meaning.OPEN,
    MEMPOOL_FULL: Meaning.LIMIT,
    "sdk 30": Meaning.TIMING,  # tx timeout height
    WRONG_SEQUENCE: Meaning.NONCE,
    "sdk 38": Meaning.OPEN,  # not found
    "clob 11": Meaning.TIMING,  # further away than the window of short-term orders
    "clob 47": Meaning.TIMING,  # the node has just started
    "clob 5001": Meaning.LIMIT,  # block rate limit
    "undefined 111222": Meaning.OPEN,  # the handler panicked
}
_OF_PLACING: dict[str, Meaning] = {
    "clob 10": Meaning.TIMING,  # its last block is behind the chain
    "clob 20": Meaning.OPEN,  # an order of this id is there and cannot be replaced
    "clob 24": Meaning.OPEN,  # an order of this id is filled
    "clob 2004": Meaning.OPEN,  # an immediate order of this id was partly filled
    "clob 3005": Meaning.OPEN,  # a stateful order of this id exists
    "clob 3008": Meaning.OPEN,  # it was cancelled in this block
    "clob 3009": Meaning.OPEN,  # it was removed in this block
}
_OF_CANCELLING: dict[str, Meaning] = {
    ALREADY_SEEN: Meaning.STANDS,
    "clob 9": Meaning.STANDS,  # a cancel that reaches as far is there
    "clob 32": Meaning.STANDS,  # a cancel waits for its block
    "clob 10": Meaning.GONE,  # the order's last block is behind the chain
    "clob 3006": Meaning.GONE,  # no such stateful order, or not known to this node yet
    "clob 3010": Meaning.GONE,  # removed in this block
}


def meaning(said: TxResponse, *, cancels: bool, account_number: int) -> Meaning:
    """Of an answer whose code is not 0. A code that is not in the table was refused for good.

    account_number: the one that was signed for.
    """
    if said.name == "sdk 4" and account_number and "account number (0)" in said.raw_log:
        return Meaning.TIMING  # so says a node that has just started, before its first block
    known = (_OF_CANCELLING if cancels else _OF_PLACING).get(said.name) or _BOTH.get(said.name)
    if known is not None:
        return known
    return Meaning.KEY if said.codespace == "dydxaccountplus" else Meaning.FINAL


def words(said: TxResponse) -> str:
    """What the node says; some refusals come without words."""
    return said.raw_log[:400] or {ALREADY_SEEN: "tx already in mempool", MEMPOOL_FULL: "mempool is full"}.get(
        said.name, f"code {said.code} of {said.codespace}"
    )


def error_of(said: TxResponse, kind: Meaning) -> LatentspeedError:
    """A refusal as what it means for the request."""
    text = f"the node refused: {words(said)}"
    match kind:
        case Meaning.KEY:
            return AuthRejected(text, venue_code=said.name, hint="check key, account and network")
        case Meaning.TIMING:
            return AttemptRefused(text, venue_code=said.name)
        case Meaning.LIMIT:
            return RateLimited(text, venue_code=said.name, retry_after_ms=WAIT_MS)
        case Meaning.NONCE:
            return NonceRefused(text, venue_code=said.name)
        case Meaning.OPEN:
            return OutcomeUnknown(text, venue_code=said.name)
        case _:
            return OrderRejected(text, venue_code=said.name)
