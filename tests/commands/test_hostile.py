"""What could fool a reader is escaped, what looks like a key is refused and never repeated."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.errors import OrderRefused, UsageError
from latentspeed_cli.hostile import check_arguments, escape, is_plain, looks_like_key, redact

KEY = "0x" + "ab" * 32
WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"


@pytest.mark.parametrize("text", [KEY, KEY[2:], f"--key={KEY}", f"env:{KEY}", "a" * 62, WORDS, f" {WORDS}\n"])
def test_keys_are_recognised(text: str) -> None:
    assert looks_like_key(text)
    with pytest.raises(UsageError) as caught:
        check_arguments(["place", text])
    assert text.strip() not in str(caught.value) + str(caught.value.hint)


def test_a_mnemonic_over_many_arguments_is_recognised() -> None:
    with pytest.raises(UsageError):
        check_arguments(["place", *WORDS.split()])


@pytest.mark.parametrize(
    "text", ["ab" * 16, "0x" + "ab" * 20, "BTC-USD", "mid-0.2%", "a" * 40, "one two three", "/tmp/orders.ndjson"]
)
def test_ordinary_words_pass(text: str) -> None:
    check_arguments(["place", text])


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\n", "\u202e", "\u200b", "\ufeff", "\u2066", "\u3164", "\U000e0041"])
def test_characters_that_do_not_show_are_refused(char: str) -> None:
    with pytest.raises(OrderRefused):
        check_arguments(["place", f"BTC{char}-USD"])


def test_bytes_that_are_no_text_and_huge_arguments_are_refused() -> None:
    with pytest.raises(UsageError):
        check_arguments(["place", b"BTC\xff".decode("utf-8", "surrogateescape")])
    with pytest.raises(OrderRefused):
        check_arguments(["place", "x" * 1024 * 1024])


@given(st.text(st.characters(codec="utf-8")))
def test_escaped_text_shows_itself_and_is_still_the_same_json(text: str) -> None:
    escaped = escape(text)
    assert is_plain(escaped)
    if "\\" not in text and '"' not in text:
        assert json.loads(f'"{escaped}"') == text


def test_reports_hide_keys() -> None:
    assert KEY[2:] not in redact(f"x {KEY} y")
