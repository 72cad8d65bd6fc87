"""A camera or command that sends one JPEG after the other, in parts or not."""

import time
from typing import Protocol

from server.capture.frames.info import SourceInfo
from server.capture.sources.jpegs import JpegSource
from server.capture.sources.multipart import JpegParser
from server.errors import SourceError

__all__ = ["MjpegStream"]


class Connection(Protocol):
    """The connection that the bytes come from."""

    def close(self) -> None:
        """Close it."""


class Body(Connection, Protocol):
    """Bytes that arrive one after the other: an HTTP response or a command's output."""

    def read(self) -> bytes:
        """Return the bytes that have arrived; wait if there are none; empty at the end.

        Raises:
            TimeoutError: If nothing arrives in time.
        """


class MjpegStream(JpegSource):
    """A live stream of pictures, used by one thread.

    Args:
        client: The connection; closed with the stream.
        answer: The open response.
        parser: A parser that has been fed all that was read so far.
        pictures: The pictures it has found so far; at least one.
        size: Width and height of the last of them, in pixels.
        timeout_s: How long the camera may send no picture.
    """

    def __init__(
        self,
        client: Connection,
        answer: Body,
        parser: JpegParser,
        pictures: list[bytes],
        size: tuple[int, int],
        timeout_s: float,
    ) -> None:
        super().__init__(SourceInfo(*size, fps=0.0, codec="mjpeg", live=True), pictures[-1])
        self._client = client
        self._answer = answer
        self._parser = parser
        self._arrived = pictures
        self._timeout_s = timeout_s

    def grab(self) -> bool:
        """Wait for the next picture; if several have arrived, keep the newest.

        A broken one counts, too: :meth:`retrieve` says what is wrong with it.

        Raises:
            SourceError: If the stream ended, or no picture came in time.
        """
        pictures, self._arrived = self._arrived, []
        deadline = time.monotonic() + self._timeout_s
        while not pictures:
            data = self._read()
            pictures = self._parser.feed(data)
            if not pictures and self._parser.fault:
                self._fault = self._parser.fault
                return True
            if not pictures and time.monotonic() > deadline:
                raise SourceError(f"it has sent data without a picture for {self._timeout_s:g} s")
        for picture in pictures:
            self.arrivals.add(len(picture))
        self._keep(pictures[-1])
        return True

    def _read(self) -> bytes:
        try:
            data = self._answer.read()
        except TimeoutError:
            raise SourceError(f"the camera sent nothing for {self._timeout_s:g} s") from None
        if not data:
            raise SourceError("the stream ended: the camera closed the connection")
        return data

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()
        self._client.close()
