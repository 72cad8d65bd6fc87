"""Opens, reads and closes a camera's source, one connection at a time."""

import functools
import logging
import time
from collections.abc import Callable

from server.capture.check import Check
from server.capture.frames.frame import Jpeg
from server.capture.isolation.reader import IDLE_READ_S, IsolatedReader, WouldBlock
from server.capture.isolation.spare import SpareProcess
from server.capture.motion.freeze import FreezeDetector
from server.capture.opening import OpenReader, open_reader
from server.capture.sources.reader import Demand, Reader, Reading, compare, read_and_compare
from server.config.address import Address
from server.loop import hub

__all__ = ["Connection"]

log = logging.getLogger(__name__)

# How long stopping a camera waits for its device to be released.
RELEASE_DEADLINE_S = 3.0

# A child process that passes JPEG through sends two heartbeats in this time.
SILENT_S = 0.5


class Connection:
    """One camera's source. Only the camera's capture loop opens, reads and closes it.

    The source is closed, and its process has released the device or connection, before it is opened
    again: many cameras accept one client at a time. The process is kept for the next try until
    :meth:`rest`, because starting one takes longer than most tries, and half a second of CPU time.

    Args:
        address: The source's address.
        name: The camera's name.
        timeout_s: How long opening, and then each read, may take.
        opener: Opens the address; None for the usual way.

    Attributes:
        reader: The open source; None while there is none.
        held: Whether the source may be in use: from before it is opened until after it is closed.
        wake: Wakes the capture loop while it is not reading.
    """

    def __init__(
        self, address: Address, name: str, timeout_s: float, opener: OpenReader | None
    ) -> None:
        self._address = address
        self._name = name
        self._timeout_s = timeout_s
        self._spare = SpareProcess()
        self._opener = opener or functools.partial(open_reader, spare=self._spare)
        self._paused = False
        self._stillness = FreezeDetector()
        self.reader: Reader | None = None
        self.held = False
        self.wake = hub.Signal()
        # Whether the source's JPEG passes through. Then, as when everyone gets its video, it is
        # read on the hub: waiting on a native thread would cost more than everything else.
        self._passes = False
        self._waits_since: float | None = None
        self._news = hub.Signal()
        self._watch: hub.ReadWatch | None = None

    def open(self, check: Check | None, frozen: bool = False) -> Reader:
        """Open the source; raises what :func:`open_source` does.

        Args:
            check: The check to open it for, which may have an opener of its own.
            frozen: As for :meth:`forget`.
        """
        self.held, self._paused = True, False
        self.forget(frozen)
        opener = self._opener if check is None else check.open_reader or self._opener
        self.reader = hub.run_native(opener, self._address, self._name, self._timeout_s)
        return self.reader

    def accept_any_picture(self) -> None:
        """Have the read in progress accept any picture, if it asked for a key frame only."""
        if self.reader is not None:
            self.reader.accept_any_picture()
        self.interrupt()

    def interrupt(self) -> None:
        """Have the capture loop look again at what is wanted; ends its read, if on the hub."""
        self.wake.set()
        if self._waits_since is not None:
            self._news.set()

    def end_silent_read(self) -> None:
        """End a read on the hub if its process has gone silent; called periodically.

        The process sends heartbeats, so this is rare, and a timer for each read is not worth it.
        """
        longest_s = SILENT_S if self._passes else IDLE_READ_S
        if self._waits_since is not None and time.monotonic() - self._waits_since > longest_s:
            self._news.set()

    def pause(self) -> None:
        """Pause the source until the next read; does nothing if it is paused."""
        if not self._paused and self.reader is not None:
            self._paused = True
            hub.run_native(self.reader.pause)

    def forget(self, frozen: bool = False) -> None:
        """Forget the last picture, so that the next one is not compared with it.

        Args:
            frozen: Whether the picture was frozen; then it is kept for comparison.
        """
        if not frozen:  # Replaced, as the old one may be in use on a native thread.
            self._stillness = FreezeDetector()

    def read(self, demand: Demand) -> tuple[Reading, float] | None:
        """Read a picture and compare it with earlier ones; see :func:`read_and_compare`."""
        reader = self.reader
        assert reader is not None
        self._paused = False
        if isinstance(reader, IsolatedReader) and (self._passes or demand.keys_only()):
            try:
                reading = reader.read_on_hub(demand, self._wait)
                return reading and compare(reader, reading, self._stillness)
            except WouldBlock:
                pass
        taken = hub.run_native(read_and_compare, reader, demand, self._stillness)
        picture = taken and taken[0].picture
        if picture is not None:
            self._passes = isinstance(picture, Jpeg) and picture.pixels is None
        return taken

    def _wait(self, timeout_s: float | None) -> bool:
        """Wait until the child process has sent something; return False if nothing came.

        Without a timeout, :meth:`end_silent_read` ends the wait.
        """
        if self._watch is None:
            assert isinstance(self.reader, IsolatedReader)
            self._watch = hub.ReadWatch(self.reader, self._on_readable)
        self._watch.start()
        self._waits_since = time.monotonic()
        try:
            return self._news.wait(timeout_s)
        finally:
            self._waits_since = None

    def _on_readable(self, _fd: int) -> None:
        if self._waits_since is not None:
            self._news.set_now()
        elif self._watch is not None:
            self._watch.stop()  # The source is now read on a native thread, or not at all.

    def close(self) -> None:
        """Close it, if it is open."""
        watch, self._watch, self._passes = self._watch, None, False
        if watch is not None:
            watch.stop()
        reader, self.reader = self.reader, None
        if reader is not None:
            try:
                hub.run_native(reader.close)
            except Exception:
                log.exception("camera=%s could not be released", self._name)
        self.held = False

    def wait_until_free(self, is_wanted: Callable[[], bool]) -> None:
        """Wait while ``is_wanted()`` until the source is closed, for a few seconds at most."""
        deadline = time.monotonic() + RELEASE_DEADLINE_S
        while self.held and is_wanted() and time.monotonic() < deadline:
            hub.sleep(0.01)

    def rest(self) -> None:
        """End the process that was kept for the next try."""
        if self._spare.occupied:
            hub.run_native(self._spare.empty)
