"""Users and a server for this room's tests."""

from tests.support.servers.users import people, server

__all__ = ["people", "server"]
