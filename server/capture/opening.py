"""Opening a source for its camera: here, or where it can do no harm."""

from server.address import NETWORK_SCHEMES, Address
from server.capture.isolated import IsolatedReader
from server.capture.local import LocalReader
from server.capture.reader import Reader
from server.capture.source import open_source
from server.capture.spare import Spare

__all__ = ["open_reader"]


def open_reader(
    address: Address, name: str, timeout_s: float, spare: Spare | None = None
) -> Reader:
    """Open the source at ``address``; arguments and errors as :func:`open_source`.

    Args:
        spare: Has a child process for it, perhaps, and is to get it back.
    """
    # Drivers and networks can hang or crash OpenCV; a pattern and a file on disk do not.
    if address.scheme == "device" or address.scheme in NETWORK_SCHEMES:
        return IsolatedReader(address, name, timeout_s, spare=spare)
    return LocalReader(open_source(address, name, timeout_s))
