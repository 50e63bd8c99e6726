"""Money between accounts: perp and spot dollars, sub-accounts, sends and withdrawals. Only USDC moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ledger, texts
from .actions import AgentSendAsset, CreateSubAccount, SubAccountModify, SubAccountTransfer, VaultTransfer
from .numbers import E6, ShapeError, dollars, parse_decimal
from .state import Account
from .texttypes import address
from .user_actions import SendAsset, SpotSend, UsdClassTransfer, UsdSend, Withdraw

if TYPE_CHECKING:
    from .world import World

SUB_VOLUME = 100_000 * E6
SUB_LIMIT = 10
WITHDRAW_FEE = E6
SPOT_PER_DOLLAR = 100  # spot USDC is kept in 1e-8, dollars in 1e-6


def _amount(text: str) -> int | None:
    """Dollars of 1e-6 from a decimal string; None when it has more than six decimals or is not one."""
    try:
        return parse_decimal(text, 6)
    except ShapeError:
        return None


def create_sub_account(world: World, account: Account, action: CreateSubAccount) -> tuple[str, str | None]:
    """(address of the new sub-account, None) or ("", the refusal's text)."""
    if account.volume < SUB_VOLUME * (0 if world.scenario.limits_factor is None else 1):
        return "", texts.SUB_VOLUME.format(volume=dollars(account.volume).removesuffix(".0"))
    if not 1 <= len(action.name) <= 16 or len(account.subs) >= SUB_LIMIT:
        return "", texts.SUB_NAME
    new = "0x" + world.digest("sub", account.address, len(account.subs), size=20).hex()
    sub = world.open_account(new)
    sub.master, sub.name = account.address, action.name
    account.subs.append(new)
    world.touch(sub)
    world.touch(account)
    return new, None


def rename_sub_account(world: World, account: Account, action: SubAccountModify, signer: str) -> str | None:
    if action.subAccountUser not in account.subs or not 1 <= len(action.name) <= 16:
        return texts.SUB_NAME
    world.accounts[action.subAccountUser].name = action.name
    world.touch(world.accounts[action.subAccountUser])
    return None


def sub_account_transfer(world: World, account: Account, action: SubAccountTransfer, signer: str) -> str | None:
    sub = world.accounts.get(action.subAccountUser)
    source, target = (account, sub) if action.isDeposit else (sub, account)
    if sub is None or sub.master != account.address or source is None or target is None:
        source_address, target_address = account.address, action.subAccountUser
        if not action.isDeposit:
            source_address, target_address = target_address, source_address
        return texts.SUB_TRANSFER.format(source=source_address, target=target_address)
    if action.usd <= 0 or action.usd > ledger.withdrawable(world, source):
        return texts.BALANCE
    source.cash -= action.usd
    target.cash += action.usd
    delta: dict[str, object] = {
        "type": "subAccountTransfer",
        "usdc": dollars(action.usd),
        "user": source.address,
        "destination": target.address,
    }
    _book(world, delta, source, target)
    return None


def vault_transfer(world: World, account: Account, action: VaultTransfer, signer: str) -> str | None:
    return texts.VAULT.format(address=action.vaultAddress)


def usd_class_transfer(world: World, account: Account, action: UsdClassTransfer, signer: str) -> str | None:
    """Between an account's own perp and spot dollars."""
    text, _, sub = action.amount.partition(" subaccount:")
    owner = world.accounts.get(sub) if sub else account
    amount = _amount(text)
    if amount is None or amount == 0 or owner is None or (sub and owner.master != account.address):
        return texts.INVALID_SEND
    return _between_classes(world, owner, amount, to_perp=action.toPerp)


def _between_classes(world: World, owner: Account, amount: int, *, to_perp: bool) -> str | None:
    free = owner.spot_usdc // SPOT_PER_DOLLAR if to_perp else ledger.withdrawable(world, owner)
    if amount > free:
        return texts.BALANCE
    sign = 1 if to_perp else -1
    owner.cash += sign * amount
    owner.spot_usdc -= sign * amount * SPOT_PER_DOLLAR
    _book(world, {"type": "accountClassTransfer", "usdc": dollars(amount), "toPerp": to_perp}, owner)
    return None


def usd_send(world: World, account: Account, action: UsdSend, signer: str) -> str | None:
    """Perp dollars to another address, which becomes an account by it."""
    amount = _amount(action.amount)
    try:
        destination = address(action.destination)
    except ShapeError:
        return texts.INVALID_SEND
    if amount is None or amount == 0 or destination == account.address:
        return texts.INVALID_SEND
    if amount > ledger.withdrawable(world, account):
        return texts.BALANCE
    target = world.accounts.get(destination) or world.open_account(destination)
    account.cash -= amount
    target.cash += amount
    delta: dict[str, object] = {
        "type": "internalTransfer",
        "usdc": dollars(amount),
        "user": account.address,
        "destination": destination,
        "fee": "0.0",
    }
    _book(world, delta, account, target)
    return None


def withdraw(world: World, account: Account, action: Withdraw, signer: str) -> str | None:
    """Dollars leave the venue, less a dollar of fee."""
    amount = _amount(action.amount)
    if amount is None or amount <= WITHDRAW_FEE or amount > ledger.withdrawable(world, account):
        return texts.WITHDRAWAL
    account.cash -= amount
    delta: dict[str, object] = {
        "type": "withdraw",
        "usdc": dollars(amount - WITHDRAW_FEE),
        "nonce": action.time,
        "fee": dollars(WITHDRAW_FEE),
    }
    _book(world, delta, account)
    return None


def spot_send(world: World, account: Account, action: SpotSend, signer: str) -> str | None:
    """Spot USDC to another address; other tokens are not modelled."""
    if action.token.partition(":")[0] != "USDC":
        return texts.UNKNOWN_TOKEN.format(token=action.token)
    try:
        destination, amount = address(action.destination), parse_decimal(action.amount)
    except ShapeError:
        return texts.INVALID_SEND
    if amount > account.spot_usdc or amount == 0:
        return texts.BALANCE
    target = world.accounts.get(destination) or world.open_account(destination)
    account.spot_usdc -= amount
    target.spot_usdc += amount
    world.touch(account)
    world.touch(target)
    return None


def send_asset(world: World, account: Account, action: SendAsset, signer: str) -> str | None:
    """Within one account between perp ("") and spot; other routes are not modelled."""
    return _send(world, account, action)


def agent_send_asset(world: World, account: Account, action: AgentSendAsset, signer: str) -> str | None:
    if action.destination != account.address and action.destination not in account.subs:
        return texts.AGENT_SEND
    return _send(world, account, action)


def _send(world: World, account: Account, action: SendAsset | AgentSendAsset) -> str | None:
    amount = _amount(action.amount)
    if amount is None:
        return texts.INVALID_SEND
    if amount == 0:
        return texts.ZERO_SEND
    if action.token.partition(":")[0] != "USDC":
        return texts.UNKNOWN_TOKEN.format(token=action.token)
    route = (action.sourceDex, action.destinationDex)
    if route not in {("", "spot"), ("spot", "")}:
        return texts.INVALID_DEX
    if action.destination.lower() != account.address:
        return texts.TRANSFERS_UNMODELLED
    return _between_classes(world, account, amount, to_perp=route == ("spot", ""))


def _book(world: World, delta: dict[str, object], *accounts: Account) -> None:
    """Store the accounts and write the movement into their ledgers."""
    for account in accounts:
        world.touch(account)
        world.add_history(account.address, "ledger", delta)
