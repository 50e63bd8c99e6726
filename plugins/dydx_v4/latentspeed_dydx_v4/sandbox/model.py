"""The venue model: one node and its indexer. Hands each request to its part, keeps the time, collects what goes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from latentspeed_cli.sandbox.model import (
    Close,
    HttpRequest,
    HttpResponse,
    Ping,
    SandboxAccount,
    Scenario,
    Send,
    StoredRow,
)

from . import control, engine, node_http, tapes
from .accounts import ADDRESSES, MNEMONICS, PRIVATE_KEYS
from .chain import Chain
from .feeds import Feeds
from .indexer import Indexer
from .node import Node
from .rest import Rest
from .sockets import Sockets
from .state import Block
from .universe import CHAIN_ID
from .world import World

# More blocks than this at once are skipped: nobody was there to see them.
CATCH_UP = 50


class DydxModel:
    """Implements latentspeed_cli.sandbox.model.GrpcModel."""

    name = "dydx_v4"
    http_paths: tuple[str, ...] = ("/v4/", *node_http.PATHS)
    ws_paths: tuple[str, ...] = ("/v4/ws",)
    chain_id = CHAIN_ID

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self.chain = Chain(self.world)
        self.node = Node(self.world, self.chain)
        self.node_http = node_http.NodeHttp(self.world, self.chain)
        self.indexer = Indexer(self.world)
        self.rest = Rest(self.world, self.indexer)
        self.sockets = Sockets(self.indexer)
        self.feeds = Feeds(self.indexer, self.sockets)
        self.controlled = control.Venue(
            self.world, self.chain, self.node, self.indexer, self.rest, self.sockets, self.feeds
        )

    @property
    def grpc_methods(self) -> tuple[str, ...]:
        """The method paths of grpc()."""
        return tuple(self.node.methods)

    def accounts(self) -> tuple[SandboxAccount, ...]:
        return tuple(
            SandboxAccount(index=index, address=address, private_key=key, mnemonic=words)
            for index, (address, key, words) in enumerate(zip(ADDRESSES, PRIVATE_KEYS, MNEMONICS, strict=True))
        )

    # ---- state -----------------------------------------------------------------------------------

    def load(self, rows: Iterable[StoredRow], now_ns: int) -> None:
        self.world.now_ns = now_ns
        kept = list(rows)
        if self.world.load(kept):
            self.indexer.load(kept)
            self.chain.rebuild_book()
            tapes.restore(self.indexer)
        else:
            self.world.start(now_ns)
            self.indexer.start()

    def changed_rows(self) -> list[StoredRow]:
        return self.world.changed_rows()

    def outbox(self) -> list[Send | Close | Ping]:
        out, self.sockets.outbox = self.sockets.outbox, []
        return out

    # ---- requests --------------------------------------------------------------------------------

    def grpc(self, method: str, body: bytes, now_ns: int) -> tuple[int, bytes]:
        """One unary call: (gRPC status code, serialised answer or status message)."""
        self.world.now_ns = now_ns
        answer = self.node.call(method, body)
        self._news()
        return answer

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        self.world.now_ns = now_ns
        self._news()
        if request.path.startswith("/v4/"):
            return self.rest.handle(request)
        answer = self.node_http.handle(request)
        self._news()
        return answer

    def ws_open(self, connection: int, path: str, peer: str, now_ns: int) -> HttpResponse | None:
        self.world.now_ns = now_ns
        self.sockets.open(connection)
        return None

    def ws_frame(self, connection: int, text: str, now_ns: int) -> None:
        self.world.now_ns = now_ns
        self._news()
        self.sockets.frame(connection, text)
        self.feeds.run()

    def ws_close(self, connection: int, now_ns: int) -> None:
        self.world.now_ns = now_ns
        self.sockets.close(connection)

    def ws_pong(self, connection: int, now_ns: int) -> None:
        self.world.now_ns = now_ns
        self.sockets.pong(connection)

    # ---- time ------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> int:
        """Background flow, blocks, the indexer, batches."""
        world = self.world
        world.now_ns = now_ns
        for market in world.markets.values():
            if market.watched:
                engine.advance(world, market)
        self._blocks()
        self._news()
        self.feeds.run()
        self.sockets.flush_batches()
        return self._due(self.sockets.keep_alive())

    def _blocks(self) -> None:
        """Make the blocks that are due; a long gap is bridged by one block of a much greater height."""
        world = self.world
        behind = (world.now_ns - world.counters.block_time_ns) // world.block_ns
        if self.chain.halted or behind <= 0:
            return
        skipped = behind - 1 if behind > CATCH_UP else 0
        for _ in range(behind - skipped):
            time_ns = world.counters.block_time_ns + world.block_ns * (1 + skipped)
            self.feeds.committed(self.chain.commit(time_ns, skipped))
            skipped = 0

    def _news(self) -> None:
        """What the node has told the indexer and has arrived: off-chain news, and blocks."""
        for news in self.world.take_news():
            if isinstance(news, Block):
                self.feeds.blocks_before(news.height)
            for update in self.indexer.apply(news):
                self.sockets.publish_account(update)

    def _due(self, ping_ns: int | None) -> int:
        world = self.world
        due = [world.counters.block_time_ns + world.block_ns] if not self.chain.halted else [world.now_ns + 500_000_000]
        due += [item.due_ns for item in world.pending]
        more = (self.feeds.due_ns, self.sockets.next_batch_ns or None, ping_ns)
        return min([*due, *(time for time in more if time is not None)])

    # ---- control ---------------------------------------------------------------------------------

    def control(self, command: str, arguments: Mapping[str, object], now_ns: int) -> object:
        self.world.now_ns = now_ns
        try:
            return control.COMMANDS.run(self.controlled, command, arguments)
        finally:
            self._news()
            self.feeds.run()
