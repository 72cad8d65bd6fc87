"""Fixtures of the unit tests, some applied to every test."""

import os
from collections.abc import Iterator

import pytest
from eventlet import tpool

from server.capture.isolation import process
from tests.support.fakes import camera, clock, fanout, link, make_camera
from tests.support.network.certificates import certified
from tests.support.servers.fork_children import Forks
from tests.support.servers.server import FORK_SERVER

__all__ = ["camera", "certified", "clock", "fanout", "link", "make_camera"]


@pytest.fixture(scope="session", autouse=True)
def native_threads() -> Iterator[None]:
    """Stop the pool of native threads after the last test, and close its sockets. A server must not
    wait for a stuck read at exit, so an app removes that cleanup from the process."""
    yield
    tpool.killall()


@pytest.fixture(scope="session", autouse=True)
def forked_children() -> Iterator[Forks]:
    """Fork the processes of cameras, processors and recordings; see ``fork_children.py``."""
    forks = FORK_SERVER.children()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "os", forks)
        yield forks
    forks.disconnect()


@pytest.fixture
def own_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start these processes as in production, as children of this one."""
    monkeypatch.setattr(process, "os", os)
