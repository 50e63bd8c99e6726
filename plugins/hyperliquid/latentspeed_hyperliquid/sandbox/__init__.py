"""A local Hyperliquid: pure and synchronous, behind the shell of latentspeed_cli.sandbox.

Facts come from the venue's documentation and recorded traffic (state of August to November 2026). What is simplified is
said where it is simplified.
"""
