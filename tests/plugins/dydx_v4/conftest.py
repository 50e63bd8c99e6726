"""A local venue, the way to it, and runs of the product on one journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.connector import DydxV4Perpetual
from latentspeed_dydx_v4.sandbox.accounts import PRIVATE_KEYS
from latentspeed_dydx_v4.web_utils import DydxV4WebUtils

from latentspeed_cli.connector import canceller, reader, reconciler
from latentspeed_cli.connector.parts import Parts
from latentspeed_cli.core.guards import Guards
from latentspeed_cli.entropy import SeededEntropy
from latentspeed_cli.journal import Journal
from latentspeed_cli.keys import Secret

from .local_venue import Venue
from .trading import SETTINGS, Runs, Way, WayClock


@pytest.fixture
def venue() -> Venue:
    venue = Venue(flow=True)
    venue.pass_blocks(15)  # until somebody has traded
    return venue


@pytest.fixture
def way(venue: Venue) -> Way:
    return Way(venue)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue's time passes with requests, so nothing has to be waited for."""
    monkeypatch.setattr(reconciler, "FOLLOW_WAITS_S", (0.0,) * 3)
    for name in ("PENDING_WAIT_S", "LEASE_POLL_S"):
        monkeypatch.setattr(reconciler, name, 0.0)
    monkeypatch.setattr(reconciler, "FENCE_WAITS_S", (0.0,))
    monkeypatch.setattr(reconciler, "USED_NONCE_LOOKS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(reader, "RETRY_WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(canceller, "RETRY_WAITS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(canceller, "WATCH_WAITS_S", (0.0,))
    monkeypatch.setattr(canceller, "LISTED_WAITS_S", (0.0,) * 4)


@pytest.fixture
def run(venue: Venue, way: Way, tmp_path: Path, no_waits: None) -> Iterator[Runs]:
    """Starts a run of the product: a journal connection and a memory of its own."""
    journals = []

    def run(index: int = 0, **settings: Any) -> DydxV4Perpetual:
        config = DydxV4Config(**{**SETTINGS, "key": Secret(PRIVATE_KEYS[index]), **settings})
        clock, auth = WayClock(way), DydxV4Auth(config)
        journal = Journal.open(tmp_path / "journal.db", network="sandbox", instance="", clock=clock)
        journals.append(journal)
        parts = Parts(
            venue="dydx_v4",
            network="sandbox",
            account=auth.account,
            auth=auth,
            web_utils=DydxV4WebUtils(config),
            http=way,
            streams=lambda: pytest.fail("no stream is needed"),
            order_book_source=lambda symbols: pytest.fail("no stream is needed"),
            user_stream_source=lambda symbols: pytest.fail("no stream is needed"),
            journal=journal,
            clock=clock,
            entropy=SeededEntropy(len(journals)),
            guards=Guards(),
        )
        return DydxV4Perpetual(parts, config)

    yield run
    for journal in journals:
        journal.verify()
        journal.close()
