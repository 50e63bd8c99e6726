"""`python -m latentspeed_cli`: the same program as `latentspeed`."""

from .main import run

run()
