"""Shared fixtures and the order of tests, all defined in ``tests/support``."""

from tests.support.browser.chromium import (
    blank,
    browser,
    context_options,
    keep_context,
    new_context,
    page,
)
from tests.support.garbage import pytest_collection
from tests.support.order import pytest_collection_modifyitems
from tests.support.passwords import cheap_passwords, ordinary_passwords
from tests.support.recordings.small_disk import small_disk
from tests.support.servers.cluster import bus, own_redis, shared_redis, start_node
from tests.support.servers.server import connect, share_server, start_server

__all__ = [
    "blank",
    "browser",
    "bus",
    "cheap_passwords",
    "connect",
    "context_options",
    "keep_context",
    "new_context",
    "ordinary_passwords",
    "own_redis",
    "page",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "share_server",
    "shared_redis",
    "small_disk",
    "start_node",
    "start_server",
]
