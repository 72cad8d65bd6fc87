"""Fixtures that any test may use; what they are made of is in ``tests/support``."""

from tests.support.fakes import camera, clock, fanout, link, make_camera
from tests.support.server import connect, share_server, start_server

__all__ = [
    "camera",
    "clock",
    "connect",
    "fanout",
    "link",
    "make_camera",
    "share_server",
    "start_server",
]
