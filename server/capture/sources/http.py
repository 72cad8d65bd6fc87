"""Opens an HTTP URL; the kind of source follows from media type and first bytes, not the name."""

import io
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

from server.capture.frames.frame import size_of
from server.capture.frames.jpeg import inspect_jpeg
from server.capture.sources.http_client import Answer, Client, NotHttpError
from server.capture.sources.mjpeg import MjpegStream
from server.capture.sources.multipart import JpegParser
from server.capture.sources.still import StillCamera, read_picture
from server.capture.streams.pictures import decode_picture, form_of
from server.config.address import Address
from server.errors import AddressRefused, PictureError, SourceError

__all__ = ["fetcher", "open_http"]

# Types of endless streams, whether or not their pictures are in parts.
ENDLESS = re.compile(r"multipart/|video/(x-)?(motion-?)?m?jpeg")
PICTURE = re.compile(r"image/p?jpe?g")
PAGE_TYPES = ("text/html", "application/xhtml+xml")

# The start of a body of JPEG pictures: a picture, or the head of a part.
JPEG_BODY = re.compile(rb"\s*(\xff\xd8\xff|--[^\r\n]+\r?\n[a-z-]+:|content-type:)", re.IGNORECASE)
# The types of error messages. A playlist may have one of them, too.
TEXT_TYPES = ("application/json", "text/plain")
TEXT_BODY = re.compile(rb"(?!\s*#EXTM3U)[\t\r\n\x20-\x7e\x80-\xff]*")
PAGE_BODY = re.compile(rb"\s*<(!doctype html|html|head)", re.IGNORECASE)

PARTIAL = 206

# Enough to recognise a body.
FIRST_BYTES = 256

# Some cameras begin with a broken picture.
MAX_BROKEN = 5

Other = TypeVar("Other")


def open_http(
    address: Address, timeout_s: float, open_stream: Callable[[Address, float], Other]
) -> MjpegStream | StillCamera | Other:
    """Open a camera's MJPEG or still pictures, or whatever else its URL answers with.

    Blocks for up to about twice ``timeout_s`` seconds.

    Args:
        address: The camera's address.
        timeout_s: Limit for the camera's answer, and then for each picture.
        open_stream: Opens a URL that answers neither with JPEG nor with a web page.

    Raises:
        LoginRefused: If it rejects the user name and password.
        SourceError: If it cannot be opened; says why.
    """
    client = Client(address, timeout_s)
    try:
        source = _Opening(client, client.get(), timeout_s).open()
    except NotHttpError as error:
        # FFmpeg is more lenient: it accepts ICY, and responses without headers.
        client.close()
        if address.guarded:
            raise
        try:
            return open_stream(address, timeout_s)
        except SourceError:
            raise error from None
    except BaseException:
        client.close()
        raise
    if source is None:
        client.close()
        return open_stream(address, timeout_s)
    return source


