"""The dYdX v4 connector."""
