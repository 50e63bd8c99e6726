from __future__ import annotations

import pytest
from latentspeed_hyperliquid.refusals import TABLE, Meaning, understand

from latentspeed_cli.errors import AuthRejected, OrderRejected, OutcomeUnknown, RateLimited

ERRORS = {
    Meaning.AUTH: AuthRejected,
    Meaning.RATE: RateLimited,
    Meaning.NONCE_USED: OutcomeUnknown,
    Meaning.NONCE_LOW: OutcomeUnknown,
}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_every_row_is_reached_by_its_own_text(row: tuple[str, str, Meaning]) -> None:
    """No row hides another, and what the venue adds to a text changes nothing."""
    beginning, code, meaning = row
    for text in (beginning, beginning + " asset=5", beginning + "."):
        refusal = understand(text)
        assert (refusal.code, refusal.meaning, refusal.text) == (code, meaning, text)
        error = refusal.error()
        assert type(error) is ERRORS.get(meaning, OrderRejected)
        assert (error.message, error.venue_code) == (text, code)


@pytest.mark.parametrize("text", ["", "a text of next year", "order has invalid price.", " Order has invalid price."])
def test_a_text_that_is_not_in_the_table_is_a_refusal_all_the_same(text: str) -> None:
    refusal = understand(text)
    assert (refusal.code, refusal.meaning) == (None, Meaning.REJECTED)
    assert type(refusal.error()) is OrderRejected


@pytest.mark.parametrize("text", ["Nonce rejected", "invalid nonce", "L1 error: bad nonce 1790000000000"])
def test_a_text_about_the_nonce_that_is_not_in_the_table_proves_nothing(text: str) -> None:
    refusal = understand(text)
    assert (refusal.code, refusal.meaning) == (None, Meaning.NONCE)
    assert type(refusal.error()) is OutcomeUnknown


# The texts of the venue, as its answers and its documentation spell them.
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Price must be divisible by tick size. asset=3", "tick"),
        ("Order must have minimum value of $10. asset=1", "min_notional"),
        ("Order must have minimum value of 10 USDC. asset=10000", "min_notional"),
        ("Reduce only order would increase position. asset=3", "reduce_only"),
        ("Post only order would have immediately matched, bbo was 64143@64144. asset=0", "post_only"),
        ("Order price cannot be more than 95% away from the reference price", "price_band"),
        ("Order value too large. Max is $5000000.", "max_notional"),
        ("Order was never placed, already canceled, or filled. asset=173", "not_live"),
        ("User or API Wallet 0x281abb829ea0b0291ce0 does not exist.", "unknown_signer"),
        ("L1 error: User or API Wallet 0x281abb829ea0b0291ce0 does not exist.", "unknown_signer"),
        ("Must deposit before performing actions. User: 0xe7c2", "must_deposit"),
        ("Invalid nonce: duplicate nonce 1788779861589", "duplicate_nonce"),
        ("Action already expired", "expired"),
        ("Cannot switch leverage type with open position.", "margin_kind"),
    ],
)
def test_texts_of_the_venue(text: str, code: str) -> None:
    assert understand(text).code == code
