"""A local dYdX chain and indexer: pure and synchronous, behind the shell of latentspeed_cli.sandbox.

Facts come from the protocol's source (v9.6.1 and the indexer of March 2026), the official documents and recordings. One
node stands for all: it checks, matches and proposes, so what it accepts is in its next block. What else is simplified
is said where it is simplified.
"""
