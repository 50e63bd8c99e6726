"""One venue of a sandbox, and the listener that finds venues by path."""

from __future__ import annotations

import asyncio

from .connections import Connection
from .faults import FRAMES, Faults
from .home import AccountInfo, VenueInfo
from .model import Close, GrpcModel, Ping, Send, VenueModel


class Venue:
    """One model, its connections and the trouble ordered for it.

    site: the listener that serves it. node_url: where its gRPC listens, if it has any.
    """

    def __init__(self, model: VenueModel) -> None:
        self.model = model
        self.connections: dict[int, Connection] = {}
        self.faults = Faults()
        self.wake = asyncio.Event()
        self.ticked_at = 0.0
        self.site: Site | None = None
        self.node_url: str | None = None

    @property
    def name(self) -> str:
        return self.model.name

    def describe(self) -> VenueInfo:
        """Where it listens and who has an account. Only once its site listens."""
        assert self.site is not None
        ws_path = self.model.ws_paths[0] if self.model.ws_paths else ""
        return VenueInfo(
            base_url=self.site.url,
            ws_url="ws" + self.site.url.removeprefix("http") + ws_path,
            node_url=self.node_url,
            chain_id=self.model.chain_id if isinstance(self.model, GrpcModel) else None,
            accounts=tuple(
                AccountInfo(address=account.address, private_key=account.private_key, mnemonic=account.mnemonic)
                for account in self.model.accounts()
            ),
        )

    def deliver(self, item: Send | Close | Ping) -> Connection | None:
        """Put one item of the outbox on its connection, with the trouble that was ordered."""
        connection = self.connections.get(item.connection)
        if connection is None:
            return None
        if isinstance(item, Ping):
            connection.ping()
            return connection
        if isinstance(item, Close):
            connection.end(item.code, item.reason)
            return connection
        struck = self.faults.take(FRAMES, connection.path, item.text) if self.faults else None
        kind = struck[0] if struck else None
        if kind == "reorder_frames" and connection.held is None:
            connection.held = item.text
            return connection
        if kind != "drop_frame":
            connection.send(item.text)
        if kind == "duplicate_frame":
            connection.send(item.text)
        if connection.held is not None:
            connection.send(connection.held)
            connection.held = None
        return connection


class Site:
    """One listener and the venues it serves, found by path. A path that ends with "/" covers all below it."""

    def __init__(self) -> None:
        self.http: dict[str, Venue] = {}
        self.ws: dict[str, Venue] = {}
        self.url = ""
        self.port = 0

    def serves(self, model: VenueModel) -> bool:
        """Whether the paths of `model` are still free here."""
        return self.http.keys().isdisjoint(model.http_paths) and self.ws.keys().isdisjoint(model.ws_paths)

    def add(self, venue: Venue) -> None:
        self.http |= dict.fromkeys(venue.model.http_paths, venue)
        self.ws |= dict.fromkeys(venue.model.ws_paths, venue)
        venue.site = self

    def find(self, path: str) -> Venue | None:
        venue = self.http.get(path)
        while venue is None and path != "/":
            path = path.rstrip("/").rpartition("/")[0] + "/"
            venue = self.http.get(path)
        return venue
