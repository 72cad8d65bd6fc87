"""Asks the kernel how much of a connection's data is unsent, and whether its peer is there."""

import fcntl
import socket
import struct

__all__ = [
    "PEER_CHECK_S",
    "WRITE_DEADLINE_S",
    "is_disconnected",
    "notify_when_sent",
    "unsent_bytes",
]

WRITE_DEADLINE_S = 12.0
"""A peer that accepts nothing for this long is considered gone."""

PEER_CHECK_S = 1.0
"""How often an idle connection is checked for a peer that has gone."""

TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)

# From net/tcp_states.h. The first byte of struct tcp_info (linux/tcp.h) is the state.
TCP_ESTABLISHED = 1

# From linux/sockios.h: the number of a socket's bytes that are not yet on the wire.
SIOCOUTQNSD = 0x894B
COUNT = struct.Struct("i")


def notify_when_sent(sock: socket.socket) -> None:
    """Make the socket writable only when all written bytes are on the wire; see tcp(7)."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1)


def unsent_bytes(sock: socket.socket) -> int:
    """Return how many of the bytes written are not yet on the wire; 0 if that is unknown."""
    try:
        count = fcntl.ioctl(sock, SIOCOUTQNSD, bytes(COUNT.size))
    except OSError:
        return 0  # Not TCP, or gone; then the next send fails.
    unsent: int = COUNT.unpack(count)[0]
    return unsent


def is_disconnected(sock: socket.socket) -> bool:
    """Return whether the peer has closed or reset the connection.

    Asks the kernel, because a read would first return what the peer sent before it went.
    """
    try:
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:
        return True
    return state != TCP_ESTABLISHED
