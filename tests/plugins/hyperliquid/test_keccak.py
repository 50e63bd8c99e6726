"""Both Keccak implementations give the published digests; which one runs is only a matter of speed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

import pytest
from latentspeed_hyperliquid import keccak

DIGESTS = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    b"a": "3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb",
    b"Mainnet": "8d646f556e5d9d6f1edcf7a39b77f5ac253776eb34efcfd688aacbee518efc26",
    b"x" * 1000: None,
}


@pytest.fixture(params=["installed", "without the extension"])
def keccak256(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], bytes]:
    if request.param == "installed":
        return keccak.keccak256
    monkeypatch.setitem(sys.modules, "sha3", None)
    slow: Callable[[bytes], bytes] = importlib.reload(keccak).keccak256
    monkeypatch.undo()
    importlib.reload(keccak)
    assert slow is not keccak.keccak256
    return slow


def test_digests(keccak256: Callable[[bytes], bytes]) -> None:
    for data, digest in DIGESTS.items():
        expected = keccak.keccak256(data).hex() if digest is None else digest
        assert keccak256(data).hex() == expected
