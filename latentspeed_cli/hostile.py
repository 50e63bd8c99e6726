"""Text that could fool a reader or give a key away: recognised on the way in, escaped on the way out.

Imports nothing of weight: every run looks at its own command line with this before anything else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import OrderRefused, UsageError

MAX_ARGUMENT = 64 * 1024
# Letters that print as nothing; everything else invisible is not printable for Python either.
_BLANK = re.compile("[\u034f\u115f\u1160\u2800\u3164\uffa0]")
# A private key, whole or a little damaged: 60 and more hexadecimal digits. A client id has 32, an address 40; a decimal
# number of up to 63 digits is a number.
_HEX_KEY = re.compile(r"(?![0-9]{60,63}(?![0-9a-fA-F]))[0-9a-fA-F]{60,}")
_WORD = re.compile(r"[a-z]{3,8}", re.ASCII)
_MNEMONIC = 12


def is_plain(text: str) -> bool:
    """Whether every character shows itself: no control, bidi or zero-width character."""
    return text.isprintable() and _BLANK.search(text) is None


def escape(text: str) -> str:
    """`text` with every character that does not show itself spelled as \\uXXXX."""
    if is_plain(text):
        return text
    return "".join(char if is_plain(char) else _spelled(char) for char in text)


def _spelled(char: str) -> str:
    """One character as JSON spells it: \\uXXXX, twice for those beyond 16 bits."""
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def redact(text: str) -> str:
    """`text` without anything that looks like a private key or a signature."""
    return _HEX_KEY.sub("(hidden)", text)


def looks_like_key(text: str) -> bool:
    """Whether `text` holds a private key or is a mnemonic."""
    if _HEX_KEY.search(text):
        return True
    words = text.split()
    return len(words) >= _MNEMONIC and all(map(_WORD.fullmatch, words))


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse a command line that no verb should see. Nothing of it is repeated in the message.

    Raises UsageError (2) for bytes that are no text and for what looks like a key, OrderRefused (3) for characters that
    do not show themselves and for huge arguments.
    """
    run = 0
    for argument in arguments:
        if any("\udc80" <= char <= "\udcff" for char in argument):
            raise UsageError("an argument is not valid UTF-8")
        run = run + 1 if _WORD.fullmatch(argument) else 0
        if len(argument) <= MAX_ARGUMENT and (looks_like_key(argument) or run >= _MNEMONIC):
            raise UsageError(
                "an argument looks like a private key or a mnemonic; it is not used and not shown here",
                hint="your shell's history may hold it now; keys come from a file or the environment",
            )
    for argument in arguments:
        if len(argument) > MAX_ARGUMENT:
            raise OrderRefused(f"an argument is {len(argument):,} characters long")
        if not is_plain(argument):
            raise OrderRefused("an argument holds control, bidirectional or zero-width characters")
