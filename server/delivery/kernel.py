"""What the kernel knows of a connection: how much has left, and whether its peer is still there."""

import fcntl
import socket
import struct

__all__ = [
    "PEER_CHECK_S",
    "WRITE_DEADLINE_S",
    "await_departure",
    "peer_has_gone",
    "unsent_bytes",
]

WRITE_DEADLINE_S = 12.0
"""A peer that accepts nothing for this long is considered gone."""

PEER_CHECK_S = 1.0
"""How often a connection without news is checked for a peer that has gone."""

TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)

# net/tcp_states.h; tcp_info, linux/tcp.h, begins with the state.
TCP_ESTABLISHED = 1

# linux/sockios.h: how many bytes of a socket are not yet on the wire.
SIOCOUTQNSD = 0x894B
COUNT = struct.Struct("i")


def await_departure(sock: socket.socket) -> None:
    """Have the socket called writable only when all that was written is on the wire (tcp(7))."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1)


def unsent_bytes(sock: socket.socket) -> int:
    """Return how many of the bytes written are not yet on the wire; 0 if that is unknown."""
    try:
        count = fcntl.ioctl(sock, SIOCOUTQNSD, bytes(COUNT.size))
    except OSError:
        return 0  # Not TCP, or gone; the next send will tell.
    unsent: int = COUNT.unpack(count)[0]
    return unsent


def peer_has_gone(sock: socket.socket) -> bool:
    """Return whether the peer has closed or reset the connection.

    The kernel is asked: a read would return what the peer sent before it went.
    """
    try:
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:
        return True
    return state != TCP_ESTABLISHED
