"""The venue's error texts, as one table. No other place compares a text of the venue.

A text of the live venue usually ends in " asset=N", which the documentation leaves out: rows match the beginning.
Source: the API page Error responses, and answers recorded in 2025 and 2026.
"""

from __future__ import annotations

import enum
import re

import msgspec

from latentspeed_cli.errors import (
    AuthRejected,
    LatentspeedError,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)

from .constants import ADDRESS_LIMIT_RETRY_MS


class Meaning(enum.Enum):
    """What a refusal proves."""

    REJECTED = "rejected"  # refused, nothing rests
    UNMATCHED = "unmatched"  # an immediate order found nobody: it ended, and is EXPIRED on every venue
    NOT_LIVE = "not live"  # a cancel's target is unknown, done or somebody else's: one text for all three
    EXPIRED = "expired"  # expiresAfter had passed: it never reached the book
    AUTH = "auth"  # the key is unknown, or may not act for this account
    RATE = "rate"  # refused for the rate; nothing accepted
    NONCE_USED = "nonce used"  # something with this nonce was accepted, perhaps this very request
    NONCE_LOW = "nonce low"  # this nonce can never be accepted any more, but may have been
    NONCE = "nonce"  # something about the nonce in words that are not known: it proves nothing


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One text, understood. code: our short name for the cause, None for a text that is not in the table."""

    text: str
    code: str | None
    meaning: Meaning

    def error(self) -> LatentspeedError:
        """The error to raise where the meaning has no better use."""
        match self.meaning:
            case Meaning.AUTH:
                return AuthRejected(
                    self.text,
                    venue_code=self.code,
                    hint="the venue may have recovered another signer than the key's: check key, account and network",
                )
            case Meaning.RATE:
                return RateLimited(self.text, venue_code=self.code, retry_after_ms=ADDRESS_LIMIT_RETRY_MS)
            case Meaning.NONCE_USED | Meaning.NONCE_LOW | Meaning.NONCE:
                return OutcomeUnknown(self.text, venue_code=self.code)
            case _:
                return OrderRejected(self.text, venue_code=self.code)


_R = Meaning.REJECTED

TABLE: tuple[tuple[str, str, Meaning], ...] = (
    # one order
    ("Price must be divisible by tick size", "tick", _R),
    ("Order has invalid price", "invalid_price", _R),
    ("Order has invalid size", "invalid_size", _R),
    ("Order has zero size", "zero_size", _R),
    ("Order must have minimum value of", "min_notional", _R),
    ("Insufficient margin to place order", "insufficient_margin", _R),
    ("Insufficient spot balance", "insufficient_balance", _R),
    ("Order has insufficient spot balance", "insufficient_balance", _R),
    ("Reduce only order would increase position", "reduce_only", _R),
    ("Reduce-only is invalid for spot trading", "reduce_only", _R),
    ("Post only order would have immediately matched", "post_only", _R),
    ("Order could not immediately match against any resting orders", "ioc_unmatched", Meaning.UNMATCHED),
    ("No liquidity available for market order", "no_liquidity", Meaning.UNMATCHED),
    ("Invalid TP/SL price", "trigger_price", _R),
    ("Order price cannot be more than", "price_band", _R),
    ("Price too far from oracle", "price_band", _R),
    ("Order price too far from oracle", "price_band", _R),
    ("Order value too large", "max_notional", _R),
    ("Order would increase open interest", "open_interest_cap", _R),
    ("Order rejected due to price more aggressive than oracle", "open_interest_cap", _R),
    ("Order would cause position to exceed margin tier limit", "margin_tier", _R),
    ("Orders are empty", "empty", _R),
    ("Unexpected number of trigger orders", "trigger_group", _R),
    ("Builder fee has not been approved", "builder", _R),
    ("Only post-only orders allowed immediately after network upgrade", "post_only_period", _R),
    # cancel and modify
    ("Order was never placed, already canceled, or filled", "not_live", Meaning.NOT_LIVE),
    ("Cannot modify canceled or filled order", "not_live", Meaning.NOT_LIVE),
    ("Error placing new order during modify", "modify_refused", _R),
    ("Attempted to modify to invalid new order", "modify_invalid", _R),
    # the whole action
    ("Unable to recover signer", "bad_signature", Meaning.AUTH),
    ("User or API Wallet", "unknown_signer", Meaning.AUTH),
    ("Must deposit before performing actions", "must_deposit", Meaning.AUTH),
    ("Vault not registered", "unknown_vault", Meaning.AUTH),
    ("Agent valid_until already expired", "agent_expired", Meaning.AUTH),
    ("Invalid nonce: duplicate nonce", "duplicate_nonce", Meaning.NONCE_USED),
    ("Invalid nonce: nonce too low", "nonce_too_low", Meaning.NONCE_LOW),
    # never accepted and, since the venue's time only moves on, not accepted earlier either
    ("Invalid nonce: nonce too high", "nonce_too_high", _R),
    ("Action already expired", "expired", Meaning.EXPIRED),
    ("Too many cumulative requests sent", "address_rate_limit", Meaning.RATE),
    ("Signed action over weight limit", "too_many_items", _R),
    ("Invalid leverage value", "leverage", _R),
    ("Cross margin is not allowed for this asset", "margin_kind", _R),
    ("Cannot switch leverage type with open position", "margin_kind", _R),
    ("Position does not use isolated margin", "margin_kind", _R),
    ("Cannot set scheduled cancel time", "schedule_cancel", _R),
    ("Invalid spot", "unknown_asset", _R),
)


# One alternation of all beginnings, in the table's order: a text is compared once, not fifty times. Refusals of a whole
# action had a prefix once.
_BEGINNINGS = re.compile(f"(?:L1 error: )?(?:{'|'.join(f'({re.escape(beginning)})' for beginning, _, _ in TABLE)})")


def understand(text: str) -> Refusal:
    """What a text of the venue proves.

    One that is not in the table is an explicit refusal all the same, unless it is about the nonce: then an earlier copy
    of the same request may have been accepted.
    """
    found = _BEGINNINGS.match(text)
    if found is None or found.lastindex is None:
        return Refusal(text=text, code=None, meaning=Meaning.NONCE if "nonce" in text.lower() else Meaning.REJECTED)
    _, code, meaning = TABLE[found.lastindex - 1]
    return Refusal(text=text, code=code, meaning=meaning)
