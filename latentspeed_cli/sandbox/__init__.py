"""The local exchange: venue models behind one shell, on loopback, good enough for strangers' clients."""
