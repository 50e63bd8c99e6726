"""Numbered cases that every connector must pass, bundled or not, against its venue's model on the local exchange.

A venue's test file says which venue it is, and nothing else:

    from latentspeed_cli.testing.conformance import suite

    TestConformance = suite("myvenue")

What a connector does not offer, by its ConnectorSpec, must be refused before anything is sent: that is what the cases
check then, and none is left out.
"""

from __future__ import annotations

from . import account_cases, data_cases, ending_cases, placing_cases, refusal_cases, trouble_cases
from .case import Case, cases_of
from .suite import suite

__all__ = ["CASES", "Case", "suite"]

MODULES = (data_cases, placing_cases, ending_cases, trouble_cases, refusal_cases, account_cases)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in cases_of(module))
