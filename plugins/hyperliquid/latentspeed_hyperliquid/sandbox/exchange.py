"""POST /exchange: shape, signer, account, nonce, expiry, limits, and then the action. Answers in the venue's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eth_account.messages import SignableMessage

from . import actions, admin, agents, limits, orders, signatures, texts, transfers, triggers, user_actions
from .actions import Action
from .numbers import ShapeError
from .state import Account
from .user_actions import UserAction

if TYPE_CHECKING:
    from .world import World

MAX_ITEMS = 200

Answer = dict[str, object]


class Refused(Exception):
    """The whole action is refused with this text."""


def err(text: str) -> Answer:
    return {"status": "err", "response": text}


def done(response: dict[str, object]) -> Answer:
    return {"status": "ok", "response": response}


def items_of(action: Action | UserAction) -> int:
    """How many orders, cancels or changes an action holds; at least one for the limits."""
    for name in ("orders", "cancels", "modifies"):
        found = getattr(action, name, None)
        if found is not None:
            return max(len(found), 1)
    return 1


def handle(world: World, raw: object) -> Answer:
    """Carry out one posted action. Raises ShapeError (HTTP 422) before anything else is looked at."""
    envelope, action = actions.read(raw)
    message = _message(envelope, action)
    try:
        signer = signatures.recover(message, envelope.signature)
        if signer is None:
            return err(texts.UNRECOVERABLE)
        if isinstance(action, UserAction):
            return _user_signed(world, envelope, action, signer)
        return _l1(world, envelope, action, signer)
    except Refused as refusal:
        return err(str(refusal))
    finally:
        triggers.after_fills(world)


def _message(envelope: actions.Envelope, action: Action | UserAction) -> SignableMessage:
    """What must have been signed. Raises ShapeError for integers that fit no 64 bits."""
    try:
        if isinstance(action, UserAction):
            return signatures.user_message(action)
        return signatures.l1_message(action, envelope.nonce, envelope.vaultAddress, envelope.expiresAfter)
    except OverflowError as error:
        raise ShapeError(str(error)) from error


def _l1(world: World, envelope: actions.Envelope, action: Action, signer: str) -> Answer:
    master = _resolve(world, signer)
    account = master
    if envelope.vaultAddress is not None:
        vault = world.accounts.get(envelope.vaultAddress)
        if vault is None or vault.master != master.address:
            raise Refused(texts.VAULT.format(address=envelope.vaultAddress))
        account = vault
    if items_of(action) > MAX_ITEMS:
        raise Refused(texts.OVERWEIGHT)
    _admit(world, signer, envelope.nonce)
    is_cancel = isinstance(action, actions.CancelOrders | actions.CancelByCloid)
    expired = envelope.expiresAfter is not None and world.now_ms > envelope.expiresAfter
    refusal = limits.count_actions(world, account, items_of(action), is_cancel=is_cancel, expired=expired)
    if expired:
        raise Refused(texts.EXPIRED)
    if refusal is not None:
        raise Refused(refusal)
    if world.forced_refusals:
        raise Refused(world.forced_refusals.pop(0))
    world.next_action()
    return _HANDLERS[type(action)](world, account, action, signer)


def _user_signed(world: World, envelope: actions.Envelope, action: UserAction, signer: str) -> Answer:
    """A user-signed action acts on the signer's own account, whoever that is."""
    account = world.accounts.get(signer)
    if account is None or envelope.vaultAddress is not None or envelope.expiresAfter is not None:
        raise Refused(texts.MUST_DEPOSIT.format(address=signer))
    if action.hyperliquidChain != "Testnet" or action.stamp() != envelope.nonce:
        raise Refused(texts.UNKNOWN_SIGNER.format(address=signer))
    _admit(world, signer, envelope.nonce)
    refusal = limits.count_actions(world, account, 1, is_cancel=False)
    if refusal is not None:
        raise Refused(refusal)
    world.next_action()
    return _HANDLERS[type(action)](world, account, action, signer)


def _resolve(world: World, signer: str) -> Account:
    """The account a signer acts for: its own, or its master's when it is an approved agent."""
    account = world.accounts.get(signer)
    if account is not None and account.master is None:
        return account
    approved = world.agents.get(signer)
    if approved is not None and approved[1].valid_until > world.now_ms:
        return world.accounts[approved[0]]
    if signer in world.former_agents:
        raise Refused(texts.MUST_DEPOSIT.format(address=world.former_agents[signer]))
    raise Refused(texts.UNKNOWN_SIGNER.format(address=signer))


