"""The user-signed actions of /exchange as typed values. Their strings are hashed exactly as posted."""

from __future__ import annotations

from typing import Literal

import msgspec

from .numbers import ShapeError
from .texttypes import address


class UserAction(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of the user-signed actions: signed as typed data over the strings exactly as posted."""

    signatureChainId: str
    hyperliquidChain: Literal["Mainnet", "Testnet"]

    def stamp(self) -> int:
        """The time or nonce inside, which must equal the envelope's."""
        return getattr(self, "nonce", 0) or getattr(self, "time", 0)

    def settle(self) -> None:
        """Check what the shape of the strings promises."""
        try:
            int(self.signatureChainId, 16)
        except ValueError as error:
            raise ShapeError(self.signatureChainId) from error


class UsdSend(UserAction, tag="usdSend", kw_only=True):
    destination: str
    amount: str
    time: int


class SpotSend(UserAction, tag="spotSend", kw_only=True):
    destination: str
    token: str
    amount: str
    time: int


class Withdraw(UserAction, tag="withdraw3", kw_only=True):
    destination: str
    amount: str
    time: int


class UsdClassTransfer(UserAction, tag="usdClassTransfer", kw_only=True):
    amount: str
    toPerp: bool
    nonce: int


class SendAsset(UserAction, tag="sendAsset", kw_only=True):
    destination: str
    sourceDex: str
    destinationDex: str
    token: str
    amount: str
    fromSubAccount: str
    nonce: int


class ApproveAgent(UserAction, tag="approveAgent", kw_only=True):
    agentAddress: str
    agentName: str | None = None
    nonce: int

    def settle(self) -> None:
        super().settle()
        self.agentAddress = address(self.agentAddress)


class ApproveBuilderFee(UserAction, tag="approveBuilderFee", kw_only=True):
    maxFeeRate: str
    builder: str
    nonce: int

    def settle(self) -> None:
        super().settle()
        self.builder = address(self.builder)


class UserSetAbstraction(UserAction, tag="userSetAbstraction", kw_only=True):
    user: str
    abstraction: Literal["disabled", "unifiedAccount", "portfolioMargin"]
    nonce: int

    def settle(self) -> None:
        super().settle()
        self.user = address(self.user)


class UserDexAbstraction(UserAction, tag="userDexAbstraction", kw_only=True):
    user: str
    enabled: bool
    nonce: int

    def settle(self) -> None:
        super().settle()
        self.user = address(self.user)


UserSigned = (
    UsdSend
    | SpotSend
    | Withdraw
    | UsdClassTransfer
    | SendAsset
    | ApproveAgent
    | ApproveBuilderFee
    | UserSetAbstraction
    | UserDexAbstraction
)
