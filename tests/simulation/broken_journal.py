"""Bugs in the journal and in what follows from its facts."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from latentspeed_cli.core.nonce import next_nonce
from latentspeed_cli.core.reports import Report
from latentspeed_cli.core.types import OrderState

MOMENT_S = 0.001
NS_PER_S, MS_PER_S = 1_000_000_000, 1_000
_NONE: frozenset[Any] = frozenset()


def skip_the_sync(connect: Any) -> Any:
    """For the journal's connect."""

    def fast(path: Any, **more: Any) -> Any:
        return connect(path, **{**more, "synchronous": "OFF"})

    return fast


class _Later(Exception):
    pass


def write_intents_later(begin: Any) -> Any:
    """For Journal.begin: what is to be written is computed, and written in the background."""

    def prompt(self: Any, drafts: Any) -> Any:
        begun: list[Any] = []
        try:
            with self._writing("writing an intent"):
                begun += [self._begin(draft) for draft in drafts]
                raise _Later
        except _Later:
            asyncio.get_running_loop().call_later(MOMENT_S, begin, self, drafts)
        return begun

    return prompt


def write_first_cancels_only(begin_cancel: Any) -> Any:
    """For Journal.begin_cancel: of orders that end with a block (whose cancels bear no nonce), one in all."""

    def forgetful(self: Any, order: Any, **more: Any) -> Any:
        if order.good_til_block is None or not any(fact.kind == "cancel_intent" for fact in self.facts()):
            return begin_cancel(self, order, **more)
        return 1, 1

    return forgetful


class _AsIfFailed:
    """Tables in which the order that another run has just written is one that never landed."""

    def __init__(self, tables: Any) -> None:
        self._tables = tables

    def order(self, client_order_id: str) -> Any:
        order = self._tables.order(client_order_id)
        if order is None:
            return None
        return msgspec.structs.replace(order, facts=msgspec.structs.replace(order.facts, failed=order.facts.attempts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)


def check_ids_outside_the_transaction(begin: Any) -> Any:
    """For Journal._begin: what was looked up a moment earlier is believed."""

    def trusting(self: Any, draft: Any) -> Any:
        begun = begin(self, draft)
        if begun.fresh or begun.conflict:
            return begun
        tables, self._tables = self._tables, _AsIfFailed(self._tables)
        try:
            order = msgspec.structs.replace(draft.order, attempt=begun.order.attempt)
            return begin(self, msgspec.structs.replace(draft, order=order))
        finally:
            self._tables = tables

    return trusting


def look_up_no_ids(replay: Any) -> Any:
    """For Placer._replay_from_journal."""

    async def forgetful(self: Any, ticket: Any) -> None:
        return None

    return forgetful


def forget_exchange_ids(begin: Any) -> Any:
    """For Journal._begin: another order of the same id at the venue is not noticed."""

    def forgetful(self: Any, draft: Any) -> Any:
        order = msgspec.structs.replace(draft.order, exchange_order_id=None)
        return begin(self, msgspec.structs.replace(draft, order=order))

    return forgetful


def count_nonces_alone(give: Any) -> Any:
    """For Journal._next_nonce: what other runs have used is not asked."""

    def alone(self: Any, signer: str, sequence: Any, now_ns: int) -> Any:
        if sequence is not None:
            return give(self, signer, sequence, now_ns)
        mine: dict[str, int] = self.__dict__.setdefault("mine", {})
        mine[signer] = next_nonce(mine.get(signer), now_ns // NS_PER_S * MS_PER_S)
        return mine[signer], None

    return alone


def remember_the_end(find_end: Any) -> Any:
    """For Journal._find_end: what other runs have written since is not looked at."""

    def stubborn(self: Any) -> None:
        if not self._seq:
            find_end(self)

    return stubborn


# Facts


def count_a_fill_twice(join_fills: Any) -> Any:
    """For order_state._join_fills."""

    def double(a: Any, b: Any) -> Any:
        fills, executed, disagree = join_fills(a, b)
        return fills, executed + sum(fill.amount for fill_id, fill in b.fills.items() if fill_id in a.fills), disagree

    return double


def tell_fills_by_price_and_size(join_fills: Any) -> Any:
    """For order_state._join_fills: a fill like one that is known is that one."""
    return _tell_fills_by(join_fills, lambda fill: (fill.price, fill.amount))


def tell_fills_by_their_time(join_fills: Any) -> Any:
    """For order_state._join_fills: of one moment there is one fill."""
    return _tell_fills_by(join_fills, lambda fill: fill.ts_ns)


def _tell_fills_by(join_fills: Any, key: Any) -> Any:
    def merged(a: Any, b: Any) -> Any:
        known = {key(fill): fill_id for fill_id, fill in a.fills.items()}
        new = {fill_id: fill for fill_id, fill in b.fills.items() if known.setdefault(key(fill), fill_id) == fill_id}
        return join_fills(a, msgspec.structs.replace(b, fills=new))

    return merged


def know_a_fill_by_its_trade(trade_update: Any) -> Any:
    """For Hyperliquid's trade_update."""

    def short(fill: Any, *more: Any) -> Any:
        return msgspec.structs.replace(trade_update(fill, *more), fill_id=str(fill.tid))

    return short


def let_a_fill_reopen(state_of: Any) -> Any:
    """For in_flight_order's state_of."""

    def reopened(facts: Any, amount: Any, *, is_ioc: bool) -> Any:
        if facts.cancelled and 0 < facts.executed < amount:
            return OrderState.PARTIALLY_FILLED
        return state_of(facts, amount, is_ioc=is_ioc)

    return reopened


def call_an_ended_ioc_filled(state_of: Any) -> Any:
    """For in_flight_order's state_of."""

    def filled(facts: Any, amount: Any, *, is_ioc: bool) -> Any:
        if is_ioc and facts.executed:
            return OrderState.FILLED
        return state_of(facts, amount, is_ioc=is_ioc)

    return filled


def drop_the_evidence(facts_in_report: Any) -> Any:
    """For order_state._facts_in_report."""

    def bare(news: Any) -> Any:
        facts = facts_in_report(news)
        return msgspec.structs.replace(facts, evidence=_NONE) if news.report is Report.FAILED else facts

    return bare
