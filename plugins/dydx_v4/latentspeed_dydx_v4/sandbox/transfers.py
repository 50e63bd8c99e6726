"""Everything that is not an order: transfers, deposits, withdrawals, bank sends, API keys, leverage, and gas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ledger, signing
from .refusals import Refused, clob, go_subaccount, sdk
from .state import Account, Moved
from .tx import Tx
from .tx_messages import (
    MsgAddAuthenticator,
    MsgCreateTransfer,
    MsgDepositToSubaccount,
    MsgRemoveAuthenticator,
    MsgSend,
    MsgUpdateLeverage,
    MsgWithdrawFromSubaccount,
    SubaccountId,
)
from .universe import NATIVE_DENOM, USDC_DENOM
from .validate import is_amount, market_of
from .wire import Message

if TYPE_CHECKING:
    from .world import World

# Price of a unit of gas: micro-USDC x 1000, and native base units.
USDC_PER_1000_GAS = 25
NATIVE_PER_GAS = 25_000_000_000
_BASE_GAS = 62_000


def gas_of(tx: Tx) -> int:
    """What a transaction uses: nothing measured, but steady, and more for more bytes and messages."""
    return _BASE_GAS + 12 * len(tx.raw) + 18_000 * (len(tx.messages) - 1)


def charge(world: World, tx: Tx, account: Account) -> None:
    """Take the fee of a transaction that is not free. Raises Refused (sdk 11, 13, 5)."""
    assert tx.fee is not None
    limit = tx.fee.gas_limit
    paid = {coin.denom: int(coin.amount) for coin in tx.fee.amount if is_amount(coin.amount)}
    required = {USDC_DENOM: -(-limit * USDC_PER_1000_GAS // 1000), NATIVE_DENOM: limit * NATIVE_PER_GAS}
    if not any(paid.get(denom, 0) >= amount for denom, amount in required.items()):
        raise sdk(
            13,
            f"insufficient fees; got: {','.join(f'{amount}{denom}' for denom, amount in paid.items())} required: "
            + ",".join(f"{amount}{denom}" for denom, amount in required.items()),
        )
    used = gas_of(tx)
    if used > limit:
        raise sdk(11, f"out of gas in location: txSize; gasWanted: {limit}, gasUsed: {used}")
    for denom, amount in paid.items():
        take(account, denom, amount)
    world.touch_account(account)


def take(account: Account, denom: str, amount: int) -> None:
    """Take coins from a wallet. Raises Refused (sdk 5)."""
    held = account.held(denom)
    if held < amount:
        raise sdk(5, f"spendable balance {held}{denom} is smaller than {amount}{denom}")
    account.hold(denom, held - amount)


def give(world: World, address: str, denom: str, amount: int) -> None:
    """Add coins to a wallet; an address that never had any becomes an account."""
    account = world.accounts.get(address) or world.open_account(address)
    account.hold(denom, account.held(denom) + amount)
    world.touch_account(account)


def deliver(world: World, message: Message, tx: Tx, event: int) -> None:
    """Carry out a message in its block. Raises Refused."""
    if isinstance(message, MsgCreateTransfer) and message.transfer:
        sender, recipient = message.transfer.sender, message.transfer.recipient
        assert sender is not None
        assert recipient is not None
        _withdraw(world, sender, message.transfer.amount)
        _deposit(world, recipient, message.transfer.amount)
        _moved(world, tx, event, sender, recipient, message.transfer.amount)
    elif isinstance(message, MsgDepositToSubaccount) and message.recipient:
        take(signing.account_of(world, message.sender), USDC_DENOM, message.quantums)
        world.touch_account(world.accounts[message.sender])
        _deposit(world, message.recipient, message.quantums)
        _moved(world, tx, event, message.sender, message.recipient, message.quantums)
    elif isinstance(message, MsgWithdrawFromSubaccount) and message.sender:
        _withdraw(world, message.sender, message.quantums)
        give(world, message.recipient, USDC_DENOM, message.quantums)
        _moved(world, tx, event, message.sender, message.recipient, message.quantums)
    elif isinstance(message, MsgSend):
        _send(world, message)
    elif isinstance(message, MsgAddAuthenticator):
        account = signing.account_of(world, message.sender)
        signing.new_authenticator(world, account, message.authenticator_type, message.data)
    elif isinstance(message, MsgRemoveAuthenticator):
        _remove_authenticator(world, message)
    elif isinstance(message, MsgUpdateLeverage):
        _leverage(world, message)


def _withdraw(world: World, of: SubaccountId, amount: int) -> None:
    subaccount = world.subaccount(of.owner, of.number)
    result = ledger.judge(world, subaccount, -1, 0, -amount)
    if result != ledger.SUCCESS:
        raise Refused(
            "subaccounts",
            102,
            f"Subaccount with id {go_subaccount(of.owner, of.number)} failed with UpdateResult: {result}",
        )
    ledger.pay(world, subaccount, -amount)


def _deposit(world: World, to: SubaccountId, amount: int) -> None:
    if to.owner not in world.accounts:
        world.open_account(to.owner)
    ledger.pay(world, world.subaccount(to.owner, to.number), amount)


def _moved(
    world: World, tx: Tx, event: int, sender: SubaccountId | str, recipient: SubaccountId | str, amount: int
) -> None:
    def ends(side: SubaccountId | str) -> tuple[str, int | None]:
        return (side, None) if isinstance(side, str) else (side.owner, side.number)

    world.items.append(Moved(*ends(sender), *ends(recipient), amount, tx.hash, event))


def _send(world: World, message: MsgSend) -> None:
    account = signing.account_of(world, message.from_address)
    for coin in message.amount:
        take(account, coin.denom, int(coin.amount))
        give(world, message.to_address, coin.denom, int(coin.amount))
    world.touch_account(account)


def _remove_authenticator(world: World, message: MsgRemoveAuthenticator) -> None:
    account = signing.account_of(world, message.sender)
    kept = [known for known in account.authenticators if known.id != message.id]
    if len(kept) == len(account.authenticators):
        raise Refused("dydxaccountplus", 1, f"authenticator id {message.id}")
    account.authenticators = kept
    world.touch_account(account)


def check_leverage(world: World, message: MsgUpdateLeverage) -> None:
    """The custom margin fraction must not be below the market's own. Raises Refused."""
    for entry in message.clob_pair_leverage:
        market = market_of(world, entry.clob_pair_id)
        lowest = market.initial_ppm(world.hour(), world.oracle(entry.clob_pair_id))
        if entry.custom_imf_ppm < lowest:
            raise clob(11003, f"custom imf ppm {entry.custom_imf_ppm} is below {lowest} of {entry.clob_pair_id}")


def _leverage(world: World, message: MsgUpdateLeverage) -> None:
    check_leverage(world, message)
    of = message.subaccount_id or SubaccountId()
    subaccount = world.subaccount(of.owner, of.number)
    before = dict(subaccount.leverage)
    subaccount.leverage.update({entry.clob_pair_id: entry.custom_imf_ppm for entry in message.clob_pair_leverage})
    now = ledger.risk_of(world, subaccount)
    if now.net < now.initial:
        subaccount.leverage = before
        raise Refused("subaccounts", 102, f"leverage of {go_subaccount(of.owner, of.number)} is too low")
    world.changed(subaccount)
