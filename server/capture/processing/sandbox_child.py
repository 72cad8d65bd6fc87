"""What runs in the process of a camera's processors, served over its standard input.

``sandbox.py`` starts it as ``python -m server.capture.processing.sandbox_child``, without eventlet:
``time.sleep``, threads and sockets are those that a user's module expects.
"""

import json
import mmap
import os
import socket
import sys
from typing import Any

import numpy as np

from server.capture.frames.frame import Image
from server.capture.isolation.channel import Kind, Link, Message
from server.capture.isolation.process import die_with_parent
from server.capture.isolation.shared_memory import Writer
from server.capture.processing.runner import Facts, ProcessorRunner
from server.capture.processing.sandbox import HEAD_BYTES
from server.config.processors import Processor

__all__ = ["main"]

# The server and its cameras come first when there is not enough for all.
NICENESS = 10


def main() -> None:
    """Load what the first message names, and work on pictures until the server wants no more."""
    link = _take_over_streams()
    try:
        os.nice(NICENESS)
    except OSError:
        pass  # Where a service manager forbids it, all are equal.
    try:
        order = link.receive(None)
        assert order is not None
        assert order.kind is Kind.PREPARE
        _Worker(link, json.loads(order.payload)).serve()
    except (EOFError, OSError):
        pass  # The server wants no more, or is gone.
    # Without waiting for threads of the user's.
    os._exit(0)


def _take_over_streams() -> Link:
    """Free the standard streams, which carry the link and the lifeline, for what users print."""
    link, lifeline = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    die_with_parent(lifeline)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return Link(socket.socket(fileno=link))


class _Worker:
    def __init__(self, link: Link, order: dict[str, Any]) -> None:
        self._link = link
        self._input: mmap.mmap | None = None
        self._writer = Writer()
        self._pid = os.getpid()
        processors = [(index, Processor(**fields)) for index, fields in order["processors"]]
        self._chain = ProcessorRunner(processors, order["camera"], order["title"])

    def serve(self) -> None:
        """Work until the server closes the connection, which raises."""
        self._link.send(Kind.PREPARED, json.dumps(list(self._chain.errors.items())).encode())
        while True:
            message = self._link.receive(None)
            assert message is not None
            self._work(message)

    def _work(self, message: Message) -> None:
        if message.fd >= 0:
            self._input = mmap.mmap(message.fd, os.fstat(message.fd).st_size)
            os.close(message.fd)
        wanted = json.loads(message.payload)
        image, outcomes = self._chain.run(
            self._copy(wanted["height"], wanted["width"]),
            Facts(*wanted["facts"]),
            wanted["places"],
            self._enter,
        )
        if os.getpid() != self._pid:
            # A function has forked, and returned twice: one answer a picture, and from here none.
            os._exit(0)
        self._enter(-1)
        height, width = image.shape[:2]
        slot, fd = self._writer.write(image, wanted["slot"])
        said = {"slot": slot, "height": height, "width": width, "outcomes": outcomes}
        try:
            self._link.send(Kind.PROCESSED, json.dumps(said).encode(), fd)
        finally:
            if fd >= 0:
                os.close(fd)

    def _copy(self, height: int, width: int) -> Image:
        """Return the picture as one that may be drawn on, and kept: it is used for no other."""
        assert self._input is not None
        there = np.frombuffer(self._input, np.uint8, height * width * 3, HEAD_BYTES)
        return there.reshape(height, width, 3).copy()

    def _enter(self, index: int) -> None:
        """Have the server see which processor is at work."""
        assert self._input is not None
        self._input[0] = index + 1


if __name__ == "__main__":
    main()
