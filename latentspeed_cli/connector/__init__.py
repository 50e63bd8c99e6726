"""The venue-neutral half of a connector: async, but it knows no HTTP or WebSocket library."""
