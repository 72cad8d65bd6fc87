"""The fixtures of the live tests serve here too."""

from tests.live.conftest import connect, start_server

__all__ = ["connect", "start_server"]
