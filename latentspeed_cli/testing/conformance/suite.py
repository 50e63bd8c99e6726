"""The cases as a class that pytest collects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .case import Case
from .expect import equal
from .ground import Ground

if TYPE_CHECKING:
    import pytest

CASE_S = 60.0


def suite(venue: str, *, pair: str = "BTC-USD") -> type:
    """A class with one test a case, on one local exchange for all. pair: the market they trade on."""
    import pytest

    from . import CASES

    class Conformance:
        @pytest.fixture(scope="class")
        @classmethod
        def ground(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
            ground = Ground(venue, tmp_path_factory.mktemp("exchange"), pair=pair)
            try:
                yield ground
            finally:
                ground.close()

        @pytest.mark.parametrize("case", CASES, ids=[case.number for case in CASES])
        def test_case(self, ground: Ground, case: Case) -> None:
            asyncio.run(run(case, ground))

    return Conformance


async def run(case: Case, ground: Ground) -> None:
    """Run one case from a clean start. Raises AssertionError, or whatever broke it."""
    async with asyncio.timeout(CASE_S):
        await ground.begin()
        await case.run(ground)
        equal("trouble that never struck", ground.unstruck(), [])
