"""What a venue supplies: conversations as pure flows. Nothing here, and nothing that implements it, performs I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ..core.account import AccountState, Allowance, FundingPayment
from ..core.drafts import CountedNonces
from ..core.flow import Flow
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.market_data import Candle, FundingRate, MarketContext, OrderBookSnapshot, PublicTrade
from ..core.reports import OrderUpdate, TradeUpdate
from ..core.symbols import SymbolMap
from ..core.trading_rule import TradingRule
from ..errors import OrderRefused
from .auth import Auth
from .web_utils import WebUtils


class Markets(msgspec.Struct, frozen=True, kw_only=True):
    """All markets of a venue and what may be traded there, by trading pair."""

    symbols: SymbolMap
    rules: dict[str, TradingRule]


class FenceVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt to burn an order's nonce showed.

    burned: the order of that nonce can never land any more; may_have_landed: but it may have done so earlier, so that
    it takes everybody's silence too to prove that it did not. used: the nonce was consumed by something, perhaps by the
    order itself, perhaps by a fence whose reply was lost. is_there: the venue has the order. is_pending: time alone
    will tell, as when a block has to pass. None of them: nothing was learnt. evidence: the kind of proof that `burned`
    is, see core/reports.py.
    """

    burned: bool
    used: bool
    detail: str
    may_have_landed: bool = False
    is_there: bool = False
    is_pending: bool = False
    evidence: str = "nonce_burned"


