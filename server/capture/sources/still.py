"""A camera whose URL returns one picture, so that each picture takes a request."""

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

# The server decides when to fetch a picture. This limits repeated requests while pictures show
# nothing new.
MIN_INTERVAL_S = 0.1


class StillCamera(JpegSource):
    """Fetches a picture each time one is grabbed, used by one thread.

    Args:
        client: The client that fetched the first picture; closed with the source.
        answer: The response with the first picture.
        first: The first picture, which is grabbed first.
        size: Its width and height in pixels.
        timeout_s: Limit for fetching one picture.
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
        self._requested_at = time.monotonic()

    def grab(self) -> bool:
        """Fetch the picture; keep the last one if the camera says that it has not changed.

        Raises:
            LoginRefused: If the camera rejects the login.
            SourceError: If it cannot be reached, or sends no picture.
        """
        if not self._is_new:
            native.sleep(max(0.0, self._requested_at + MIN_INTERVAL_S - time.monotonic()))
            self._requested_at = time.monotonic()
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
    """Return the first picture in a response, and what is wrong if there is none.

    Reads to the end of the response if that can be found, so that its connection can be reused.

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
    """Return the whole picture in a response that begins with ``data`` and is not JPEG.

    Raises:
        TimeoutError: If it has not ended by ``deadline``, in monotonic seconds.
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
    """Return the headers that request the next picture only if it has changed."""
    if tag := answer.headers.get("ETag"):
        return {"If-None-Match": tag}
    if since := answer.headers.get("Last-Modified"):
        return {"If-Modified-Since": since}
    return {}
