"""Servers for pages, on ports that are reused so that Chromium has their files cached."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser.kept_context import lasting_port
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]


@pytest.fixture
def start_server(start_server: Start) -> Start:
    """Start servers as usual, but on a reused port unless a port is given."""

    def start(*arguments: str, **more: Any) -> PortholeServer:
        port = () if "--port" in arguments else ("--port", lasting_port())
        return start_server(*port, *arguments, **more)

    return start


@pytest.fixture(scope="module")
def share_server(share_server: Start) -> Start:
    """Share servers as usual, but on reused ports."""
    ports: dict[tuple[str, ...], str] = {}

    def share(*arguments: str) -> PortholeServer:
        if arguments not in ports:
            ports[arguments] = lasting_port()
        return share_server("--port", ports[arguments], *arguments)

    return share
