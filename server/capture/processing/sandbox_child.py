"""The process of a camera's processors, controlled over its standard input.

``sandbox.py`` starts it as ``python -m server.capture.processing.sandbox_child``. It runs without
eventlet: ``time.sleep``, threads and sockets behave as a user's module expects.
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

# On a busy machine the server and its cameras take precedence.
NICENESS = 10


def main() -> None:
    """Load the processors in the first message, then process pictures until the server is done."""
    link = _take_over_streams()
    try:
        os.nice(NICENESS)
    except OSError:
        pass  # A service manager may forbid it.
    try:
        message = link.receive(None)
        assert message is not None
        assert message.kind is Kind.PREPARE
        _Worker(link, json.loads(message.payload)).serve()
    except (EOFError, OSError):
        pass  # The server closed the connection, or is gone.
    # Do not wait for users' threads.
    os._exit(0)


def _take_over_streams() -> Link:
    """Move the link and the lifeline off the standard streams, so that users' code can print."""
    link, lifeline = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    die_with_parent(lifeline)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return Link(socket.socket(fileno=link))


class _Worker:
    def __init__(self, link: Link, setup: dict[str, Any]) -> None:
        self._link = link
        self._input: mmap.mmap | None = None
        self._writer = Writer()
        self._pid = os.getpid()
        processors = [(index, Processor(**fields)) for index, fields in setup["processors"]]
        self._runner = ProcessorRunner(processors, setup["camera"], setup["title"])

    def serve(self) -> None:
        """Process pictures until the server closes the connection, which raises."""
        self._link.send(Kind.PREPARED, json.dumps(list(self._runner.errors.items())).encode())
        while True:
            message = self._link.receive(None)
            assert message is not None
            self._process(message)

    def _process(self, message: Message) -> None:
        if message.fd >= 0:
            self._input = mmap.mmap(message.fd, os.fstat(message.fd).st_size)
            os.close(message.fd)
        request = json.loads(message.payload)
        image, outcomes = self._runner.run(
            self._copy(request["height"], request["width"]),
            Facts(*request["facts"]),
            request["places"],
            self._mark_running,
        )
        if os.getpid() != self._pid:
            # A function forked and returned in both processes; only the parent may answer.
            os._exit(0)
        self._mark_running(-1)
        height, width = image.shape[:2]
        slot, fd = self._writer.write(image, request["slot"])
        answer = {"slot": slot, "height": height, "width": width, "outcomes": outcomes}
        answer["reports"] = self._runner.reports
        try:
            self._link.send(Kind.PROCESSED, json.dumps(answer).encode(), fd)
        finally:
            if fd >= 0:
                os.close(fd)

    def _copy(self, height: int, width: int) -> Image:
        """Return a copy of the picture, which processors may draw on and keep."""
        assert self._input is not None
        pixels = np.frombuffer(self._input, np.uint8, height * width * 3, HEAD_BYTES)
        return pixels.reshape(height, width, 3).copy()

    def _mark_running(self, index: int) -> None:
        """Show the server which processor is running."""
        assert self._input is not None
        self._input[0] = index + 1


if __name__ == "__main__":
    main()
