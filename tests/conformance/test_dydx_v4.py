"""The bundled connector passes every case."""

from latentspeed_cli.testing.conformance import suite

TestConformance = suite("dydx_v4")
