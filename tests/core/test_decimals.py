"""Text to number and back, strictly; rounding to a step, exactly."""

from __future__ import annotations

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.decimals import EXACT, is_multiple, parse, plain, round_down, round_up, significant

VALUES = st.decimals(min_value=-(10**20), max_value=10**20, places=12)
STEPS = st.sampled_from([Decimal(text) for text in ("1", "0.1", "0.00001", "0.5", "10", "0.025", "1E-8", "3")])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("-0.5", "-0.5"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e-3", "0.001"),
        ("1E3", "1000"),
        ("0", "0"),
        ("-0", "0"),
        ("0" * 30 + "1", "1"),
        ("9" * 40, "9" * 40),
        ("0." + "0" * 38 + "1", "0." + "0" * 38 + "1"),
    ],
)
def test_numbers(text: str, value: str) -> None:
    assert plain(parse(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        "NaN",
        "nan",
        "sNaN",
        "Infinity",
        "-inf",
        "1e400",
        "1e9999",
        "9" * 60,
        "9" * 41,
        "0." + "0" * 39 + "1",
        "1,5",
        "1_000",
        "0x10",
        "\uff11\uff12",
        "\u0661",
        "1.2.3",
        "--1",
        "1e",
        "e5",
        ".",
        "+",
        "1\n",
        "1\x00",
        "½",
        "9" * 1_000_000,
    ],
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert len(str(caught.value)) < 400


@given(value=VALUES)
def test_plain_text_reads_back(value: Decimal) -> None:
    text = plain(value)
    assert parse(text) == value
    assert "E" not in text
    assert "." not in text or not text.endswith(("0", "."))


def test_plain_has_no_negative_zero_and_no_exponent() -> None:
    assert [plain(Decimal(text)) for text in ("-0.00", "1E+3", "1E-7", "100", "1.10")] == [
        "0",
        "1000",
        "0.0000001",
        "100",
        "1.1",
    ]


@given(value=VALUES, step=STEPS)
def test_rounding_brackets_the_value_on_the_grid(value: Decimal, step: Decimal) -> None:
    below, above = round_down(value, step), round_up(value, step)
    assert is_multiple(below, step)
    assert is_multiple(above, step)
    assert below <= value <= above
    assert above - below == (0 if is_multiple(value, step) else step)
    assert round_down(below, step) == below
    assert round_up(above, step) == above


def test_rounding_is_exact_beyond_the_default_precision() -> None:
    value = parse("1234567890123456789012345678901.99999999")
    assert plain(round_down(value, Decimal(1))) == "1234567890123456789012345678901"
    assert plain(round_up(value, Decimal(1))) == "1234567890123456789012345678902"


@pytest.mark.parametrize(
    ("text", "figures"), [("0", 0), ("1200", 2), ("0.0120", 2), ("79449.2", 6), ("1E+5", 1), ("10.01", 4)]
)
def test_significant_figures(text: str, figures: int) -> None:
    assert significant(Decimal(text)) == figures


def test_exact_arithmetic_raises_where_it_would_have_to_round() -> None:
    with pytest.raises(Inexact):
        EXACT.divide(Decimal(1), Decimal(3))
