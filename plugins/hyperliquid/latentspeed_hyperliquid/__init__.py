"""The Hyperliquid connector of latentspeed."""
