"""Sockets to a venue: one HTTP request once, and streams that come back. Library errors become ours only here."""
