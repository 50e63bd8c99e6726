"""Which addresses may be talked to at all."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ..errors import GuardRefused, UsageError

# grpc is encrypted unless it stays on this machine (grpc.py).
_ENCRYPTED = {"https": True, "http": False, "wss": True, "ws": False, "grpc": True}


def check_url(url: str, *, schemes: tuple[str, str]) -> str:
    """`url` itself. schemes: which are meant, as ("https", "http") or ("wss", "ws").

    Raises UsageError for what is no such address or holds a user name or password; GuardRefused for an unencrypted one
    that leaves this machine.
    """
    if not url.isascii() or not url.isprintable() or any(character in url for character in ' \\"<>`'):
        raise UsageError("an address must be plain ASCII without spaces")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"not an address: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise UsageError("an address must not hold a user name or password")
    if parts.scheme not in schemes or not host:
        raise UsageError(f"not an address of the kind {schemes[0]}://host: {url[:100]}")
    if not _ENCRYPTED[parts.scheme] and not is_loopback(host):
        raise GuardRefused(
            f"unencrypted {parts.scheme} to {host} is refused", hint=f"{parts.scheme} is for this machine only"
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether the name is of this very machine, without asking anybody."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
