"""Fixtures that any test may use; what they are made of is in ``tests/support``."""

from tests.support.browser import browser, context_options, new_context, page
from tests.support.cluster import bus, start_node
from tests.support.fakes import camera, clock, fanout, link, make_camera
from tests.support.server import connect, share_server, start_server

__all__ = [
    "browser",
    "bus",
    "camera",
    "clock",
    "connect",
    "context_options",
    "fanout",
    "link",
    "make_camera",
    "new_context",
    "page",
    "share_server",
    "start_node",
    "start_server",
]
