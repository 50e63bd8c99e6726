"""Every code that the sheet's section 9 lists means one thing for a placement and one for a cancel."""

from __future__ import annotations

import pytest
from latentspeed_dydx_v4.refusals import Meaning, error_of, meaning
from latentspeed_dydx_v4.tx import TxResponse

from latentspeed_cli.errors import (
    AttemptRefused,
    AuthRejected,
    LatentspeedError,
    NonceRefused,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)

FINAL_CLOB = (2, 3, 4, 5, 6, 8, 12, 29, 34, 44, 45, 48, 49, 50, 2001, 2003, 2005, 3000, 3001, 3002, 3003, 3004)
MORE_FINAL_CLOB = (3007, 6000, 6001, 9003, 10001, 11000, 11001, 11002, 11003, 11004)


def said(name: str, text: str = "words of the node") -> TxResponse:
    codespace, code = name.split()
    return TxResponse(code=int(code), codespace=codespace, raw_log=text, hash="AB", height=0)


def outcome(
    name: str, *, cancels: bool = False, text: str = "words of the node", number: int = 4567
) -> LatentspeedError:
    found = said(name, text)
    return error_of(found, meaning(found, cancels=cancels, account_number=number))


@pytest.mark.parametrize("code", [*FINAL_CLOB, *MORE_FINAL_CLOB])
def test_what_is_wrong_or_not_allowed_is_rejected_in_the_venue_s_words(code: int) -> None:
    error = outcome(f"clob {code}")
    assert type(error) is OrderRejected
    assert (error.exit_code, error.venue_code) == (4, f"clob {code}")
    assert "words of the node" in str(error)


@pytest.mark.parametrize(
    ("name", "kind", "exit_code"),
    [
        ("clob 10", AttemptRefused, 4),
        ("clob 11", AttemptRefused, 4),
        ("clob 47", AttemptRefused, 4),
        ("sdk 30", AttemptRefused, 4),
        ("sdk 20", RateLimited, 9),
        ("clob 5001", RateLimited, 9),
        ("sdk 32", NonceRefused, 5),
        ("sdk 19", OutcomeUnknown, 5),
        ("clob 20", OutcomeUnknown, 5),
        ("clob 24", OutcomeUnknown, 5),
        ("clob 2004", OutcomeUnknown, 5),
        ("clob 3005", OutcomeUnknown, 5),
        ("clob 3008", OutcomeUnknown, 5),
        ("clob 3009", OutcomeUnknown, 5),
        ("undefined 111222", OutcomeUnknown, 5),
        ("sdk 4", AuthRejected, 7),
        ("sdk 8", AuthRejected, 7),
        ("sdk 9", AuthRejected, 7),
        ("dydxaccountplus 104", AuthRejected, 7),
        ("sdk 2", OrderRejected, 4),
        ("sdk 18", OrderRejected, 4),
        ("clob 7", OrderRejected, 4),
        ("subaccounts 102", OrderRejected, 4),
        ("undefined 1", OrderRejected, 4),
        ("newmodule 7", OrderRejected, 4),
    ],
)
def test_what_a_code_means_for_a_placement(name: str, kind: type[LatentspeedError], exit_code: int) -> None:
    error = outcome(name)
    assert type(error) is kind
    assert (error.exit_code, error.venue_code) == (exit_code, name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clob 9", Meaning.STANDS),
        ("clob 32", Meaning.STANDS),
        ("clob 10", Meaning.GONE),
        ("clob 3006", Meaning.GONE),
        ("clob 3010", Meaning.GONE),
        ("sdk 32", Meaning.NONCE),
        ("sdk 19", Meaning.STANDS),
        ("clob 29", Meaning.FINAL),
    ],
)
def test_what_a_code_means_for_a_cancel(name: str, expected: Meaning) -> None:
    assert meaning(said(name), cancels=True, account_number=4567) is expected


def test_a_signature_that_a_restarted_node_cannot_check_is_a_matter_of_time() -> None:
    text = "signature verification failed; please verify account number (0) and chain-id (dydx-mainnet-1)"
    assert isinstance(outcome("sdk 4", text=text), AttemptRefused)
    assert isinstance(outcome("sdk 4", text=text, number=0), AuthRejected), "then it is the right number"


@pytest.mark.parametrize("name", ["sdk 19", "sdk 20", "sdk 21"])
def test_codes_without_words_get_some(name: str) -> None:
    assert len(str(outcome(name, text=""))) > len("the node refused: ")


def test_words_of_a_node_are_bounded() -> None:
    assert len(str(outcome("clob 12", text="x" * 100_000))) < 500
