"""latentspeed: one command line for several venues."""

__version__ = "0.1.0"
