"""Private streams of one account: order news, fills, and account events. No key is needed, only the address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import msgspec

from latentspeed_cli.connector import answers
from latentspeed_cli.connector.streams import Channel, Heartbeat, SnapshotEnd, Subscription
from latentspeed_cli.core.account import Balance, Liquidation, Position
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.errors import CredentialError, OrderRefused, ProtocolError

from . import decode, decode_orders
from .config import HyperliquidConfig, parse_address
from .payloads import (
    ClearinghouseData,
    ClearinghouseState,
    Fill,
    LedgerData,
    LiquidationEvent,
    NonUserCancel,
    OrderRecord,
    SpotData,
    UserEventData,
    UserFillsData,
)
from .streams import FrameSource, subscription
from .web_utils import HyperliquidWebUtils

_KINDS = {
    Channel.ORDERS: ("orderUpdates",),
    Channel.FILLS: ("userFills",),
    Channel.EVENTS: ("userEvents", "userNonFundingLedgerUpdates"),
    Channel.POSITIONS: ("clearinghouseState",),
    Channel.BALANCES: ("clearinghouseState", "spotState"),
}


class HyperliquidUserStreamDataSource(FrameSource):
    """One account to a connection: order news and events do not say whose they are.

    The first frame of fills after an acknowledgement is a snapshot and is followed by SnapshotEnd; order news and
    events have none. Fills may come twice, through fills and events, and again after a reconnect: their ids are equal.
    Positions and balances come as the whole account now and then; what did not change is not told again.
    """

    def __init__(self, config: HyperliquidConfig, symbols: SymbolMap) -> None:
        account = account_of(config)
        if account is None:
            raise CredentialError(
                "a private stream needs an account, and none is configured", hint="set the profile's account or key"
            )
        self.url = HyperliquidWebUtils(config).ws_url
        self.account = account
        self._symbols = symbols
        self._wanted: frozenset[Channel] = frozenset()
        self._positions: dict[str, Position] = {}
        self._balances: dict[str, Balance] = {}

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        """The venue streams the whole account; trading_pairs only have to exist."""
        for trading_pair in trading_pairs:
            self._symbols.find(trading_pair)
        wanted: dict[str, Subscription] = {}
        for channel in channels:
            if channel not in _KINDS:
                raise OrderRefused(f"{channel.value} is not a private stream of this venue")
            for kind in _KINDS[channel]:
                asked = subscription(channel, None, kind, user=self.account)
                wanted.setdefault(asked.key, asked)
        self._wanted = frozenset(channels)
        return tuple(wanted.values())

    def items(self, channel: str, data: msgspec.Raw, received_ns: int) -> Iterator[object]:
        match channel:
            case "orderUpdates":
                yield from answers.each(answers.shape(data, list[msgspec.Raw]), self._order)
            case "userFills":
                said: UserFillsData = answers.shape(data, UserFillsData)
                self._check(said.user, data)
                yield from self._fills(said.fills, received_ns)
                if said.is_snapshot:
                    yield SnapshotEnd(Channel.FILLS)
            case "user":  # userEvents answers on a channel of another name
                yield from self._events(answers.shape(data, UserEventData), received_ns)
            case "userNonFundingLedgerUpdates":
                ledger: LedgerData = answers.shape(data, LedgerData)
                self._check(ledger.user, data)
                if not ledger.is_snapshot:
                    yield from decode.transfers(ledger.non_funding_ledger_updates, self.account)
            case "clearinghouseState":
                state: ClearinghouseData = answers.shape(data, ClearinghouseData)
                self._check(state.user, data)
                yield from self._account(state.clearinghouse_state, received_ns)
            case "spotState":
                spot: SpotData = answers.shape(data, SpotData)
                self._check(spot.user, data)
                yield from self._changed_balances(decode.spot_balances(spot.spot_state), received_ns)
            case _:
                raise ProtocolError(f"a frame of the unknown channel {channel!r}", payload=bytes(data))

    def _check(self, user: str, data: msgspec.Raw) -> None:
        """Raise ProtocolError for news of somebody else."""
        if user.lower() != self.account:
            raise ProtocolError(f"news of another account, {user}", payload=bytes(data))

    def _account(self, state: ClearinghouseState, received_ns: int) -> Iterator[object]:
        """What changed since the last look. A position that is gone is told once more, with nothing in it."""
        ts_ns = state.time * decode.NS_PER_MS or received_ns
        if Channel.POSITIONS in self._wanted:
            found = {one.trading_pair: one for one in decode.positions(state, self._symbols)}
            gone = [one for pair, one in self._positions.items() if pair not in found]
            changed = [one for pair, one in found.items() if self._positions.get(pair) != one]
            self._positions = found
            for one in (*(one.closed() for one in gone), *changed):
                yield msgspec.structs.replace(one, ts_ns=ts_ns)
        if Channel.BALANCES in self._wanted:
            yield from self._changed_balances([decode.collateral(state)], ts_ns)

    def _changed_balances(self, balances: Iterable[Balance], ts_ns: int) -> Iterator[Balance]:
        for one in balances:
            if self._balances.get(one.currency) != one:
                self._balances[one.currency] = one
                yield msgspec.structs.replace(one, ts_ns=ts_ns)

    def _order(self, row: msgspec.Raw) -> OrderUpdate:
        return decode_orders.order_update(answers.shape(row, OrderRecord), self._symbols)

    def _fill(self, received_ns: int, row: msgspec.Raw) -> TradeUpdate:
        return decode_orders.trade_update(answers.shape(row, Fill), self._symbols, received_ns)

    def _fills(self, rows: Sequence[msgspec.Raw], received_ns: int) -> Iterator[TradeUpdate]:
        return answers.each(rows, partial(self._fill, received_ns))

    def _events(self, said: UserEventData, received_ns: int) -> Iterator[object]:
        symbols = self._symbols
        if said.fills is not None:
            yield from self._fills(said.fills, received_ns)
        elif said.funding is not None:
            yield decode.funding_payment(said.funding, said.funding.time, symbols)
        elif said.liquidation is not None:
            yield self._liquidation(said.liquidation, received_ns)
        elif said.non_user_cancel is not None:
            for row in said.non_user_cancel:
                yield self._cancelled(row, received_ns)
        elif said.twap_slice_fills is not None:
            for slice_ in said.twap_slice_fills:
                yield decode_orders.trade_update(slice_.fill, symbols, received_ns)
        else:
            yield Heartbeat()  # a kind of event that concerns nothing we keep

    def _liquidation(self, said: LiquidationEvent, received_ns: int) -> Liquidation:
        return Liquidation(
            account=said.liquidated_user.lower(),
            ts_ns=received_ns,
            kind="liquidation",
            trading_pair=None,
            liquidator=said.liquidator,
            notional=answers.number(said.liquidated_ntl_pos),
            account_value=answers.number(said.liquidated_account_value),
        )

    def _cancelled(self, row: NonUserCancel, received_ns: int) -> OrderUpdate:
        """The venue ended an order by itself. The event carries no time and no cause."""
        reason = "nonUserCancel"
        return OrderUpdate(
            report=Report.CANCELLED,
            trading_pair=decode.pair_of(row.coin, self._symbols),
            ts_ns=received_ns,
            exchange_order_id=str(row.oid),
            reason=reason,
            venue_code=reason,
            evidence=Evidence(kind="venue_status", ts_ns=received_ns, detail=reason),
        )


def account_of(config: HyperliquidConfig) -> str | None:
    """The address whose orders and positions are meant: the vault, else the account, else the key's own; or None.

    Never an agent's address when an account is configured: the venue answers an agent's address with an empty account.
    """
    if config.vault is not None:
        return parse_address(config.vault)
    if config.account is not None:
        return parse_address(config.account)
    if config.key is not None:
        from .auth import HyperliquidAuth  # the signer is paid for only when the address must be derived

        return HyperliquidAuth(config).account
    return None
