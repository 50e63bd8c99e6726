"""Placer: the whole path of one order, from what was asked for to what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from decimal import Decimal
from functools import partial

import msgspec

from ..clock import NS_PER_MS, NS_PER_S
from ..core.decimals import EXACT, ZERO
from ..core.drafts import Begun, may_try_again
from ..core.guards import check as check_guards
from ..core.guards import notional_at_worst
from ..core.ids import parameters_hash, typed_parameters
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.order_state import Facts
from ..core.pricing import MAX_CLOCK_SKEW_S, BookTop, resolve
from ..core.reports import OrderUpdate
from ..core.symbols import Market
from ..core.types import OrderState, PositionAction
from ..errors import (
    ConnectFailed,
    CredentialError,
    GuardRefused,
    IdConflict,
    JournalError,
    LatentspeedError,
    OrderRefused,
    OutcomeUnknown,
    TransportError,
)
from .auth import Auth
from .conflict import Parameters, id_conflict, of_intent, of_order, of_told
from .judge import placed
from .ledger import Ledger
from .parts import OrderOutcome, Parts
from .reader import Reader
from .reconciler import Reconciler, is_undecided
from .submitter import Sent, Submitter
from .venue import VenueFlows

log = logging.getLogger(__name__)

# Past this, counted from the venue's time, nothing that we sent can be accepted any more.
EXPIRES_AFTER_S = 15
# How long a run waits for what another one is about to find out about the same order.
CLASSIFICATION_WAIT_S = 30.0
DAY_NS = 86_400 * NS_PER_S
# So many other orders may have the id that an order was to have at the venue.
MAX_PROBES = 8


class Ticket(msgspec.Struct, eq=False, kw_only=True):
    """One order on its way. is_chosen: the client order id is the user's, so it may be known already.

    is_checked: what was typed is known to fit the market's rule. has_tried: an attempt of this run was refused for its
    timing or its nonce, and there is no third one.
    deadline: the loop's time. settled: the outcome, or whatever prevented one.
    """

    intent: OrderIntent
    client_order_id: str
    is_chosen: bool
    is_checked: bool
    parameters_hash: str
    position_action: PositionAction
    despite_unknown: bool
    deadline: float
    timeout_s: float
    settled: asyncio.Future[OrderOutcome | Exception]
    has_tried: bool = False


class Placer:
    """Checks, prices and guards an order, then has it journaled and sent. Knows what to do about a known id."""

    def __init__(
        self,
        flows: VenueFlows,
        parts: Parts,
        reader: Reader,
        ledger: Ledger,
        submitter: Submitter,
        reconciler: Reconciler,
    ) -> None:
        self._flows = flows
        self._parts = parts
        self._reader = reader
        self._ledger = ledger
        self._submitter = submitter
        self._reconciler = reconciler

    # Before anything is looked up

    def hash_of(self, intent: OrderIntent, typed: Mapping[str, str | None] | None) -> str:
        """What makes two commands the same: the words of the command, never what was computed from them."""
        words = typed_parameters(intent) if typed is None else typed
        return parameters_hash(words, self._parts.venue, self._parts.network, self.account)

    def check_words(self, intent: OrderIntent) -> bool:
        """Everything that can be known without asking; whether the market's rule was part of it.

        Raises UsageError, OrderRefused.
        """
        intent.check()
        self._flows.check_supported(intent)
        markets = self._reader.known_markets
        if markets is not None:
            market = tradable(markets.symbols.find(intent.trading_pair))
            rule = markets.rules.get(market.trading_pair)
            if rule is not None:
                rule.check(intent)
                return True
        return False

    @property
    def account(self) -> str:
        if self._parts.account is None:
            raise CredentialError("an order needs an account, and none is configured", hint="configure a key")
        return self._parts.account

    @property
    def auth(self) -> Auth:
        """The signer. Raises CredentialError without one, GuardRefused for a master key on mainnet."""
        auth = self._parts.auth
        if auth is None:
            raise CredentialError("this needs a key, and none is configured")
        if self._parts.network == "mainnet" and auth.signer == auth.master and not self._parts.guards.allow_master_key:
            raise GuardRefused(
                "this is the account's master key, and it could do everything",
                hint="approve an agent key and use that, or set allow_master_key in the profile's guards",
            )
        return auth

    # The path

    async def place(self, ticket: Ticket) -> OrderOutcome:
        """Raises what prevented the order, as long as nothing was sent; afterwards there is an outcome."""
        if ticket.is_chosen and not ticket.has_tried:
            known = await self._replay_from_journal(ticket)
            if known is not None:
                return known
        try:
            found = await self._look_up(ticket)
        except TransportError:
            # Of many copies of one command the venue may not answer all; one of them may have placed it by now.
            known = await self._replay_from_journal(ticket) if ticket.is_chosen and not ticket.has_tried else None
            if known is None:
                raise
            return known
        if isinstance(found, OrderOutcome):
            return found
        order, top = found
        begun = await self._begin(ticket, self._with_expiry(order, top))
        if not begun.fresh:  # another run was faster by a moment
            return await self._replay(ticket, self._ledger.start(begun.order)) or await self.place(ticket)
        try:
            sent = await self._submitter.send(begun.order, deadline=ticket.deadline)
        except JournalError as error:
            raise OutcomeUnknown(
                f"the order was sent, and what became of it cannot be written down: {error}",
                client_order_id=ticket.client_order_id,
            ) from error
        if sent.may_go_again and not ticket.has_tried and asyncio.get_running_loop().time() < ticket.deadline:
            return await self._place_again(ticket, sent)
        return placed(sent.order, "ack", refusal=sent.refusal)

    async def _look_up(self, ticket: Ticket) -> tuple[InFlightOrder, BookTop] | OrderOutcome:
        """The order that may be sent, and the top of its book; or an outcome, where the venue has it already.

        Raises ConnectFailed when there is no time left to send anything, and what _prepare and _adopt raise.
        """
        try:
            async with asyncio.timeout_at(ticket.deadline):
                order, top = await self._prepare(ticket)
                known = self._known(ticket) if ticket.is_chosen or ticket.has_tried else None
                if known is not None:  # it failed: the number tells the journal which failure this attempt follows
                    return msgspec.structs.replace(order, attempt=known.attempt), top
                adopted = await self._adopt(ticket, order) if ticket.is_chosen else None
                return adopted or (order, top)
        except TimeoutError:
            raise ConnectFailed(
                f"the venue did not answer within {ticket.timeout_s:g} s, and nothing was sent", hint="say --timeout"
            ) from None

    async def _begin(self, ticket: Ticket, order: InFlightOrder) -> Begun:
        """Make the attempt durable; under another id at the venue when it meets one of another order there."""
        for probe in range(MAX_PROBES):
            begun = await self._submitter.begin(
                order,
                signer=self.auth.signer,
                submit_deadline_ns=self._parts.clock.now_ns() + int(ticket.timeout_s * NS_PER_S),
                check=partial(self._check_others, ticket, order),
            )
            if not begun.conflict:
                return begun
            is_other = begun.order.client_order_id != ticket.client_order_id
            other_id = self._flows.with_another_id(order, probe + 1) if is_other else None
            if other_id is None:
                break
            self._ledger.tracker.forget(ticket.client_order_id)
            order = other_id
        raise self.conflict(ticket, begun.order)

    async def _place_again(self, ticket: Ticket, sent: Sent) -> OrderOutcome:
        """The one further attempt. What prevents it leaves the order as the first one did."""
        ticket.has_tried = True
        try:
            return await self.place(ticket)
        except OutcomeUnknown:
            raise
        except LatentspeedError as error:
            log.info("there was no further attempt", extra={"error": str(error)})
            return placed(sent.order, "ack", refusal=sent.refusal)

    async def dry_run(self, ticket: Ticket) -> OrderOutcome:
        """All checks, and the request as it would leave, without its signature. Nothing is tracked, written or sent."""
        known = self._parts.journal.order(ticket.client_order_id) if ticket.is_chosen else None
        if known is not None and known.parameters_hash != ticket.parameters_hash:
            raise self.conflict(ticket, known)
        order, top = await self._prepare(ticket)
        self._check_undecided(ticket, order)
        order = self._with_expiry(order, top)
        counted = self._flows.sequence_for(order)
        nonce = self._parts.clock.now_ns() // NS_PER_MS if counted is None else counted.next
        request = self._flows.unsigned_request(msgspec.structs.replace(order, nonce=nonce, attempt=1))
        return OrderOutcome(order=order, outcome="dry_run", request=request)

    async def _prepare(self, ticket: Ticket) -> tuple[InFlightOrder, BookTop]:
        """Look up what the order needs, price it and check it. Raises OrderRefused, GuardRefused, transport errors."""
        _ = self.auth
        market = tradable(await self._reader.market(ticket.intent.trading_pair))
        intent = msgspec.structs.replace(ticket.intent, trading_pair=market.trading_pair)
        rule = (await self._reader.markets()).rules[market.trading_pair]
        if not ticket.is_checked:  # before the book is read for nothing; with it, `resolve` checks once more
            rule.check(intent)
        try:
            top = await self._reader.top_when_ready(market.trading_pair, intent)
        except TransportError as error:
            error.hint = error.hint or "nothing was sent"
            raise
        now_ns = self._parts.clock.now_ns()
        _check_clock(top)
        priced = resolve(intent, rule, top, now_ns=now_ns)
        order = self.new_order(ticket, intent, amount=priced.amount, price=priced.price)
        order = msgspec.structs.replace(order, reference_price=priced.reference_price)
        self._check_guards(order)
        return self._flows.prepared(order, intent), top

    def new_order(
        self, ticket: Ticket, intent: OrderIntent, *, amount: Decimal, price: Decimal | None
    ) -> InFlightOrder:
        """A PENDING_CREATE order. price None: not known yet."""
        parts, account = self._parts, self.account
        return InFlightOrder(
            client_order_id=ticket.client_order_id,
            venue_client_id=self._flows.venue_client_id(ticket.client_order_id, network=parts.network, account=account),
            venue=parts.venue,
            network=parts.network,
            account=account,
            trading_pair=intent.trading_pair,
            side=intent.side,
            order_type=intent.order_type,
            amount=amount,
            price=price,
            created_ts_ns=parts.clock.now_ns(),
            tif=intent.tif,
            post_only=intent.post_only,
            reduce_only=intent.reduce_only,
            price_expression=intent.price_expression,
            trigger_price=intent.trigger_price,
            slippage_bps=None if intent.order_type.has_limit else intent.slippage_bps,
            position_action=ticket.position_action,
            parameters_hash=ticket.parameters_hash,
            facts=Facts(),
        )

    def _with_expiry(self, order: InFlightOrder, top: BookTop) -> InFlightOrder:
        """Both clocks count: whichever is later, so that an order is never born too late."""
        latest_ms = max(top.ts_ns, self._parts.clock.now_ns()) // NS_PER_MS
        return msgspec.structs.replace(order, expires_after_ms=latest_ms + EXPIRES_AFTER_S * 1000)

    def _check_others(self, ticket: Ticket, order: InFlightOrder) -> None:
        """What orders that were written since the last look may have changed. Raises GuardRefused."""
        self._check_undecided(ticket, order)
        if self._parts.guards.max_day_notional is not None:
            self._check_guards(order)

    def _check_guards(self, order: InFlightOrder) -> None:
        assert order.price is not None  # `resolve` has fixed it
        check_guards(
            self._parts.guards,
            amount=order.amount,
            price=order.price,
            reference_price=order.reference_price,
            day_notional=self._day_notional(self._parts.clock.now_ns()),
        )

    def _check_undecided(self, ticket: Ticket, order: InFlightOrder) -> None:
        """An order that may be live or not makes the next one on its side a gamble. Raises GuardRefused.

        Orders under a running lease are on their way, not undecided.
        """
        if ticket.despite_unknown:
            return
        now_ns = self._parts.clock.now_ns()
        for other in self._parts.journal.undecided(order.trading_pair, order.side):
            if other.client_order_id == order.client_order_id or not self._ledger.is_ours(other):
                continue
            if not (other.outcome_unknown or is_undecided(other)):
                continue
            lease_ns = self._parts.journal.submit_deadline_ns(other.client_order_id)
            if other.outcome_unknown or lease_ns <= now_ns:
                raise GuardRefused(
                    f"order {other.client_order_id} on the same market and side is undecided",
                    hint=f"settle it with `latentspeed status {other.client_order_id}`, or say --despite-unknown",
                    client_order_id=order.client_order_id,
                )

    def _day_notional(self, now_ns: int) -> Decimal:
        """Quote units placed since midnight UTC: in full while an order lives, what was executed once it is done."""
        if self._parts.guards.max_day_notional is None:
            return ZERO
        total = ZERO
        for order in self._parts.journal.orders(since_ns=now_ns - now_ns % DAY_NS):
            amount = order.executed_amount if order.is_done and order.fills_complete else order.amount
            price = order.price or order.reference_price
            counts = self._ledger.is_ours(order) and not order.is_external and order.state is not OrderState.FAILED
            if counts and price is not None:
                total = EXACT.add(total, notional_at_worst(amount, price, order.reference_price or price))
        return total

    # The same command again

    async def _replay_from_journal(self, ticket: Ticket) -> OrderOutcome | None:
        """The outcome of an order that is known, or None when there is none, or none that ever landed."""
        order = self._ledger.reload(ticket.client_order_id) if self._known(ticket) is not None else None
        if order is None:
            return None
        if order.parameters_hash != ticket.parameters_hash:
            raise self.conflict(ticket, order)
        return await self._replay(ticket, order)

    async def _replay(self, ticket: Ticket, order: InFlightOrder) -> OrderOutcome | None:
        """What became of a known order. None when it was proved never to have landed: it may be sent again."""
        if order.parameters_hash != ticket.parameters_hash:
            raise self.conflict(ticket, order)
        order = await self._reconciler.wait_for_writer(order, timeout_s=CLASSIFICATION_WAIT_S)
        if is_undecided(order):
            loop = asyncio.get_running_loop()
            order = await self._reconciler.resolve(order, deadline=loop.time() + ticket.timeout_s)
        elif not order.is_done or not order.fills_complete or may_try_again(order):  # no attempt without a look
            order = await self._reconciler.try_refresh(order)
        if may_try_again(order):
            return None
        return placed(order, "ack", replayed=True)

    async def _adopt(self, ticket: Ticket, order: InFlightOrder) -> OrderOutcome | None:
        """Ask the venue for an id that a person chose and the journal does not know: the journal may be another one.

        Raises IdConflict when the venue has it with other parameters, and whatever the reads raise: then nothing was
        sent either.
        """
        updates = await self._reader.ask(lambda: self._flows.order_status_flow(order))
        if not updates:
            return None
        for update in updates:
            if not _same(ticket.intent, order, update):
                asked = self.asked(msgspec.structs.replace(ticket.intent, trading_pair=order.trading_pair))
                raise id_conflict(ticket.client_order_id, of_told(order, update), asked)
        told = updates[-1]
        found = msgspec.structs.replace(
            order,
            amount=told.amount or order.amount,
            price=told.price or order.price,
            created_ts_ns=told.created_ts_ns or told.ts_ns,
            venue_client_id=told.venue_client_id or order.venue_client_id,
            exchange_order_id=told.exchange_order_id,
            good_til_block=told.good_til_block or order.good_til_block,
            good_til_ts_ns=told.good_til_ts_ns or order.good_til_ts_ns,
        )
        self._ledger.start(self._parts.journal.adopt(found))
        self._ledger.record(updates, of=found)
        return placed(await self._reconciler.try_refresh(found), "ack", replayed=True)

    def asked(self, intent: OrderIntent) -> Parameters:
        """What an id conflict compares with."""
        return of_intent(intent, venue=self._parts.venue, account=self.account)

    def conflict(self, ticket: Ticket, known: InFlightOrder) -> IdConflict:
        """Another order has the id, or the venue's twin of it."""
        asked = self.asked(ticket.intent)
        return id_conflict(ticket.client_order_id, of_order(known), asked, known_id=known.client_order_id)

    def _known(self, ticket: Ticket) -> InFlightOrder | None:
        """The order that the journal has under this id. What was typed for one that it found at the venue only the
        venue can tell, so that such a one does not count.
        """
        known = self._parts.journal.order(ticket.client_order_id)
        return known if known is not None and known.parameters_hash else None


def tradable(market: Market) -> Market:
    """`market` itself. Raises OrderRefused when the metadata shows already that it is not traded."""
    if market.refusal is not None:
        raise OrderRefused(f"{market.trading_pair} is not traded here: {market.refusal}")
    if not market.is_active:
        raise OrderRefused(f"{market.trading_pair} is delisted or halted")
    return market


def _check_clock(top: BookTop) -> None:
    skew_s = (top.received_ns - top.ts_ns) / NS_PER_S
    if abs(skew_s) > MAX_CLOCK_SKEW_S:
        raise GuardRefused(
            f"the clock of this machine and the venue's differ by {skew_s:.1f} s",
            hint="set the clock: orders carry an expiry in the venue's time",
        )


def _same(intent: OrderIntent, order: InFlightOrder, told: OrderUpdate) -> bool:
    """Whether what the venue tells of an order fits what was typed; what was computed then cannot be compared."""
    return (
        told.trading_pair == order.trading_pair
        and told.side in (None, intent.side)
        and (intent.amount is None or told.amount in (None, intent.amount))
        and (intent.price is None or told.price in (None, intent.price))
        and told.reduce_only in (None, intent.reduce_only)
    )
