"""Servers for the tests of this room."""

from collections.abc import Callable

import pytest

from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]


@pytest.fixture
def pair(share_server: Start) -> PortholeServer:
    """Two cameras of different shapes: with ten, painting takes over half of a page's time."""
    return share_server("door=test:?size=320x180&fps=2", "yard=test:?size=320x240&fps=2")