class VenueFlows(ABC):
    """What a venue's connector supplies. Every method is pure: flows yield Requests and return values of core.

    auth: None where nothing is to be signed. account: whose orders are meant; None where only public data is read.
    symbols: empty until markets_flow was driven.
    """

    auth: Auth | None
    web_utils: WebUtils
    account: str | None
    symbols: SymbolMap
    # Whether past_trades_flow reaches back as far as it is asked to.
    tells_past_trades: bool = False
    # Whether what a key signs is done for whatever account the key has at the venue, be it another than was meant.
    takes_any_key: bool = False

    # Ids and rules

    @abstractmethod
    def venue_client_id(self, client_order_id: str, *, network: str, account: str) -> str:
        """The venue's twin of our client order id; a function of its arguments alone."""

    def is_exchange_order_id(self, text: str) -> bool:
        """Whether `text` has the look of the venue's own order ids: a whole number, unless the venue says otherwise."""
        return text.isascii() and text.isdecimal()

    @abstractmethod
    def check_supported(self, intent: OrderIntent) -> None:
        """Raise OrderRefused for a kind of order that the venue does not have. Looks nothing up."""

    # Before something is signed: most venues need nothing of this

    def can_sign(self, now_ns: int, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None) -> bool:
        """Whether everything is known that signing needs: for a cancel of `order`, an order as `intent`, or else."""
        return True

    def ready_to_sign_flows(
        self, now_ns: int, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None
    ) -> Sequence[Callable[[], Flow[None]]]:
        """What reads what can_sign misses; all are driven at the same time. They raise AuthRejected when the venue does
        not know the account.
        """
        return ()

    def prepared(self, order: InFlightOrder, intent: OrderIntent) -> InFlightOrder:
        """`order` with what the venue fixes before it is sent: where it ends by itself, and its id if that is known."""
        return order

    def with_another_id(self, order: InFlightOrder, probe: int) -> InFlightOrder | None:
        """`order` under the id to try when it met `probe` other orders of the account; None where ids never meet."""
        return None

    def sequence_for(self, order: InFlightOrder | None) -> CountedNonces | None:
        """How the venue counts the nonce of an order, of its cancel, or of something else; None: it takes the time."""
        return None

    def cancels_together(self, orders: Sequence[InFlightOrder]) -> list[list[InFlightOrder]]:
        """Those of the orders that one request can cancel, in groups as large as it takes; none where it cannot."""
        return []

    def cancel_together_flow(self, orders: Sequence[InFlightOrder]) -> Flow[None]:
        """Cancel such a group with one Request that changes something, its first. That it was taken says nothing of
        any single order. Raises as cancel_flow.
        """
        raise NotImplementedError("this venue cancels orders one by one")
        yield

    def may_be_taken_off(self, order: InFlightOrder) -> bool:
        """Whether the venue may show an order that rests, only to say a moment later that it must not. While this is
        so, order_status_flow alone can tell.
        """
        return False

    def ends_within_s(self, order: InFlightOrder, now_ns: int) -> float:
        """Seconds until an order that was cancelled has ended by itself, where nothing before that proves that it did.

        0 where the venue says sooner what a cancel did. can_sign is true when this is asked.
        """
        return 0.0

    # Reads, no key needed

    @abstractmethod
    def markets_flow(self) -> Flow[Markets]: ...

    def all_markets_flow(self) -> Flow[Markets]:
        """Also the markets that are listed and not traded, for listings; the same as markets_flow where none are."""
        return self.markets_flow()

    @abstractmethod
    def book_flow(self, trading_pair: str) -> Flow[OrderBookSnapshot]: ...

    @abstractmethod
    def context_flow(self, trading_pairs: Sequence[str]) -> Flow[tuple[MarketContext, ...]]: ...

    @abstractmethod
    def trades_flow(self, trading_pair: str) -> Flow[tuple[PublicTrade, ...]]: ...

    @abstractmethod
    def candles_flow(
        self, trading_pair: str, interval: str, start_ns: int, end_ns: int
    ) -> Flow[tuple[Candle, ...]]: ...

    def past_trades_flow(
        self, trading_pair: str, start_ns: int, end_ns: int | None = None
    ) -> Flow[tuple[PublicTrade, ...]]:
        """Trades since start_ns, oldest first, all pages; the latest that there are where the venue tells no more."""
        trades = yield from self.trades_flow(trading_pair)
        return tuple(trade for trade in trades if start_ns <= trade.ts_ns and (end_ns is None or trade.ts_ns <= end_ns))

    def funding_rates_flow(self, trading_pair: str, start_ns: int, end_ns: int) -> Flow[tuple[FundingRate, ...]]:
        """The rates of the hours that ended in this time, oldest first, all pages."""
        raise OrderRefused("this venue does not tell past funding rates")
        yield

    def venue_time_flow(self) -> Flow[int]:
        """The venue's clock, Unix nanoseconds."""
        raise OrderRefused("this venue does not tell its time")
        yield

    # Account reads: need the account's address, not its key

    @abstractmethod
    def account_flow(self) -> Flow[AccountState]: ...

    def with_leverage_flow(self, state: AccountState) -> Flow[AccountState]:
        """`state` with leverage and margin of its positions, where account_flow does not tell them."""
        return state
        yield

    @abstractmethod
    def open_orders_flow(self) -> Flow[tuple[OrderUpdate, ...]]:
        """Every resting order of the account, as ACCEPTED updates with side, amount and price filled in."""

    @abstractmethod
    def order_status_flow(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        """What the venue says about one order; empty when it says that it does not know it, which proves nothing."""

    def ended_orders_flow(self, since_ns: int) -> Flow[tuple[OrderUpdate, ...]]:
        """Orders that ended since then, as far as the venue lists them, with side, amount and price filled in."""
        return ()
        yield

    @abstractmethod
    def fills_flow(self, since_ns: int, until_ns: int | None = None) -> Flow[tuple[TradeUpdate, ...]]:
        """Fills of the account, oldest first, all pages."""

    def funding_payments_flow(self, start_ns: int, end_ns: int | None = None) -> Flow[tuple[FundingPayment, ...]]:
        """What the account paid and was paid for its positions, oldest first, all pages."""
        raise OrderRefused("this venue does not tell funding payments")
        yield

    def allowance_flow(self) -> Flow[Allowance]:
        """How much of the venue's limits is used up."""
        raise OrderRefused("this venue does not tell how much of its limits is used")
        yield

    @abstractmethod
    def identity_flow(self) -> Flow[None]:
        """Check that the key may act for the account. Raises AuthRejected.

        Asked before an order is signed where the venue `takes_any_key`, else by people who want to know.
        """

    # Changes: each yields exactly one Request with changes=True, already signed, and that is its first

    @abstractmethod
    def place_flow(self, order: InFlightOrder) -> Flow[OrderUpdate]:
        """order.nonce and order.expires_after_ms are set.

        ACCEPTED, FILLED, EXPIRED for an immediate order that met nobody, or FAILED with a proof of its own (evidence
        expired_before_accept). NOTE where the venue has taken it and says only later what became of it. Raises what is
        definite (OrderRejected, AuthRejected, RateLimited; AttemptRefused when another try may do better), and
        OutcomeUnknown where the answer does not tell, such as a nonce that was used already (NonceRefused).
        """

    @abstractmethod
    def cancel_flow(self, order: InFlightOrder, *, nonce: int, attempt: int) -> Flow[OrderUpdate]:
        """CANCELLED when the venue calls it final; CANCEL_REFUSED when it says that there is nothing to cancel; NOTE
        when it has taken the cancel and says only later what came of it.
        """

    @abstractmethod
    def fence_flow(self, order: InFlightOrder) -> Flow[FenceVerdict]:
        """Use up the nonce of an order of unknown outcome, so that it can never land any more.

        Where an attempt ends by itself, ask how far that is.
        """

    @abstractmethod
    def leverage_flow(self, trading_pair: str, leverage: int, *, cross: bool, nonce: int) -> Flow[None]: ...

    @abstractmethod
    def read_leverage_flow(self, trading_pair: str) -> Flow[tuple[Decimal, str]]:
        """The leverage set for a market and its margin kind, "cross" or "isolated"."""

    def unsigned_request(self, order: InFlightOrder) -> dict[str, Any]:
        """The request that place_flow would send, for people to read: url and body, without the signature.

        This one fits venues whose body is a JSON object with a member "signature".
        """
        flow = self.place_flow(order)
        request = next(flow)
        flow.close()
        body = msgspec.json.decode(request.body)
        body.pop("signature", None)
        return {"method": request.method, "url": request.url, "body": body}
