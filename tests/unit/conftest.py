"""What holds for every unit test."""

from collections.abc import Iterator

import pytest
from eventlet import tpool


@pytest.fixture(scope="session", autouse=True)
def native_threads() -> Iterator[None]:
    """End the pool of native threads after the last test, and close its sockets.

    A server must not wait for a stuck read at its exit, so an app takes that away from the process.
    """
    yield
    tpool.killall()
