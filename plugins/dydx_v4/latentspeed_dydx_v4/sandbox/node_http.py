"""The node over HTTP, as far as traders use it: CometBFT's RPC and the REST of cosmos-sdk, before the same chain.

Some clients, ccxt among them, speak neither gRPC nor protobuf services. Paths: /abci_info, /broadcast_tx_sync and
/broadcast_tx_async (RPC, with `tx` as 0x and hex digits); /cosmos/auth/v1beta1/account_info/ADDRESS and
/cosmos/tx/v1beta1/simulate (REST).
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import msgspec

from latentspeed_cli.sandbox.model import HttpRequest, HttpResponse

from .node import INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED, UNKNOWN, VERSION
from .refusals import Refused
from .tx import hash_of
from .tx_messages import PUBLIC_KEY_URL

if TYPE_CHECKING:
    from .chain import Chain
    from .world import World

PATHS = ("/abci_info", "/broadcast_tx_sync", "/broadcast_tx_async", "/cosmos/")
_ACCOUNT_INFO = "/cosmos/auth/v1beta1/account_info/"
_SIMULATE = "/cosmos/tx/v1beta1/simulate"
# gRPC codes as its gateway answers them.
_HTTP = {INVALID_ARGUMENT: 400, NOT_FOUND: 404, UNIMPLEMENTED: 501}


class NodeHttp:
    """Answers requests."""

    def __init__(self, world: World, chain: Chain) -> None:
        self.world = world
        self.chain = chain

    def handle(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/abci_info":
            return _result({"response": self._abci_info()})
        if request.path in ("/broadcast_tx_sync", "/broadcast_tx_async"):
            return self._broadcast(request.query.get("tx", ""), sync=request.path.endswith("_sync"))
        if request.path.startswith(_ACCOUNT_INFO):
            return self._account_info(request.path.removeprefix(_ACCOUNT_INFO))
        if request.path == _SIMULATE and request.method == "POST":
            return self._simulate(request.body)
        return _failure(UNIMPLEMENTED, "Not Implemented")

    # ---- CometBFT --------------------------------------------------------------------------------

    def _abci_info(self) -> dict[str, Any]:
        height = self.world.counters.height
        app_hash = b64encode(bytes.fromhex(self.world.digest("app", height))).decode()
        return {
            "data": "dydxprotocol",
            "version": VERSION,
            "last_block_height": str(height),
            "last_block_app_hash": app_hash,
        }

    def _broadcast(self, given: str, *, sync: bool) -> HttpResponse:
        try:
            raw = bytes.fromhex(given.removeprefix("0x"))
        except ValueError:
            return _error(-32602, "Invalid params", "error converting http params to arguments")
        answer = self.chain.broadcast(raw)
        if answer.code == 19:
            return _error(-32603, "Internal error", "tx already exists in cache")
        if not sync:
            return _result({"code": 0, "data": "", "log": "", "codespace": "", "hash": hash_of(raw)})
        return _result(
            {
                "code": answer.code,
                "data": "",
                "log": answer.raw_log,
                "codespace": answer.codespace,
                "hash": answer.hash,
            }
        )

    # ---- cosmos-sdk ------------------------------------------------------------------------------

    def _account_info(self, address: str) -> HttpResponse:
        account = self.world.accounts.get(address)
        if account is None:
            return _failure(NOT_FOUND, f"account {address} not found")
        key = account.public_key
        return _json(
            200,
            {
                "info": {
                    "address": address,
                    "pub_key": {"@type": PUBLIC_KEY_URL, "key": b64encode(key).decode()} if key else None,
                    "account_number": str(account.number),
                    "sequence": str(account.sequence),
                }
            },
        )

    def _simulate(self, body: bytes) -> HttpResponse:
        try:
            given = msgspec.json.decode(body, type=dict[str, Any])
            # The gateway takes both spellings.
            raw = b64decode(given.get("tx_bytes") or given.get("txBytes") or "", validate=True)
        except (msgspec.MsgspecError, binascii.Error, TypeError) as error:
            return _failure(INVALID_ARGUMENT, str(error))
        if not raw:
            return _failure(INVALID_ARGUMENT, "invalid empty tx")
        try:
            used = self.chain.simulate(raw)
        except Refused as refused:
            return _failure(UNKNOWN, f"{refused.raw_log} with gas used: '0'")
        return _json(200, {"gas_info": {"gas_wanted": str(2**64 - 1), "gas_used": str(used)}, "result": {}})


def _json(status: int, body: object) -> HttpResponse:
    return HttpResponse(status=status, body=msgspec.json.encode(body))


def _result(result: object) -> HttpResponse:
    return _json(200, {"jsonrpc": "2.0", "id": -1, "result": result})


def _error(code: int, message: str, data: str) -> HttpResponse:
    return _json(500, {"jsonrpc": "2.0", "id": -1, "error": {"code": code, "message": message, "data": data}})


def _failure(code: int, message: str) -> HttpResponse:
    """A gRPC status as the gateway shows it."""
    return _json(_HTTP.get(code, 500), {"code": code, "message": message, "details": []})
