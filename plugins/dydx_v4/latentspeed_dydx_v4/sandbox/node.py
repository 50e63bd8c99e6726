"""The node's gRPC services: bytes in, (status code, bytes) out, by method path (fact sheet section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from . import node_messages as m
from . import queries
from .numbers import iso
from .refusals import Panic, Refused
from .tx import hash_of
from .tx_messages import PUBLIC_KEY_URL, AnyMessage, AuthInfo, Coin, PubKey, TxBody, TxRaw
from .universe import CHAIN_ID
from .wire import Message, WireError, decode, encode

if TYPE_CHECKING:
    from .chain import Chain
    from .state import TxResult
    from .world import World

OK, UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 2, 3, 5, 12, 13, 14
VERSION = "9.6.1"


class Status(Exception):
    """An answer that is a gRPC status."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(text)


class Node:
    """Answers gRPC calls."""

    def __init__(self, world: World, chain: Chain) -> None:
        self.world = world
        self.chain = chain
        self.unavailable_before = 0  # how many of the next calls find nobody, or lose their answer once it is there
        self.unavailable_after = 0
        self.broadcasts = 0  # how many transactions were handed in, whatever became of them
        self.methods: Mapping[str, Callable[[bytes], Message]] = {
            "/cosmos.auth.v1beta1.Query/Account": self._account,
            "/cosmos.tx.v1beta1.Service/BroadcastTx": self._broadcast,
            "/cosmos.tx.v1beta1.Service/GetTx": self._get_tx,
            "/cosmos.tx.v1beta1.Service/Simulate": self._simulate,
            "/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock": self._latest_block,
            "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo": self._node_info,
            "/cosmos.bank.v1beta1.Query/Balance": self._balance,
            "/cosmos.bank.v1beta1.Query/AllBalances": self._balances,
            **{path: _bound(world, answer) for path, answer in queries.QUERIES.items()},
        }

    def call(self, method: str, body: bytes) -> tuple[int, bytes]:
        """(gRPC status code, serialised answer or the status message)."""
        if self.unavailable_before > 0:
            self.unavailable_before -= 1
            return UNAVAILABLE, b"connection refused by the node"
        answer = self._answer(method, body)
        if self.unavailable_after > 0:
            self.unavailable_after -= 1
            return UNAVAILABLE, b"transport is closing"
        return answer

    def _answer(self, method: str, body: bytes) -> tuple[int, bytes]:
        handler = self.methods.get(method)
        if handler is None:
            service, _, name = method.removeprefix("/").partition("/")
            return UNIMPLEMENTED, f"unknown method {name} for service {service}".encode()
        try:
            return OK, encode(handler(body))
        except WireError as error:
            return INTERNAL, f"grpc: error unmarshalling request: {error}".encode()
        except Status as status:
            return status.code, status.text.encode()
        except queries.NotFound as missing:
            return NOT_FOUND, str(missing).encode()
        except Panic as panic:
            return INTERNAL, str(panic).encode()

    # ---- transactions ----------------------------------------------------------------------------

    def _broadcast(self, body: bytes) -> Message:
        self.broadcasts += 1
        request = decode(m.BroadcastTxRequest, body, strict=False)
        if not request.tx_bytes:
            raise Status(INVALID_ARGUMENT, "invalid empty tx")
        if request.mode not in (2, 3):
            raise Status(UNKNOWN, "unsupported return type unspecified; supported types: sync, async")
        answer = self.chain.broadcast(request.tx_bytes)
        if request.mode == 3:
            return m.BroadcastTxResponse(tx_response=m.TxResponse(txhash=hash_of(request.tx_bytes)))
        return m.BroadcastTxResponse(
            tx_response=m.TxResponse(
                txhash=answer.hash, codespace=answer.codespace, code=answer.code, raw_log=answer.raw_log
            )
        )

    def _get_tx(self, body: bytes) -> Message:
        name = decode(m.ByHash, body, strict=False).hash
        if not name:
            raise Status(INVALID_ARGUMENT, "tx hash cannot be empty")
        found = self.world.txs.get(name.upper())
        if found is None or found.height > self.world.counters.height:
            raise Status(NOT_FOUND, f"tx not found: {name}")
        return m.GetTxResponse(tx=_cosmos_tx(found.raw), tx_response=_tx_response(found))

    def _simulate(self, body: bytes) -> Message:
        request = decode(m.SimulateRequest, body, strict=False)
        # The older field holds a Tx, which has the same bytes as a TxRaw.
        raw = request.tx_bytes or request.tx
        if not raw:
            raise Status(INVALID_ARGUMENT, "invalid empty tx")
        try:
            used = self.chain.simulate(raw)
        except Refused as refused:
            raise Status(UNKNOWN, f"{refused.raw_log} with gas used: '0'") from refused
        return m.SimulateResponse(gas_info=m.GasInfo(gas_wanted=2**63, gas_used=used), result=m.Empty())

    # ---- accounts and blocks ---------------------------------------------------------------------

    def _account(self, body: bytes) -> Message:
        address = decode(m.ByAddress, body, strict=False).address
        account = self.world.accounts.get(address)
        if account is None:
            raise Status(NOT_FOUND, f"account {address} not found")
        key = AnyMessage(type_url=PUBLIC_KEY_URL, value=encode(PubKey(key=account.public_key)))
        found = m.BaseAccount(
            address=address,
            pub_key=key if account.public_key else None,
            account_number=account.number,
            sequence=account.sequence,
        )
        return m.AccountResponse(account=AnyMessage(type_url="/cosmos.auth.v1beta1.BaseAccount", value=encode(found)))

    def _latest_block(self, body: bytes) -> Message:
        counters = self.world.counters
        seconds, nanos = divmod(counters.block_time_ns, 1_000_000_000)
        header = m.Header(chain_id=CHAIN_ID, height=counters.height, time=m.Timestamp(seconds=seconds, nanos=nanos))
        block = m.BlockMessage(header=header)
        name = bytes.fromhex(self.world.digest("block", counters.height))
        return m.LatestBlockResponse(block_id=m.BlockId(hash=name), block=block, sdk_block=block)

    def _node_info(self, body: bytes) -> Message:
        return m.NodeInfoResponse(
            default_node_info=m.NodeInfo(network=CHAIN_ID, version="0.38.17"),
            application_version=m.VersionInfo(name="dydxprotocol", app_name="dydxprotocold", version=VERSION),
        )

    def _balance(self, body: bytes) -> Message:
        request = decode(m.ByAddress, body, strict=False)
        account = self.world.accounts.get(request.address)
        held = account.held(request.denom) if account else 0
        return m.BalanceResponse(balance=Coin(denom=request.denom, amount=str(held)))

    def _balances(self, body: bytes) -> Message:
        account = self.world.accounts.get(decode(m.ByAddress, body, strict=False).address)
        coins = sorted(account.coins.items()) if account else []
        held = tuple(Coin(denom=denom, amount=amount) for denom, amount in coins if amount != "0")
        return m.BalancesResponse(balances=held, pagination=m.Page(total=len(held)))


def _bound(world: World, answer: Callable[[World, bytes], Message]) -> Callable[[bytes], Message]:
    return lambda body: answer(world, body)


def _cosmos_tx(raw: bytes) -> m.CosmosTx:
    envelope = decode(TxRaw, raw)
    return m.CosmosTx(
        body=decode(TxBody, envelope.body_bytes),
        auth_info=decode(AuthInfo, envelope.auth_info_bytes),
        signatures=envelope.signatures,
    )


def _tx_response(found: TxResult) -> m.TxResponse:
    return m.TxResponse(
        height=found.height,
        txhash=found.hash,
        codespace=found.codespace,
        code=found.code,
        raw_log=found.raw_log,
        gas_wanted=found.gas_wanted,
        gas_used=found.gas_used,
        tx=AnyMessage(type_url="/cosmos.tx.v1beta1.Tx", value=encode(_cosmos_tx(found.raw))),
        timestamp=iso(found.time_ns)[:19] + "Z",
    )
