"""Decisions without I/O: no await, no socket, no file, no clock."""
