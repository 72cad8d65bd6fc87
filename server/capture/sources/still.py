"""A camera whose URL answers with one picture; each picture is a request."""

import time

from server.capture.frames.frame import Picture
from server.capture.frames.info import SourceInfo
from server.capture.sources.http_client import Answer, Client
from server.capture.sources.jpegs import JpegSource
from server.capture.sources.multipart import MAX_PICTURE_BYTES, JpegParser
from server.capture.streams.pictures import decode_picture, form_of
from server.errors import SourceError
from server.loop import native

__all__ = ["StillCamera", "read_picture"]

# The server decides when a picture is wanted. This holds where it asks again at once, because the
# last picture showed nothing new.
MIN_INTERVAL_S = 0.1


class StillCamera(JpegSource):
    """Fetches a picture each time one is grabbed, used by one thread.

    Args:
        client: Has asked for the first picture; closed with the source.
        answer: The response that the first picture came with.
        first: That picture; grabbed first.
        size: Its width and height in pixels.
        timeout_s: How long one picture may take.
    """

    def __init__(
        self, client: Client, answer: Answer, first: bytes, size: tuple[int, int], timeout_s: float
    ) -> None:
        codec = form_of(first) or "mjpeg"
        super().__init__(SourceInfo(*size, fps=0.0, codec=codec, live=False, polled=True), first)
        self._client = client
        self._condition = _condition(answer)
        self._timeout_s = timeout_s
        self._is_new = True
        self._asked_at = time.monotonic()

    def grab(self) -> bool:
        """Fetch the picture; it stays as it was if the camera says so.

        Raises:
            LoginRefused: If the camera refuses the login.
            SourceError: If it cannot be reached, or sends no picture.
        """
        if not self._is_new:
            native.sleep(max(0.0, self._asked_at + MIN_INTERVAL_S - time.monotonic()))
            self._asked_at = time.monotonic()
            self._fetch()
        self._is_new = False
        return True

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture:
        """Return the last grabbed picture; see :class:`JpegSource`."""
        if form_of(self._picture) and not self._fault:
            return decode_picture(self._picture)
        return super().retrieve(jpeg_up_to, pixels_from)

    def _fetch(self) -> None:
        answer = self._client.get(self._condition)
        try:
            if answer.status == 304:
                self.arrivals.add()
                return
            picture, fault = _read_still(answer, self._timeout_s)
        finally:
            answer.close()
        if picture:
            self._condition = _condition(answer)
            self.arrivals.add(len(picture))
            self._keep(picture)
        elif fault:
            self._fault = fault
        else:
            raise SourceError(f"{answer.host} answers {answer.kind or 'something'}, not a picture")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _read_still(answer: Answer, timeout_s: float) -> tuple[bytes, str]:
    """Return the first picture of an answer, or none and what is wrong with it.

    Reads to the end of the answer if that is known, so that its connection can be used again.

    Raises:
        SourceError: If it takes longer than ``timeout_s`` seconds.
    """
    parser, deadline = JpegParser(), time.monotonic() + timeout_s
    picture, fault = b"", ""
    try:
        data = answer.read()
        if form_of(data):
            return read_picture(answer, data, deadline), ""
        while data:
            pictures = parser.feed(data)
            fault = parser.fault or fault
            picture = picture or b"".join(pictures[:1])
            if time.monotonic() > deadline:
                raise TimeoutError
            data = answer.read() if answer.ends or not picture else b""
    except TimeoutError:
        if not picture:
            raise SourceError(f"the camera sent no picture within {timeout_s:g} s") from None
    parser.end()
    return picture, fault or parser.fault


def read_picture(answer: Answer, data: bytes, deadline: float) -> bytes:
    """Return all of an answer that begins with ``data`` and is a picture, but no JPEG.

    Raises:
        TimeoutError: If it has not ended by then.
        SourceError: If it is far too large.
    """
    parts, nbytes = [data], len(data)
    while more := answer.read():
        parts.append(more)
        nbytes += len(more)
        if nbytes > MAX_PICTURE_BYTES:
            raise SourceError(f"{answer.host} sends a picture of more than {nbytes >> 20} MB")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)


def _condition(answer: Answer) -> dict[str, str]:
    """Return the headers that ask for the next picture only if it is another one."""
    if tag := answer.headers.get("ETag"):
        return {"If-None-Match": tag}
    if since := answer.headers.get("Last-Modified"):
        return {"If-Modified-Since": since}
    return {}
