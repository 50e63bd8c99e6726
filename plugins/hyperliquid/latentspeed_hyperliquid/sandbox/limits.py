"""Nonces and rate limits. Every figure of the venue is multiplied by the scenario's factor; None means no limit."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from . import texts
from .numbers import E6, dollars
from .state import Account

if TYPE_CHECKING:
    from .world import World

DAY_MS = 86_400_000
KEPT_NONCES = 100
IP_WEIGHT = 1_200
MINUTE_NS = 60_000_000_000
BASE_REQUESTS = 10_000
CANCEL_EXTRA = 100_000
PACE_MS = 10_000
EXPIRED_COST = 5

WS_CONNECTIONS = 10
WS_NEW_CONNECTIONS = 30
WS_SUBSCRIPTIONS = 1_000
WS_USERS = 15
WS_MESSAGES = 2_000
WS_POSTS = 100


def admit_nonce(world: World, signer: str, nonce: int) -> str | None:
    """Use up a nonce; the text of the refusal when it may not be used.

    It must lie between two days ago and a day ahead, be new, and exceed the smallest of the signer's 100 highest.
    """
    low, high = world.now_ms - 2 * DAY_MS, world.now_ms + DAY_MS
    if nonce <= low:
        return texts.NONCE_LOW.format(nonce=nonce, bound=low)
    if nonce >= high:
        return texts.NONCE_HIGH.format(nonce=nonce, bound=high)
    used = world.nonces.setdefault(signer, [])
    if used and (nonce == used[-1] or (nonce < used[-1] and nonce in used)):
        return texts.NONCE_DUPLICATE.format(nonce=nonce)
    if len(used) >= KEPT_NONCES and nonce < used[0]:
        return texts.NONCE_LOW.format(nonce=nonce, bound=used[0])
    if not used or nonce > used[-1]:
        used.append(nonce)
    else:
        insort(used, nonce)
    if len(used) > KEPT_NONCES:
        del used[0]
    world.touch_nonces(signer)
    return None


def request_cap(world: World, account: Account) -> int:
    """How many actions an address may have sent since inception."""
    factor = world.scenario.limits_factor or 1
    return BASE_REQUESTS * factor + account.volume // E6 + account.reserved


def count_actions(world: World, account: Account, items: int, *, is_cancel: bool, expired: bool = False) -> str | None:
    """Count an action of `items` against its address; the refusal's text when the allowance is used up.

    With nothing left, one action per 10 s is let through; refusals cost nothing.
    """
    cost = items * (EXPIRED_COST if expired else 1)
    cap = request_cap(world, account)
    allowance = min(cap + CANCEL_EXTRA, 2 * cap) if is_cancel else cap
    if world.scenario.limits_factor is not None and account.requests + cost > allowance and not expired:
        if world.now_ms - account.last_paid_ms < PACE_MS:
            return texts.ADDRESS_LIMIT.format(
                used=account.requests + cost, cap=cap, volume=dollars(account.volume).removesuffix(".0")
            )
        account.last_paid_ms = world.now_ms
    account.requests += cost
    world.touch(account)
    return None


class Window:
    """Counts per peer within the running minute."""

    def __init__(self, per_minute: int, factor: int | None) -> None:
        self.limit = None if factor is None else per_minute * factor
        self._minute = 0
        self._used: dict[str, int] = {}

    def admit(self, peer: str, amount: int, now_ns: int) -> bool:
        """Count amount for a peer; False, and nothing counted, when the minute's limit is reached."""
        minute = now_ns // MINUTE_NS
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        used = self._used.get(peer, 0)
        if self.limit is not None and used + amount > self.limit:
            return False
        self._used[peer] = used + amount
        return True

    def charge(self, peer: str, amount: int) -> None:
        """Count what became known only after the answer was made (rows returned)."""
        self._used[peer] = self._used.get(peer, 0) + amount
