"""HyperliquidPerpetual: every conversation with the venue as a flow. No await, no socket, no clock."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from latentspeed_cli.connector import answers
from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.connector.venue import FenceVerdict, Markets
from latentspeed_cli.core.account import AccountState, Allowance, FundingPayment
from latentspeed_cli.core.flow import Flow, Reply, Request
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.market_data import Candle, FundingRate, MarketContext, OrderBookSnapshot, PublicTrade
from latentspeed_cli.core.reports import OrderUpdate, TradeUpdate
from latentspeed_cli.core.symbols import Market
from latentspeed_cli.core.types import OrderType, TimeInForce
from latentspeed_cli.errors import AuthRejected, CredentialError, OrderRefused, ProtocolError

from . import decode, decode_orders, encode, markets, payloads
from .constants import CANDLE_INTERVALS, CANDLES_PAGE, FILLS_PAGE, FUNDING_PAGE, MAX_PAGES, VENUE
from .payloads import (
    ActiveAssetData,
    AllPerpMetas,
    Book,
    CandleRow,
    ClearinghouseState,
    ExchangeStatus,
    FundingRow,
    Meta,
    MetaAndContexts,
    OrderRecord,
    OrderRow,
    OrderStatusReply,
    SpotMeta,
    SpotState,
    Trade,
    UserRateLimit,
    UserRole,
)
from .web_utils import HyperliquidWebUtils

if TYPE_CHECKING:
    from .auth import HyperliquidAuth

NS_PER_MS = decode.NS_PER_MS
# Order kinds whose size, once filled, may have been cut off by the book: only their fills tell how much was executed.
_IMMEDIATE_TIFS = frozenset({"Ioc", "FrontendMarket", "LiquidationMarket"})


class HyperliquidPerpetual(PerpetualDerivativeBase):
    """Perpetual markets of Hyperliquid's own dex.

    Reads need an account's address, never a key. Changes are signed by `auth` for its account, or for its vault.
    """

    auth: HyperliquidAuth | None
    web_utils: HyperliquidWebUtils
    takes_any_key = True  # a signature names no account: it is the signer's own, or that whose agent it is

    # Ids and rules

    def venue_client_id(self, client_order_id: str, *, network: str, account: str) -> str:
        return encode.cloid(client_order_id, network=network, account=account)

    def check_supported(self, intent: OrderIntent) -> None:
        if intent.order_type not in (OrderType.LIMIT, OrderType.MARKET) or intent.trigger_price is not None:
            raise OrderRefused(f"{intent.order_type.value} orders are not offered on {VENUE} yet")
        if intent.tif not in (TimeInForce.GTC, TimeInForce.IOC) or intent.expire_s is not None:
            raise OrderRefused(
                f"{VENUE} has no {intent.tif.value} orders"
                if intent.expire_s is None
                else f"{VENUE} orders do not expire",
                hint="use gtc or ioc",
            )
        if intent.post_only and (intent.order_type is OrderType.MARKET or intent.tif is TimeInForce.IOC):
            raise OrderRefused("a post-only order rests; it cannot be immediate")

    # Reads, no key needed

    def markets_flow(self) -> Flow[Markets]:
        """The perpetuals alone: one request, enough for every order."""
        meta: Meta = yield from self._info(Meta, "meta")
        return markets.markets(markets.perp_markets(meta))

    def all_markets_flow(self) -> Flow[Markets]:
        """Spot and builder markets too, each with the reason why it is not traded. Three requests, for listings."""
        meta: Meta = yield from self._info(Meta, "meta")
        spot: SpotMeta = yield from self._info(SpotMeta, "spotMeta")
        metas: tuple[Meta, ...] = yield from self._info(AllPerpMetas, "allPerpMetas")
        return markets.markets(
            (*markets.perp_markets(meta), *markets.spot_markets(spot), *markets.builder_markets(metas))
        )

    def book_flow(self, trading_pair: str) -> Flow[OrderBookSnapshot]:
        coin = self._market(trading_pair).symbol
        data: Book | None = yield from self._info(Book | None, "l2Book", coin=coin)
        if data is None:
            raise OrderRefused(f"the venue has no market {coin!r}")
        return decode.book(data, self.symbols)

    def context_flow(self, trading_pairs: Sequence[str]) -> Flow[tuple[MarketContext, ...]]:
        reply = yield self.web_utils.info("metaAndAssetCtxs")
        meta, rows = answers.shape(self.web_utils.check(reply, changes=False), MetaAndContexts)
        if len(meta.universe) != len(rows):
            raise ProtocolError("the venue's contexts do not fit its markets", payload=reply.body)
        by_coin = {asset.name: row for asset, row in zip(meta.universe, rows, strict=True)}
        found = []
        for trading_pair in trading_pairs:
            row = by_coin.get(self._market(trading_pair).symbol)
            if row is None:
                raise OrderRefused(f"the venue has no market {trading_pair}")
            found.append(decode.context(trading_pair, row, reply.received_ns))
        return tuple(found)

    def trades_flow(self, trading_pair: str) -> Flow[tuple[PublicTrade, ...]]:
        """The latest, oldest first: the venue's own order is not documented."""
        rows: list[Trade] = yield from self._info(list[Trade], "recentTrades", coin=self._market(trading_pair).symbol)
        rows.sort(key=lambda row: row.time)
        return tuple(decode.public_trade(row, self.symbols) for row in rows)

    def candles_flow(self, trading_pair: str, interval: str, start_ns: int, end_ns: int) -> Flow[tuple[Candle, ...]]:
        """Oldest first. The row that holds start_ns is included, the last may still be forming."""
        if interval not in CANDLE_INTERVALS:
            raise OrderRefused(f"no candles of {interval!r}", hint="one of: " + " ".join(CANDLE_INTERVALS))
        coin, start, end = self._market(trading_pair).symbol, start_ns // NS_PER_MS, end_ns // NS_PER_MS
        found: dict[int, Candle] = {}
        for _ in range(MAX_PAGES):
            asked = {"coin": coin, "interval": interval, "startTime": start, "endTime": end}
            rows: list[CandleRow] = yield from self._info(list[CandleRow], "candleSnapshot", req=asked)
            new = [row for row in rows if row.open_time not in found]
            found.update((row.open_time, decode.candle(row, self.symbols)) for row in new)
            if len(rows) < CANDLES_PAGE or not new or max(row.close_time for row in rows) >= end:
                break
            start = max(row.open_time for row in rows)
        return tuple(found[time] for time in sorted(found))

    def funding_rates_flow(self, trading_pair: str, start_ns: int, end_ns: int) -> Flow[tuple[FundingRate, ...]]:
        """Rows are a few tens of milliseconds after their hour."""
        coin, start, end = self._market(trading_pair).symbol, max(start_ns, 0) // NS_PER_MS, end_ns // NS_PER_MS
        found: dict[int, FundingRate] = {}
        for _ in range(MAX_PAGES):
            rows: list[payloads.FundingRate] = yield from self._info(
                list[payloads.FundingRate], "fundingHistory", coin=coin, startTime=start, endTime=end
            )
            new = [row for row in rows if row.time not in found]
            found.update((row.time, decode.funding_rate(row, self.symbols)) for row in new)
            if len(rows) < FUNDING_PAGE or not new:
                break
            start = max(row.time for row in rows)
        return tuple(found[time] for time in sorted(found))

    def venue_time_flow(self) -> Flow[int]:
        said: ExchangeStatus = yield from self._info(ExchangeStatus, "exchangeStatus")
        return said.time * NS_PER_MS

    # Account reads

    def account_flow(self) -> Flow[AccountState]:
        user = self._user()
        reply = yield self.web_utils.info("clearinghouseState", user=user)
        state = answers.shape(self.web_utils.check(reply, changes=False), ClearinghouseState)
        spot: SpotState = yield from self._info(SpotState, "spotClearinghouseState", user=user)
        return decode.account_state(user, state, spot, self.symbols, reply.received_ns)

    def open_orders_flow(self) -> Flow[tuple[OrderUpdate, ...]]:
        """A row that makes no sense is left out; only when none makes sense is that an error."""
        reply = yield self.web_utils.info("frontendOpenOrders", user=self._user())
        rows: list[msgspec.Raw] = answers.shape(self.web_utils.check(reply, changes=False), list[msgspec.Raw])

        def told(raw: msgspec.Raw) -> OrderUpdate:
            return decode_orders.open_order(answers.shape(raw, OrderRow), self.symbols, reply.received_ns)

        return answers.kept(answers.each(rows, told))

    def ended_orders_flow(self, since_ns: int) -> Flow[tuple[OrderUpdate, ...]]:
        """Of the latest 2,000 rows, which come newest first, one for each status of an order."""
        rows: list[msgspec.Raw] = yield from self._info(list[msgspec.Raw], "historicalOrders", user=self._user())
        found = answers.kept(
            answers.each(rows, lambda raw: decode_orders.order_update(answers.shape(raw, OrderRecord), self.symbols))
        )
        return tuple(update for update in reversed(found) if update.evidence is not None and update.ts_ns >= since_ns)

    def order_status_flow(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        """By the venue's id when it is known, else by cloid.

        The venue calls an immediate order "filled" even when the book held too little; then its fills are read too,
        and their sum goes along.
        """
        oid = order.exchange_order_id
        asked: int | str = order.venue_client_id if oid is None else int(oid)
        said: OrderStatusReply = yield from self._info(OrderStatusReply, "orderStatus", user=self._user(), oid=asked)
        record = said.order
        if record is None:
            if said.status != "unknownOid":
                raise ProtocolError(f"unknown answer to orderStatus: {said.status!r}")
            return ()
        filled = None
        if record.status == "filled":
            filled = yield from self._executed(record, order)
        return (decode_orders.order_update(record, self.symbols, filled=filled),)

    def _executed(self, record: OrderRecord, order: InFlightOrder) -> Flow[Decimal | None]:
        """How much of a finished order was executed: its size, or the sum of its fills for an immediate one and for one
        that only reduces, which the venue cuts to the position.
        """
        row = record.order
        if not (order.is_ioc or row.tif in _IMMEDIATE_TIFS or row.order_type == "Market" or row.reduce_only):
            return answers.number(row.orig_sz or row.sz)
        span = (min(row.timestamp, record.status_timestamp), max(row.timestamp, record.status_timestamp))
        fills = yield from self._fills(span[0] * NS_PER_MS, span[1] * NS_PER_MS, all_make_sense=True)
        oid = str(row.oid)
        return sum((fill.amount for fill in fills if fill.exchange_order_id == oid), Decimal(0)) or None

    def fills_flow(self, since_ns: int, until_ns: int | None = None) -> Flow[tuple[TradeUpdate, ...]]:
        """A row that makes no sense is left out; only when none of a page makes sense is that an error."""
        return (yield from self._fills(since_ns, until_ns))

    def _fills(
        self, since_ns: int, until_ns: int | None, *, all_make_sense: bool = False
    ) -> Flow[tuple[TradeUpdate, ...]]:
        """Both ends are inclusive at the venue: pages overlap by their last millisecond and are joined by fill id.

        all_make_sense: one row that does not is an error, as where they are added up.
        """
        user, start = self._user(), max(since_ns, 0) // NS_PER_MS
        end = {} if until_ns is None else {"endTime": -(-until_ns // NS_PER_MS)}
        found: dict[str, TradeUpdate] = {}
        for _ in range(MAX_PAGES):
            reply = yield self.web_utils.info("userFillsByTime", user=user, startTime=start, **end)
            rows: list[msgspec.Raw] = answers.shape(self.web_utils.check(reply, changes=False), list[msgspec.Raw])
            updates = decode_orders.trade_updates(rows, self.symbols, reply.received_ns)
            page = tuple(updates) if all_make_sense else answers.kept(updates)
            for fill in page:
                found.setdefault(fill.fill_id, fill)
            if len(rows) < FILLS_PAGE:
                return tuple(sorted(found.values(), key=lambda fill: fill.ts_ns))
            last = max(fill.ts_ns for fill in page) // NS_PER_MS
            if last <= start:
                break
            start = last
        raise ProtocolError("the venue's pages of fills do not end")

    def funding_payments_flow(self, start_ns: int, end_ns: int | None = None) -> Flow[tuple[FundingPayment, ...]]:
        """Both ends are inclusive at the venue; pages overlap by their last millisecond."""
        user, start = self._user(), max(start_ns, 0) // NS_PER_MS
        end = {} if end_ns is None else {"endTime": -(-end_ns // NS_PER_MS)}
        found: dict[tuple[int, str], FundingPayment] = {}
        for _ in range(MAX_PAGES):
            rows: list[FundingRow] = yield from self._info(
                list[FundingRow], "userFunding", user=user, startTime=start, **end
            )
            new = [row for row in rows if (row.time, row.delta.coin) not in found]
            found.update(
                ((row.time, row.delta.coin), decode.funding_payment(row.delta, row.time, self.symbols)) for row in new
            )
            if len(rows) < FUNDING_PAGE or not new:
                break
            start = max(row.time for row in rows)
        return tuple(sorted(found.values(), key=lambda payment: (payment.ts_ns, payment.trading_pair)))

    def allowance_flow(self) -> Flow[Allowance]:
        """Of actions since the account began: ten thousand, and one for each USDC traded."""
        said: UserRateLimit = yield from self._info(UserRateLimit, "userRateLimit", user=self._user())
        return Allowance(used=said.n_requests_used, most=said.n_requests_cap, of="the account's actions")

    def identity_flow(self) -> Flow[None]:
        """The key must be the account's own or its agent's, and a sub-account must be the account's.

        Who controls a vault is not asked: the venue refuses a foreign one before it executes anything.
        """
        auth = self._signer()
        said: UserRole = yield from self._info(UserRole, "userRole", user=auth.signer)
        master = said.data.user if said.role == "agent" and said.data is not None else auth.signer
        if master is None or master.lower() != auth.master:
            if said.role == "agent":
                raise AuthRejected(
                    f"the key is an agent of {master}, not of {auth.master}", hint="set the profile's account to it"
                )
            raise AuthRejected(
                f"the key {auth.signer} is no agent of {auth.master}",
                hint="approve it with that account, or correct the profile's account",
            )
        if said.role == "missing":
            raise AuthRejected(f"the venue does not know {auth.signer}", hint="deposit first, or check key and network")
        if auth.vault is None:
            return
        role: UserRole = yield from self._info(UserRole, "userRole", user=auth.vault)
        owner = None if role.data is None else role.data.master
        if role.role == "subAccount" and owner is not None and owner.lower() == auth.master:
            return
        if role.role != "vault":
            raise AuthRejected(f"{auth.vault} is neither a vault nor a sub-account of {auth.master}")

    # Changes

    def place_flow(self, order: InFlightOrder) -> Flow[OrderUpdate]:
        if order.nonce is None or order.expires_after_ms is None:
            raise ValueError("an order is signed with its nonce and its expiry set")
        action = encode.place_action(order, self._tradable(order.trading_pair))
        body = self._signer().sign(action, order.nonce, expires_after=order.expires_after_ms)
        reply = yield self.web_utils.exchange(body)
        return decode_orders.placed(order, self.web_utils.check(reply, changes=True), reply.received_ns)

    def cancel_flow(self, order: InFlightOrder, *, nonce: int, attempt: int) -> Flow[OrderUpdate]:
        action = encode.cancel_action(order, self._market(order.trading_pair))
        reply = yield self.web_utils.exchange(self._signer().sign(action, nonce))
        return decode_orders.cancelled(order, self.web_utils.check(reply, changes=True), reply.received_ns, attempt)

    def fence_flow(self, order: InFlightOrder) -> Flow[FenceVerdict]:
        """A noop with the order's own nonce. Nonces belong to the signer, so no vault is named."""
        if order.nonce is None:
            raise ValueError("only an order that was sent has a nonce to use up")
        reply = yield self.web_utils.exchange(self._signer().sign_without_vault(encode.NOOP, order.nonce))
        return decode_orders.fence_verdict(self.web_utils.check(reply, changes=True))

    def leverage_flow(self, trading_pair: str, leverage: int, *, cross: bool, nonce: int) -> Flow[None]:
        action = encode.leverage_action(self._tradable(trading_pair), leverage, cross=cross)
        reply = yield self.web_utils.exchange(self._signer().sign(action, nonce))
        decode_orders.done(self.web_utils.check(reply, changes=True))

    def read_leverage_flow(self, trading_pair: str) -> Flow[tuple[Decimal, str]]:
        coin = self._market(trading_pair).symbol
        data: ActiveAssetData = yield from self._info(ActiveAssetData, "activeAssetData", user=self._user(), coin=coin)
        return Decimal(data.leverage.value), data.leverage.type

    # Small parts

    def _info(self, kind: Any, name: str, **fields: object) -> Generator[Request, Reply, Any]:
        """One read, as a value of `kind`."""
        reply = yield self.web_utils.info(name, **fields)
        return answers.shape(self.web_utils.check(reply, changes=False), kind)

    def _market(self, trading_pair: str) -> Market:
        return self.symbols.find(trading_pair)

    def _tradable(self, trading_pair: str) -> Market:
        market = self._market(trading_pair)
        if market.refusal is not None:
            raise OrderRefused(f"{market.trading_pair}: {market.refusal}")
        return market

    def _user(self) -> str:
        if not self.account:
            raise CredentialError(
                "this needs an account, and none is configured", hint="set the profile's account or key"
            )
        return self.account

    def _signer(self) -> HyperliquidAuth:
        if self.auth is None:
            raise CredentialError("this needs a key, and none is configured", hint="set LATENTSPEED_HYPERLIQUID_KEY")
        return self.auth
