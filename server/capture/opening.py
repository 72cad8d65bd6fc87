"""Opens a source for its camera, in this process or in an isolated one."""

from collections.abc import Callable

from server.capture.isolation.reader import IsolatedReader
from server.capture.isolation.spare import SpareProcess
from server.capture.sources.local import LocalReader
from server.capture.sources.reader import Reader
from server.capture.sources.source import open_source
from server.config.address import Address

__all__ = ["OpenReader", "open_reader"]

OpenReader = Callable[[Address, str, float], Reader]
"""Opens a source, given its address, the camera's name and a timeout in seconds."""


def open_reader(
    address: Address, name: str, timeout_s: float, spare: SpareProcess | None = None
) -> Reader:
    """Open the source at ``address``; arguments and errors as for :func:`open_source`.

    Args:
        spare: Provides an idle child process if it has one, and gets it back.
    """
    # Drivers, networks and decoders can hang, crash and take memory; the test pattern does not.
    if address.scheme == "test":
        return LocalReader(open_source(address, name, timeout_s))
    return IsolatedReader(address, name, timeout_s, spare=spare)
