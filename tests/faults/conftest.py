"""The fixtures of the live tests serve here too."""

from tests.live.conftest import connect, share_server, start_server

__all__ = ["connect", "share_server", "start_server"]
