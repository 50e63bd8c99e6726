"""DydxV4Reads: every conversation that only asks, as flows. Here the account and its keys; orders in order_reads.py."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from latentspeed_cli.connector.answers import shape
from latentspeed_cli.core.account import AccountState, FundingPayment
from latentspeed_cli.core.flow import Flow
from latentspeed_cli.errors import AuthRejected, CredentialError

from . import chain_state, decode, node
from .constants import ACCOUNT
from .market_reads import MAX_PAGES, PAST_PAGE
from .markets import DydxV4Market
from .order_reads import DydxV4OrderReads
from .payloads import FundingPayments, SubaccountReply

if TYPE_CHECKING:
    from .auth import DydxV4Auth


class DydxV4Reads(DydxV4OrderReads):
    """What may be asked about one subaccount and its key. Only identity_flow needs the key."""

    auth: DydxV4Auth | None
    authenticator: int | None = None  # which one shall let our key sign; None is any that does

    # The account

    def account_flow(self) -> Flow[AccountState]:
        """An address that never held anything is one with nothing."""
        address = self._address()
        reply = yield self.web_utils.get("addresses", address, "subaccountNumber", self.subaccount)
        body = self.web_utils.found(reply)
        if body is None:
            return decode.no_account(self.account or address, reply.received_ns)
        said: SubaccountReply = shape(body, SubaccountReply)
        state = decode.account_state(said.subaccount, self.symbols, reply.received_ns)
        return msgspec.structs.replace(state, account=self.account)

    def funding_payments_flow(self, start_ns: int, end_ns: int | None = None) -> Flow[tuple[FundingPayment, ...]]:
        """The venue takes no times and does not say in which order its pages are: all are read."""
        found: dict[tuple[int, str], FundingPayment] = {}
        for page in range(1, MAX_PAGES + 1):
            said: FundingPayments = yield from self._get(
                FundingPayments,
                "fundingPayments",
                address=self._address(),
                subaccountNumber=self.subaccount,
                limit=PAST_PAGE,
                page=page,
            )
            rows = [decode.funding_payment(row, self.symbols) for row in said.funding_payments]
            found.update(((row.ts_ns, row.trading_pair), row) for row in rows)
            if len(rows) < PAST_PAGE:
                break
        kept_ = [row for row in found.values() if row.ts_ns >= start_ns and (end_ns is None or row.ts_ns <= end_ns)]
        return tuple(sorted(kept_, key=lambda row: (row.ts_ns, row.trading_pair)))

    def read_leverage_flow(self, trading_pair: str) -> Flow[tuple[Decimal, str]]:
        """What the subaccount set for the market, else the most that the market allows."""
        market = self._market(trading_pair)
        said = yield from self._leverages()
        kind = "isolated" if market.is_isolated else "cross"
        return decode.leverage_of(market, said.get(market.asset_id, 0)), kind

    def with_leverage_flow(self, state: AccountState) -> Flow[AccountState]:
        said = yield from self._leverages()
        positions = []
        for told in state.positions:
            market = self.symbols.by_symbol(told.trading_pair)  # pair and ticker are the same here
            if isinstance(market, DydxV4Market):
                told = decode.with_leverage(told, market, said.get(market.asset_id, 0))
            positions.append(told)
        return msgspec.structs.replace(state, positions=tuple(positions))

    def _leverages(self) -> Flow[dict[int, int]]:
        """The initial margin fractions that the subaccount set, in ppm, by clob pair id."""
        question = node.subaccount_query(self._address(), self.subaccount)
        reply = yield self.web_utils.call(node.LEVERAGE, question)
        return node.leverages(self.web_utils.check(reply, changes=False))

    def identity_flow(self) -> Flow[None]:
        """The chain must know the account, and another key than its own must be one that it allows."""
        auth = self.auth
        if auth is None:
            raise CredentialError("this needs a key, and none is configured", hint="set LATENTSPEED_DYDX_V4_KEY")
        reply = yield self.web_utils.call(ACCOUNT, chain_state.account_query(auth.owner))
        chain_state.account(self.web_utils.found(reply), auth.owner)
        if auth.is_permitted_key:
            yield from self.authenticator_flow(auth)

    def authenticator_flow(self, auth: DydxV4Auth) -> Flow[int]:
        """Which authenticator of the account lets our key sign. Raises AuthRejected when none does."""
        reply = yield self.web_utils.call(node.AUTHENTICATORS, node.account_query(auth.owner))
        found = node.authenticators(self.web_utils.check(reply, changes=False))
        for one in found:
            if self.authenticator in (None, one.id) and node.allows(one, auth.public_key):
                return one.id
        which = "" if self.authenticator is None else f" by authenticator {self.authenticator}"
        raise AuthRejected(
            f"the key {auth.signer} is not allowed to sign for {auth.owner}{which}",
            hint="let that account add an authenticator for it, or correct the profile's account",
        )
