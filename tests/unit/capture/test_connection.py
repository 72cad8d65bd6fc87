"""One connection at a time, and one process for all tries, with real processes."""

import socket
from pathlib import Path

import psutil
import pytest

from server.capture.connection import Connection
from server.config.address import parse_address
from server.errors import SourceError


def children() -> set[int]:
    """Return the processes that were started from here and run still."""
    return {child.pid for child in psutil.Process().children()}


def test_process_of_a_failed_try_serves_the_next_one() -> None:
    """To start one takes half a second of a core, and dead cameras are tried every second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = parse_address(f"http://127.0.0.1:{port}/live", Path())
    connection = Connection(address, "door", 2.0, None)
    before = children()
    seen = []

    for _ in range(3):
        with pytest.raises(SourceError, match="cannot be reached"):
            connection.open(None)
        connection.close()
        seen.append(children() - before)
    connection.rest()

    assert len(seen[0]) == 1
    assert seen == [seen[0]] * 3
    assert children() <= before
    assert not connection.held
