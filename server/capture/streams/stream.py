"""Network streams and pipes, read by FFmpeg.

``open_stream(address, timeout_s, data=None)`` opens one. ``data`` replaces the URL: any object with
``read(n)``, which waits for something, returns at most ``n`` bytes and nothing at the end, and
raises TimeoutError if nothing came in time. What was already read of it must be in front again.
"""

from typing import BinaryIO

from server.capture.sources.source import Source
from server.config.address import Address

__all__ = ["open_stream"]


def open_stream(address: Address, timeout_s: float, data: BinaryIO | None = None) -> Source:
    """Open a network stream, or one that is read from ``data``.

    Args:
        address: Holds the URL, and how to reach it; no message contains its password.
        timeout_s: How long opening, and then each read, may take.
        data: What to read instead of the URL.

    Raises:
        LoginRefused: If the user name or password is refused.
        SourceError: If it cannot be opened; says why.
    """
    raise NotImplementedError
