"""This machine's names and addresses."""

import socket

import psutil
import pytest

from server.web.edge import host_names
from server.web.edge.host_names import own_addresses, own_names, reachable_at

ADDRESSES = ["192.0.2.2", "fd00::2"]
NAMES = {
    "pi": frozenset({"127.0.1.1"}),  # As in Debian's /etc/hosts.
    "pi.lan": frozenset({"192.0.2.2", "fd00::2"}),
    "pi.local": frozenset[str](),  # No mDNS on this machine.
    "stale.lan": frozenset({"192.0.2.77"}),
    "both.lan": frozenset({"192.0.2.2", "192.0.2.77"}),
}


@pytest.mark.parametrize(
    ("bound", "takes_ipv4", "hosts"),
    [
        ("127.0.0.1", True, ["localhost"]),
        ("::1", False, ["[::1]"]),
        ("0.0.0.0", True, ["localhost", "192.0.2.2", "pi", "pi.lan"]),
        ("::", True, ["localhost", "192.0.2.2", "[fd00::2]", "pi", "pi.lan"]),
        ("::", False, ["[::1]", "[fd00::2]", "pi.lan"]),
        ("192.0.2.2", True, ["192.0.2.2", "pi.lan"]),
        ("fd00::2", False, ["[fd00::2]", "pi.lan"]),
    ],
)
def test_only_names_that_reach_this_machine_are_listed(
    bound: str, takes_ipv4: bool, hosts: list[str]
) -> None:
    """A name that resolves to nothing, or also to another machine, is left out."""
    names = {} if bound in ("127.0.0.1", "::1") else NAMES

    assert reachable_at(bound, takes_ipv4, ADDRESSES, names) == hosts


def test_addresses_match_the_network_interfaces() -> None:
    """Without netlink, which the shipped units deny, the list is the same."""
    families = (socket.AF_INET, socket.AF_INET6)
    expected = {
        one.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family in families
        and not one.address.startswith(("127.", "169.254.", "fe80:"))
        and one.address != "::1"
    }

    # Temporary IPv6 addresses are left out.
    assert set(own_addresses()) <= expected
    assert {one for one in own_addresses() if "." in one} == {one for one in expected if "." in one}


def test_own_names_include_the_short_and_the_full_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in lower case, with the mDNS name, and without names that every machine has."""
    found = {"host": "Pi.Lan", "full": "pi.lan.example."}

    def look_up(name: str, *_: object, flags: int = 0, **__: object) -> list[object]:
        canonical = found["full"] if flags else ""
        return [(socket.AF_INET, 0, 0, canonical, ("192.0.2.2", 0))]

    monkeypatch.setattr(host_names.socket, "gethostname", lambda: found["host"])
    monkeypatch.setattr(host_names.socket, "getaddrinfo", look_up)

    assert list(own_names()) == ["pi", "pi.lan", "pi.local", "pi.lan.example"]
    assert own_names()["pi.local"] == {"192.0.2.2"}
    found |= {"host": "localhost", "full": "localhost.localdomain"}
    assert not own_names()


def test_dead_name_server_does_not_delay_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The names are known anyway; only their addresses are not."""
    released = host_names.threading.Event()
    monkeypatch.setattr(host_names, "LOOKUP_S", 0.05)
    monkeypatch.setattr(host_names.socket, "gethostname", lambda: "pi")

    def look_up(*_: object, **__: object) -> list[object]:
        released.wait(10)
        raise OSError("no name server answers")

    monkeypatch.setattr(host_names.socket, "getaddrinfo", look_up)

    names = own_names()
    released.set()

    assert names == {"pi": frozenset(), "pi.local": frozenset()}
