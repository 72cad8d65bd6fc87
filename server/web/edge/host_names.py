"""This machine's names and addresses, for the Host check and the URLs printed at start."""

import array
import fcntl
import ipaddress
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from server.loop.native import socket, threading

__all__ = ["Names", "own_addresses", "own_names", "reachable_at"]

Names = Mapping[str, frozenset[str]]
"""Names of this machine in lower case, each with the addresses it resolves to."""

# A name server that does not answer must not delay the start for long.
LOOKUP_S = 2.0

# Lists all IPv4 addresses on Linux. Netlink would too, but the shipped units do not allow it.
SIOCGIFCONF = 0x8912
IFREQ_BYTES = 40 if sys.maxsize > 2**32 else 32
MAX_IPV4 = 256

IF_INET6 = Path("/proc/net/if_inet6")
# Flags of linux/if_addr.h: temporary (privacy) addresses, and those not yet or no longer in use.
UNUSABLE = 0x01 | 0x08 | 0x20 | 0x40


def own_names() -> Names:
    """Return the short and the full host name, and the mDNS name.

    A name that takes too long to resolve has no addresses.
    """
    found: dict[str, frozenset[str]] = {}

    def look_up() -> None:
        host = socket.gethostname()
        short = host.partition(".")[0]
        found.update(dict.fromkeys(_usable(short, host, f"{short}.local"), frozenset()))
        try:
            full = socket.getaddrinfo(host, None, flags=socket.AI_CANONNAME)[0][3]
            found.update(dict.fromkeys(_usable(full), frozenset()))
        except (OSError, UnicodeError):
            pass  # No further name.
        for name in list(found):
            found[name] = _addresses_of(name)

    # A look-up cannot be cancelled, only abandoned.
    thread = threading.Thread(target=look_up, name="look-up", daemon=True)
    thread.start()
    thread.join(LOOKUP_S)
    return dict(found)


def own_addresses() -> list[str]:
    """Return this machine's addresses, except loopback and link-local ones."""
    return list(dict.fromkeys([*_ipv4_addresses(), *_ipv6_addresses()]))


def reachable_at(bound: str, takes_ipv4: bool, addresses: Iterable[str], names: Names) -> list[str]:
    """Return the hosts, as written in a URL, at which a browser reaches a listening socket.

    Args:
        bound: The address the socket is bound to.
        takes_ipv4: Whether it accepts IPv4; a socket bound to ``::`` may or may not.
        addresses: This machine's addresses.
        names: This machine's names. Names that resolve to other machines' addresses are left out.
    """
    here = ipaddress.ip_address(bound.partition("%")[0])

    def takes(address: str) -> bool:
        if here.is_unspecified:
            return takes_ipv4 if "." in address else here.version == 6
        return address == bound

    def leads_here(found: Iterable[str]) -> bool:
        # Browsers try the next address when one does not answer.
        return any(map(takes, found)) and all(
            one in ours or ipaddress.ip_address(one).is_loopback for one in found
        )

    ours = list(addresses)
    if here.is_unspecified:
        hosts = ["localhost" if takes_ipv4 else "::1", *filter(takes, ours)]
    else:
        hosts = ["localhost" if bound == "127.0.0.1" else bound]
    hosts += [name for name, found in names.items() if leads_here(found)]
    return [f"[{host}]" if ":" in host else host for host in hosts]


def _usable(*names: str) -> list[str]:
    """Return the names that identify this machine; leave out localhost, which any machine has."""
    plain = [name.lower().rstrip(".") for name in names]
    return [name for name in plain if name and not name.startswith(("localhost", "."))]


def _addresses_of(name: str) -> frozenset[str]:
    """Return a name's addresses, except link-local ones, which URLs cannot contain."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    texts = {str(address[0]) for *_, address in found}
    return frozenset(one for one in texts if not ipaddress.ip_address(one).is_link_local)


def _ipv4_addresses() -> list[str]:
    space = array.array("B", bytes(MAX_IPV4 * IFREQ_BYTES))
    where, size = space.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked.fileno(), SIOCGIFCONF, struct.pack("iP", size, where))
        except OSError:
            return []  # Not Linux.
    used, _ = struct.unpack("iP", answer)
    rows = space.tobytes()
    # Each row is a name of 16 bytes and a sockaddr_in, which has the address at offset 4.
    found = [socket.inet_ntoa(rows[at + 20 : at + 24]) for at in range(0, used, IFREQ_BYTES)]
    return [one for one in found if not one.startswith(("127.", "169.254."))]


def _ipv6_addresses() -> list[str]:
    try:
        rows = [line.split() for line in IF_INET6.read_text(encoding="ascii").splitlines()]
    except OSError:
        return []  # No IPv6.
    return [
        str(ipaddress.IPv6Address(bytes.fromhex(digits)))
        for digits, _, _, scope, flags, _ in rows
        if scope == "00" and not int(flags, 16) & UNUSABLE
    ]
