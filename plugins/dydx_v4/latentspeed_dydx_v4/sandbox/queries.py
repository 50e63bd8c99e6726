"""The node's dYdX queries. They show committed state, as of the last block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from . import ledger, limits
from . import node_messages as m
from . import query_messages as q
from .refusals import Panic
from .state import CONDITIONAL, LONG_TERM, Order, Subaccount, order_key
from .tx_messages import BuilderCodeParameters, OrderId, OrderMessage, SubaccountId
from .universe import LIQUIDITY_TIERS, QUANTUM_CONVERSION_EXPONENT
from .wire import Message, decode

if TYPE_CHECKING:
    from .market import Market
    from .world import World


class NotFound(Exception):
    """gRPC NotFound with this text."""


def serializable(value: int) -> bytes:
    """SerializableInt: a sign byte and the magnitude, big endian."""
    raw = abs(value).to_bytes((abs(value).bit_length() + 7) // 8, "big")
    return (b"\x03" if value < 0 else b"\x02") + raw


def _market(world: World, body: bytes) -> Market:
    number = decode(m.ByNumber, body, strict=False).id
    market = world.markets.get(number)
    if market is None:
        raise NotFound("not found")
    return market


# ---- clob ----------------------------------------------------------------------------------------


def _pair(market: Market) -> q.ClobPair:
    return q.ClobPair(
        id=market.pair,
        perpetual_clob_metadata=q.PerpetualClobMetadata(perpetual_id=market.pair),
        step_base_quantums=market.spec.step,
        subticks_per_tick=market.spec.tick,
        quantum_conversion_exponent=QUANTUM_CONVERSION_EXPONENT,
        status=market.status,
    )


def clob_pair(world: World, body: bytes) -> Message:
    return q.ClobPairResponse(clob_pair=_pair(_market(world, body)))


def clob_pairs(world: World, body: bytes) -> Message:
    pairs = tuple(_pair(market) for market in world.markets.values())
    return q.ClobPairsResponse(clob_pair=pairs, pagination=m.Page(total=len(pairs)))


def next_clob_pair(world: World, body: bytes) -> Message:
    return q.NextClobPairIdResponse(next_clob_pair_id=max(world.markets) + 1)


def equity_tiers(world: World, body: bytes) -> Message:
    rows = tuple(
        q.EquityTier(usd_tnc_required=serializable(usd), limit=limit)
        for usd, limit in limits.tiers(world.scenario.limits_factor)
    )
    return q.EquityTiersResponse(equity_tier_limit_config=q.EquityTiers(stateful_order_equity_tiers=rows))


def rate_limits(world: World, body: bytes) -> Message:
    factor = world.scenario.limits_factor

    def rows(rules: tuple[tuple[int, int], ...]) -> tuple[q.RateRule, ...]:
        if factor is None:
            return ()
        return tuple(q.RateRule(num_blocks=blocks, limit=limit * factor) for blocks, limit in rules)

    return q.RateRulesResponse(
        block_rate_limit_config=q.RateRules(
            max_stateful_orders_per_n_blocks=rows(limits.STATEFUL),
            max_short_term_orders_and_cancels_per_n_blocks=rows(limits.SHORT_TERM),
            max_leverage_updates_per_n_blocks=rows(limits.LEVERAGE),
        )
    )


def stateful_order(world: World, body: bytes) -> Message:
    order_id = decode(m.ByOrder, body, strict=False).order_id or OrderId()
    if order_id.order_flags not in (CONDITIONAL, LONG_TERM):
        raise Panic(f"panic: OrderId {order_id.client_id} is not a stateful order")
    subaccount = order_id.subaccount_id or SubaccountId()
    key = order_key(
        subaccount.owner, subaccount.number, order_id.client_id, order_id.order_flags, order_id.clob_pair_id
    )
    order = world.stateful.get(key)
    if order is None:
        raise NotFound("not found")
    return q.StatefulOrderResponse(
        order_placement=q.OrderPlacement(
            order=order_message(order),
            placement_index=q.PlacementIndex(block_height=order.height, transaction_index=order.tx_index),
        ),
        fill_amount=order.committed_filled,
        triggered=order.triggered,
    )


def order_message(order: Order) -> OrderMessage:
    """The order as a message again."""
    return OrderMessage(
        order_id=OrderId(
            subaccount_id=SubaccountId(owner=order.owner, number=order.number),
            client_id=order.client_id,
            order_flags=order.flags,
            clob_pair_id=order.pair,
        ),
        side=1 if order.is_buy else 2,
        quantums=order.quantums,
        subticks=order.subticks,
        good_til_block=order.good_til_block,
        good_til_block_time=order.good_til_block_time,
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
        client_metadata=order.client_metadata,
        condition_type=order.condition,
        conditional_order_trigger_subticks=order.trigger,
        builder_code_parameters=BuilderCodeParameters(builder_address=order.builder, fee_ppm=order.builder_fee_ppm)
        if order.builder
        else None,
        order_router_address=order.router,
    )


def leverage(world: World, body: bytes) -> Message:
    request = decode(m.BySubaccount, body, strict=False)
    subaccount = world.committed.get(f"{request.owner}/{request.number}")
    rows = sorted(subaccount.leverage.items()) if subaccount else []
    return q.LeverageResponse(
        clob_pair_leverage=tuple(q.LeverageRow(clob_pair_id=pair, custom_imf_ppm=ppm) for pair, ppm in rows)
    )


# ---- subaccounts, perpetuals, prices -------------------------------------------------------------


def _subaccount(owner: str, number: int, found: Subaccount | None) -> q.SubaccountMessage:
    assets: tuple[q.AssetPosition, ...] = ()
    positions: tuple[q.PerpetualPosition, ...] = ()
    if found is not None:
        if found.usdc:
            assets = (q.AssetPosition(asset_id=0, quantums=serializable(found.usdc)),)
        positions = tuple(
            q.PerpetualPosition(
                perpetual_id=pair,
                quantums=serializable(size),
                funding_index=serializable(0),
                quote_balance=serializable(0),
            )
            for pair, size in sorted(ledger.sizes_of(found).items())
        )
    return q.SubaccountMessage(
        id=SubaccountId(owner=owner, number=number),
        asset_positions=assets,
        perpetual_positions=positions,
        margin_enabled=True,
    )


def subaccount(world: World, body: bytes) -> Message:
    request = decode(m.BySubaccount, body, strict=False)
    found = world.committed.get(f"{request.owner}/{request.number}")
    return q.SubaccountResponse(subaccount=_subaccount(request.owner, request.number, found))


def subaccounts(world: World, body: bytes) -> Message:
    rows = tuple(_subaccount(found.owner, found.number, found) for _, found in sorted(world.committed.items()))
    return q.SubaccountsResponse(subaccount=rows, pagination=m.Page(total=len(rows)))


def _perpetual(world: World, market: Market) -> q.Perpetual:
    spec = market.spec
    return q.Perpetual(
        params=q.PerpetualParams(
            id=spec.pair,
            ticker=spec.ticker,
            market_id=spec.pair,
            atomic_resolution=spec.atomic_resolution,
            liquidity_tier=spec.tier.id,
            market_type=2 if spec.isolated else 1,
        ),
        funding_index=serializable(0),
        open_interest=serializable(market.open_interest(world.hour())),
    )


def perpetual(world: World, body: bytes) -> Message:
    return q.PerpetualResponse(perpetual=_perpetual(world, _market(world, body)))


def perpetuals(world: World, body: bytes) -> Message:
    rows = tuple(_perpetual(world, market) for market in world.markets.values())
    return q.PerpetualsResponse(perpetual=rows, pagination=m.Page(total=len(rows)))


def liquidity_tiers(world: World, body: bytes) -> Message:
    rows = tuple(
        q.LiquidityTierMessage(
            id=tier.id,
            name=tier.name,
            initial_margin_ppm=tier.initial_ppm,
            maintenance_fraction_ppm=tier.maintenance_ppm,
            impact_notional=tier.impact_notional,
            open_interest_lower_cap=tier.lower_cap,
            open_interest_upper_cap=tier.upper_cap,
        )
        for tier in LIQUIDITY_TIERS
    )
    return q.LiquidityTiersResponse(liquidity_tiers=rows, pagination=m.Page(total=len(rows)))


def _price(world: World, market: Market) -> q.MarketPrice:
    return q.MarketPrice(id=market.pair, exponent=market.spec.price_exponent, price=world.oracle(market.pair))


def market_price(world: World, body: bytes) -> Message:
    return q.MarketPriceResponse(market_price=_price(world, _market(world, body)))


def market_prices(world: World, body: bytes) -> Message:
    rows = tuple(_price(world, market) for market in world.markets.values())
    return q.MarketPricesResponse(market_prices=rows, pagination=m.Page(total=len(rows)))


def market_param(world: World, body: bytes) -> Message:
    spec = _market(world, body).spec
    return q.MarketParamResponse(
        market_param=q.MarketParam(
            id=spec.pair, pair=spec.ticker, exponent=spec.price_exponent, min_exchanges=3, min_price_change_ppm=1_000
        )
    )


# ---- fees, statistics, API keys ------------------------------------------------------------------


def _tier(index: int) -> q.FeeTier:
    tier = ledger.FEE_TIERS[index]
    return q.FeeTier(
        name=str(index + 1),
        absolute_volume_requirement=tier.volume,
        total_volume_share_requirement_ppm=tier.total_share_ppm,
        maker_volume_share_requirement_ppm=tier.maker_share_ppm,
        maker_fee_ppm=tier.maker_ppm,
        taker_fee_ppm=tier.taker_ppm,
    )


def user_fee_tier(world: World, body: bytes) -> Message:
    account = world.accounts.get(decode(m.ByAddress, body, strict=False).address)
    index = ledger.fee_tier(world, account)
    return q.UserFeeTierResponse(index=index, tier=_tier(index))


def fee_params(world: World, body: bytes) -> Message:
    return q.FeeParamsResponse(params=q.FeeParams(tiers=tuple(map(_tier, range(len(ledger.FEE_TIERS))))))


def user_stats(world: World, body: bytes) -> Message:
    maker, taker = ledger.volume(world, world.accounts.get(decode(m.ByAddress, body, strict=False).address))
    return q.UserStatsResponse(stats=q.UserStats(taker_notional=taker, maker_notional=maker))


def authenticators(world: World, body: bytes) -> Message:
    account = world.accounts.get(decode(m.ByAddress, body, strict=False).address)
    return q.AuthenticatorsResponse(
        account_authenticators=tuple(
            q.AuthenticatorRow(id=known.id, type=known.kind, config=known.config)
            for known in (account.authenticators if account else ())
        )
    )


def account_state(world: World, body: bytes) -> Message:
    address = decode(m.ByAddress, body, strict=False).address
    account = world.accounts.get(address)
    if account is None:
        raise NotFound("not found")
    details = q.NonceDetails(timestamp_nonces=tuple(account.nonces), max_ejected_nonce=account.largest_ejected)
    return q.AccountStateResponse(account_state=q.AccountState(address=address, timestamp_nonce_details=details))


QUERIES: Mapping[str, Callable[[World, bytes], Message]] = {
    "/dydxprotocol.clob.Query/ClobPair": clob_pair,
    "/dydxprotocol.clob.Query/ClobPairAll": clob_pairs,
    "/dydxprotocol.clob.Query/NextClobPairId": next_clob_pair,
    "/dydxprotocol.clob.Query/EquityTierLimitConfiguration": equity_tiers,
    "/dydxprotocol.clob.Query/BlockRateLimitConfiguration": rate_limits,
    "/dydxprotocol.clob.Query/StatefulOrder": stateful_order,
    "/dydxprotocol.clob.Query/Leverage": leverage,
    "/dydxprotocol.subaccounts.Query/Subaccount": subaccount,
    "/dydxprotocol.subaccounts.Query/SubaccountAll": subaccounts,
    "/dydxprotocol.perpetuals.Query/Perpetual": perpetual,
    "/dydxprotocol.perpetuals.Query/AllPerpetuals": perpetuals,
    "/dydxprotocol.perpetuals.Query/AllLiquidityTiers": liquidity_tiers,
    "/dydxprotocol.prices.Query/MarketPrice": market_price,
    "/dydxprotocol.prices.Query/AllMarketPrices": market_prices,
    "/dydxprotocol.prices.Query/MarketParam": market_param,
    "/dydxprotocol.feetiers.Query/UserFeeTier": user_fee_tier,
    "/dydxprotocol.feetiers.Query/PerpetualFeeParams": fee_params,
    "/dydxprotocol.stats.Query/UserStats": user_stats,
    "/dydxprotocol.accountplus.Query/GetAuthenticators": authenticators,
    "/dydxprotocol.accountplus.Query/AccountState": account_state,
}