class _Opening:
    """Reads the start of a response until its kind is known."""

    def __init__(self, client: Client, answer: Answer, timeout_s: float) -> None:
        self._client = client
        self._answer = answer
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._parser = JpegParser()
        self._pictures: list[bytes] = []

    def open(self) -> MjpegStream | StillCamera | None:
        """Return the source; None, with the response closed, if FFmpeg must read it."""
        is_endless = bool(ENDLESS.match(self._answer.kind))
        try:
            first = b""
            if not is_endless:
                first = self._read_first()
                if form_of(first):
                    return self._open_picture(first)
                if not JPEG_BODY.match(first) and not PICTURE.match(self._answer.kind):
                    self._refuse_page(first)
                    self._answer.close()
                    return None
            size = self._find_picture(first)
            if is_endless or self._parser.in_parts or self._goes_on():
                return MjpegStream(
                    self._client, self._answer, self._parser, self._pictures, size, self._timeout_s
                )
            self._answer.close()
            return StillCamera(self._client, self._answer, self._pictures[0], size, self._timeout_s)
        except BaseException:
            self._answer.close()
            raise

    def _open_picture(self, first: bytes) -> StillCamera:
        """Return the source of still pictures that are not JPEG."""
        host = self._answer.host
        try:
            picture = read_picture(self._answer, first, self._deadline)
            size = size_of(decode_picture(picture))
        except TimeoutError:
            late = f"{host} answers, but sends no whole picture for {self._timeout_s:g} s"
            raise SourceError(late) from None
        except PictureError as error:
            raise SourceError(f"{host}: {error}") from None
        self._answer.close()
        return StillCamera(self._client, self._answer, picture, size, self._timeout_s)

    def _read(self) -> bytes:
        """Return the next bytes; empty at the end.

        Raises:
            TimeoutError: If nothing arrives in time, or opening takes too long.
        """
        if time.monotonic() > self._deadline:
            raise TimeoutError
        return self._answer.read()

    def _read_first(self) -> bytes:
        first = b""
        try:
            while len(first) < FIRST_BYTES and not JPEG_BODY.match(first):
                data = self._read()
                if not data:
                    break
                first += data
        except TimeoutError:
            pass  # A short body may come without an end.
        if not first:
            raise SourceError(f"{self._answer.host} answers, but sends nothing")
        return first

    def _refuse_page(self, first: bytes) -> None:
        """Raise an error if the response is a web page or plain text."""
        if self._answer.kind in TEXT_TYPES and TEXT_BODY.fullmatch(first):
            # Do not quote the text: it may hold a password.
            raise SourceError(f"{self._answer.host} answers with {self._answer.kind}, not pictures")
        if self._answer.kind in PAGE_TYPES or PAGE_BODY.match(first):
            title = self._answer.title(first)
            raise SourceError(
                f"{self._answer.host} answers with a web page (text/html), not pictures"
                + (f": {title!r}" if title else "")
            )

    def _find_picture(self, data: bytes) -> tuple[int, int]:
        """Read to the first good picture; return its width and height."""
        broken, fault = 0, ""
        while True:
            for picture in self._parser.feed(data):
                try:
                    jpeg, _ = inspect_jpeg(picture)
                except PictureError as error:
                    broken, fault = broken + 1, str(error)
                else:
                    self._pictures.append(picture)
            if self._pictures:
                return jpeg.width, jpeg.height
            if self._parser.fault:
                broken, fault = broken + 1, self._parser.fault
            if broken >= MAX_BROKEN:
                raise SourceError(fault)
            host = self._answer.host
            try:
                data = self._read()
            except TimeoutError:
                late = f"{host} answers, but sends no picture for {self._timeout_s:g} s"
                raise SourceError(fault or late) from None
            if not data:
                self._parser.end()
                early = f"{host} closed the connection before it sent a picture"
                raise SourceError(fault or self._parser.fault or early)

    def _goes_on(self) -> bool:
        """Return whether a second picture follows; reads a response of known length to its end."""
        while self._answer.is_short or len(self._pictures) < 2:
            try:
                data = self._read()
            except TimeoutError:
                return False  # A still picture, from a camera that does not send its length.
            if not data:
                return False
            self._pictures += self._parser.feed(data)
        return True


def fetcher(address: Address, timeout_s: float) -> Callable[[str], BinaryIO]:
    """Return a function that fetches a stream's URLs in FFmpeg's place.

    The stream's own URL must exist. A missing segment counts as empty: the next one may exist.

    Args:
        address: The stream's address.
        timeout_s: Limit for a host's answer, and then for each read.
    """

    def fetch(url: str) -> BinaryIO:
        if not url.startswith(("http://", "https://")):
            # FFmpeg would read files, too; encrypted segments have a scheme such as crypto+https.
            host = urlsplit(address.target).hostname
            raise SourceError(f"{host} points to an address that is not allowed")
        try:
            return cast(BinaryIO, _Fetched(replace(address, target=url), timeout_s))
        except AddressRefused:
            raise
        except SourceError:
            if url == address.target:
                raise
            return io.BytesIO()

    return fetch


class _Fetched:
    """A URL's content as a file object.

    Attributes:
        name: Its URL after redirects, the base of relative ones.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._client = Client(address, timeout_s)
        self._rest = b""
        self._at = 0
        self._answer: Answer | None = None
        try:
            self._answer = answer = self._client.get()
            self.name = self._client.url
        except BaseException:
            self._client.close()
            raise
        headers = answer.headers
        length = "" if "Content-Encoding" in headers else headers.get("Content-Length", "")
        self._size = int(length[:18]) if length.isdecimal() else None
        ranges = headers.get("Accept-Ranges", "").lower()
        self._seekable = ranges == "bytes" and self._size is not None

    def read(self, size: int) -> bytes:
        """Wait for data and return at most ``size`` bytes; nothing at the end."""
        if not self._rest and (self._size is None or self._at < self._size):
            if self._answer is None:
                self._answer = self._client.get({"Range": f"bytes={self._at}-"})
                if self._answer.status != PARTIAL:
                    raise SourceError(
                        f"{self._answer.host} sends a different range from the one requested"
                    )
            self._rest = self._answer.read()
        data, self._rest = self._rest[:size], self._rest[size:]
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset; the next read requests it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size or 0}[whence]
        if base + offset != self._at:
            self._drop()
            self._at = base + offset
        return self._at

    def close(self) -> None:
        self._drop()
        self._client.close()

    def _drop(self) -> None:
        answer, self._answer, self._rest = self._answer, None, b""
        if answer is not None:
            answer.close()