def _admit(world: World, signer: str, nonce: int) -> None:
    refusal = limits.admit_nonce(world, signer, nonce)
    if refusal is not None:
        raise Refused(refusal)


# ---- what each action answers --------------------------------------------------------------------


def _statuses(kind: str, statuses: list[object]) -> Answer:
    return done({"type": kind, "data": {"statuses": statuses}})


def _place(world: World, account: Account, action: actions.PlaceOrders, signer: str) -> Answer:
    return _statuses("order", orders.place(world, account, action))


def _cancel(
    world: World, account: Account, action: actions.CancelOrders | actions.CancelByCloid, signer: str
) -> Answer:
    return _statuses("cancel", orders.cancel_orders(world, account, action))


def _modify(world: World, account: Account, action: actions.ModifyOrder, signer: str) -> Answer:
    text = orders.modify(world, account, action)
    return done({"type": "default"}) if text is None else err(text)


def _batch_modify(world: World, account: Account, action: actions.BatchModify, signer: str) -> Answer:
    return _statuses("order", orders.batch_modify(world, account, action))


def _twap_order(world: World, account: Account, action: actions.TwapOrder, signer: str) -> Answer:
    return done({"type": "twapOrder", "data": {"status": {"error": texts.UNSUPPORTED.format(name="twapOrder")}}})


def _twap_cancel(world: World, account: Account, action: actions.TwapCancel, signer: str) -> Answer:
    return done({"type": "twapCancel", "data": {"status": {"error": texts.TWAP_GONE}}})


def _create_sub(world: World, account: Account, action: actions.CreateSubAccount, signer: str) -> Answer:
    created, text = transfers.create_sub_account(world, account, action)
    return err(text) if text else done({"type": "createSubAccount", "data": created})


Simple = Callable[["World", Account, Any, str], str | None]


def _simple(function: Simple) -> Callable[..., Answer]:
    """An action that answers `default`, or an error text for the whole of it."""

    def answer(world: World, account: Account, action: Any, signer: str) -> Answer:
        text = function(world, account, action, signer)
        return done({"type": "default"}) if text is None else err(text)

    return answer


_HANDLERS: dict[type, Callable[..., Answer]] = {
    actions.PlaceOrders: _place,
    actions.CancelOrders: _cancel,
    actions.CancelByCloid: _cancel,
    actions.ModifyOrder: _modify,
    actions.BatchModify: _batch_modify,
    actions.TwapOrder: _twap_order,
    actions.TwapCancel: _twap_cancel,
    actions.CreateSubAccount: _create_sub,
    actions.ScheduleCancel: _simple(admin.schedule_cancel),
    actions.UpdateLeverage: _simple(admin.update_leverage),
    actions.UpdateIsolatedMargin: _simple(admin.update_isolated_margin),
    actions.TopUpIsolatedOnlyMargin: _simple(admin.top_up),
    actions.Noop: _simple(admin.accept),
    actions.EvmUserModify: _simple(admin.accept),
    actions.ClaimRewards: _simple(admin.accept),
    actions.SetDisplayName: _simple(admin.accept),
    actions.RegisterReferrer: _simple(admin.accept),
    actions.AgentEnableDexAbstraction: _simple(admin.accept),
    actions.AgentSetAbstraction: _simple(admin.agent_set_abstraction),
    user_actions.UserSetAbstraction: _simple(admin.user_set_abstraction),
    user_actions.UserDexAbstraction: _simple(admin.accept),
    actions.ReserveRequestWeight: _simple(admin.reserve_request_weight),
    actions.SetReferrer: _simple(admin.set_referrer),
    user_actions.ApproveBuilderFee: _simple(admin.approve_builder_fee),
    user_actions.ApproveAgent: _simple(agents.approve),
    actions.SubAccountModify: _simple(transfers.rename_sub_account),
    actions.SubAccountTransfer: _simple(transfers.sub_account_transfer),
    actions.VaultTransfer: _simple(transfers.vault_transfer),
    user_actions.UsdClassTransfer: _simple(transfers.usd_class_transfer),
    user_actions.UsdSend: _simple(transfers.usd_send),
    user_actions.SpotSend: _simple(transfers.spot_send),
    user_actions.Withdraw: _simple(transfers.withdraw),
    user_actions.SendAsset: _simple(transfers.send_asset),
    actions.AgentSendAsset: _simple(transfers.agent_send_asset),
}
