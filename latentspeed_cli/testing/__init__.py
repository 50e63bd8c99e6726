"""What ships for tests of connectors and of programs that use this one."""
