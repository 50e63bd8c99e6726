"""A connector on the tiny venue, with the real journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.connector import canceller, reader, reconciler
from latentspeed_cli.connector.parts import Parts
from latentspeed_cli.core.guards import Guards
from latentspeed_cli.entropy import SeededEntropy
from latentspeed_cli.journal import Journal

from .venue import ACCOUNT, Fault, ManualClock, TinyAuth, TinyConnector, TinyHttp, TinyVenue, TinyWebUtils


class Rig:
    """One venue, one disk, and as many runs of the product as a test needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.venue = TinyVenue(self.clock)
        self.http = TinyHttp(self.venue)
        self.journals: list[Journal] = []
        self.seed = 0

    def journal(self, name: str = "journal.db") -> Journal:
        journal = Journal.open(self.folder / name, network="sandbox", instance="", clock=self.clock)
        self.journals.append(journal)
        return journal

    def connector(self, **more: Any) -> TinyConnector:
        """A run of its own: another journal connection, another memory."""
        self.seed += 1
        fields: dict[str, Any] = {
            "venue": "tiny",
            "network": "sandbox",
            "account": ACCOUNT,
            "auth": TinyAuth(),
            "web_utils": TinyWebUtils(),
            "http": self.http,
            "streams": None,
            "order_book_source": None,
            "user_stream_source": None,
            "clock": self.clock,
            "entropy": SeededEntropy(self.seed),
            "guards": Guards(),
        }
        fields.update(more)
        if "journal" not in fields:
            fields["journal"] = self.journal()
        return TinyConnector(Parts(**fields))

    def lose_next(self, fault: Fault) -> None:
        """The next order meets `fault`, and from then on nothing can be asked, until `heal`."""
        self.http.faults["place"].append(fault)

        def cut(kind: str, body: object) -> None:
            if kind == "place":
                for other in ("status", "open", "fills", "fence"):
                    self.http.faults[other].extend([Fault.REFUSED] * 99)

        self.http.seen = cut

    def heal(self) -> None:
        self.http.faults.clear()
        self.http.seen = None


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    for journal in rig.journals:
        journal.verify()  # whatever a test did, the facts on disk are whole and the tables follow from them
        journal.close()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is tested by what happens after it, so it may be short."""
    monkeypatch.setattr(reconciler, "USED_NONCE_LOOKS_S", (0.01, 0.02, 0.04))
    monkeypatch.setattr(reconciler, "FENCE_WAITS_S", (0.0, 0.01, 0.01))
    monkeypatch.setattr(reconciler, "FILL_WAITS_S", (0.01, 0.01))
    monkeypatch.setattr(reconciler, "LEASE_POLL_S", 0.005)
    monkeypatch.setattr(reader, "RETRY_WAITS_S", (0.01, 0.01))
    monkeypatch.setattr(canceller, "RETRY_WAITS_S", (0.01, 0.01))
