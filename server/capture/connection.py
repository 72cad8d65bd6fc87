"""A camera's source while it is open: one connection at a time."""

import functools
import logging
import time
from collections.abc import Callable

from server.capture.check import Check
from server.capture.frames.freeze import FreezeDetector
from server.capture.isolation.spare import Spare
from server.capture.opening import OpenReader, open_reader
from server.capture.sources.reader import Demand, Reader, Reading, read_and_compare
from server.config.address import Address
from server.loop import hub

__all__ = ["Connection"]

log = logging.getLogger(__name__)

# How long stopping a camera waits for its device to be free.
RELEASE_DEADLINE_S = 3.0


class Connection:
    """Opens and closes one camera's source. Only the camera's capture loop calls its methods.

    It is closed, and its process no longer holds device or connection, before it is opened again:
    many cameras take one client at a time. The process stays for the next try until :meth:`rest`,
    because starting one takes longer than most tries, and half a second of a core.

    Args:
        address: The source's address.
        name: The camera's name.
        timeout_s: How long it may take to open, and then to deliver.
        opener: Opens the address; None for the usual way.

    Attributes:
        reader: The open source; None while there is none.
        held: Whether the source may be in use: from before it is opened until after it is closed.
    """

    def __init__(
        self, address: Address, name: str, timeout_s: float, opener: OpenReader | None
    ) -> None:
        self._address = address
        self._name = name
        self._timeout_s = timeout_s
        self._spare = Spare()
        self._opener = opener or functools.partial(open_reader, spare=self._spare)
        self._paused = False
        self.reader: Reader | None = None
        self.held = False

    def open(self, check: Check | None) -> Reader:
        """Open it, in its own way for a check; errors as for :func:`open_source`."""
        self.held, self._paused = True, False
        opener = self._opener if check is None else check.open_reader or self._opener
        self.reader = hub.run_native(opener, self._address, self._name, self._timeout_s)
        return self.reader

    def hurry(self) -> None:
        """Take any picture, if only a key picture was asked for."""
        if self.reader is not None:
            self.reader.hurry()

    def pause(self) -> None:
        """Let it stand still until it is read again; does nothing if it does."""
        if not self._paused and self.reader is not None:
            self._paused = True
            hub.run_native(self.reader.pause)

    def read(self, demand: Demand, stillness: FreezeDetector) -> tuple[Reading, float] | None:
        """Read a picture and compare it with the ones before; see :func:`read_and_compare`."""
        assert self.reader is not None
        self._paused = False
        return hub.run_native(read_and_compare, self.reader, demand, stillness)

    def close(self) -> None:
        """Close it, if it is open."""
        reader, self.reader = self.reader, None
        if reader is not None:
            try:
                hub.run_native(reader.close)
            except Exception:
                log.exception("camera=%s could not be released", self._name)
        self.held = False

    def wait_until_free(self, is_wanted: Callable[[], bool]) -> None:
        """Wait until it is closed, while that is wanted, and not for long."""
        deadline = time.monotonic() + RELEASE_DEADLINE_S
        while self.held and is_wanted() and time.monotonic() < deadline:
            hub.sleep(0.01)

    def rest(self) -> None:
        """End the process that was kept for the next try."""
        if self._spare.occupied:
            hub.run_native(self._spare.empty)
