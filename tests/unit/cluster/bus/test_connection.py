"""Find the bus by its host name."""

import socket
import time

import pytest

from server.cluster.bus import connection
from server.cluster.bus.connection import PlainConnection, Resolver
from server.loop import hub, native
from tests.support.fakes import until


@pytest.fixture
def names() -> Resolver:
    """Forget all addresses."""
    return Resolver()


def test_numeric_address_is_not_resolved(names: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A numeric address needs no resolver."""
    monkeypatch.setattr(connection, "_resolve", lambda name: 1 / 0)

    assert names.addresses_of("192.0.2.1") == ["192.0.2.1"]
    assert names.addresses_of("::1") == ["::1"]


def test_host_name_is_resolved(names: Resolver) -> None:
    """This machine's own name resolves."""
    assert "127.0.0.1" in names.addresses_of("localhost")


def test_unknown_host_name_raises_os_error(
    names: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown name is an OSError, like every other connection failure."""

    def resolve(name: str) -> list[str]:
        raise OSError

    monkeypatch.setattr(connection, "_resolve", resolve)

    with pytest.raises(OSError, match="cannot be resolved"):
        names.addresses_of("nowhere")


def test_hanging_resolver_takes_one_thread(
    names: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask, one native thread waits; meanwhile the last address is used."""
    asked: list[str] = []
    hangs = [False]

    def resolve(name: str) -> list[str]:
        asked.append(name)
        while hangs[0]:
            native.sleep(0.01)
        return ["192.0.2.1"]

    monkeypatch.setattr(connection, "_resolve", resolve)
    monkeypatch.setattr(connection, "LOOK_UP_TIMEOUT_S", 0.05)
    names.addresses_of("bus")
    hangs[0] = True
    found: list[list[str]] = []
    begun = time.monotonic()

    for _ in range(10):
        hub.spawn(lambda: found.append(names.addresses_of("bus")))
    until(lambda: len(found) == 10)
    hangs[0] = False

    assert found == [["192.0.2.1"]] * 10
    assert asked == ["bus", "bus"]
    assert time.monotonic() - begun < 0.5


def test_every_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that listens on one of a name's addresses is found, whichever comes first."""
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(connection, "NAMES", Resolver())
    monkeypatch.setattr(connection, "_resolve", lambda name: ["127.0.0.9", "127.0.0.1"])

    made = PlainConnection(host="bus", port=listener.getsockname()[1], socket_timeout=1)
    with made._connect() as sock:
        assert sock.getpeername()[0] == "127.0.0.1"

    assert made.host == "bus"
    listener.close()
