"""Fixtures that any test may use, and the order of tests; all of it is in ``tests/support``."""

from tests.support.browser import blank, browser, context_options, keep_context, new_context, page
from tests.support.certificates import certified
from tests.support.cluster import bus, own_redis, shared_redis, start_node
from tests.support.fakes import camera, clock, fanout, link, make_camera
from tests.support.order import pytest_collection_modifyitems
from tests.support.passwords import cheap_passwords, ordinary_passwords
from tests.support.server import connect, share_server, start_server

__all__ = [
    "blank",
    "browser",
    "bus",
    "camera",
    "certified",
    "cheap_passwords",
    "clock",
    "connect",
    "context_options",
    "fanout",
    "keep_context",
    "link",
    "make_camera",
    "new_context",
    "ordinary_passwords",
    "own_redis",
    "page",
    "pytest_collection_modifyitems",
    "share_server",
    "shared_redis",
    "start_node",
    "start_server",
]
