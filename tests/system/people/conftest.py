"""The users of this room's tests, and their server."""

from tests.support.servers.users import people, server

__all__ = ["people", "server"]
