"""The source of an ``exec:`` address: a command that writes pictures to its standard output.

The first bytes show the format. JPEG pictures, in parts or not, are read as they are; FFmpeg reads
anything else, such as H.264.
"""

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast

from server.capture.devices.controls import ControlInfo, Value
from server.capture.frames.frame import Picture
from server.capture.frames.info import SourceInfo
from server.capture.frames.jpeg import inspect_jpeg
from server.capture.sources.mjpeg import MjpegStream
from server.capture.sources.multipart import JpegParser
from server.capture.sources.program import CHUNK_BYTES, Program
from server.config.address import Address
from server.config.command import split_command
from server.errors import PictureError, SourceError

if TYPE_CHECKING:
    from server.capture.streams.video import Video

__all__ = ["CommandSource"]

# The first picture may follow the head of a part, or a greeting: without -q, gst-launch-1.0 prints
# one.
TEXT = re.compile(rb"[\t\r\n\x20-\x7e]*")
PART = re.compile(rb"(?:^|[\r\n])(?:--[^\r\n]|content-type:)", re.IGNORECASE)
JPEG = b"\xff\xd8\xff"

# A longer greeting means that the command writes text, not pictures.
MAX_TEXT_BYTES = 1 << 16
MAX_LINE = 80


class CommandSource:
    """A running command and the source that reads its pictures.

    Args:
        address: The command and its working directory.
        timeout_s: Limit for the first picture, and then for each pause.

    Attributes:
        output: The source of the pictures.

    Raises:
        SourceError: If it cannot be started or writes no pictures; says why.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        if missing := address.missing:
            raise SourceError(missing)
        self._output_info: SourceInfo | None = None  # As last copied.
        self._text = ""  # The first line that it has written instead of pictures.
        self._program = Program(split_command(address.target), address.folder, timeout_s)
        try:
            self.output = self._open(address, timeout_s)
        except (SourceError, TimeoutError) as error:
            reason = self._program.explain(str(error), self._text)
            self._program.kill()
            self._program.close()
            raise SourceError(reason) from None
        except BaseException:
            self._program.kill()
            self._program.close()
            raise
        self._update_info()
        self.arrivals = self.output.arrivals
        self._program.waited = False

    def _open(self, address: Address, timeout_s: float) -> "MjpegStream | Video":
        first = self._read_first(timeout_s)
        after = _text_in(first)
        if first.startswith(JPEG, after) or PART.search(first, 0, after):
            return self._open_jpegs(first, timeout_s)
        if self._text or not first:
            raise SourceError("the command writes text, not pictures")
        self._program.put_back(first)
        from server.capture.streams.stream import open_stream

        return open_stream(address, timeout_s, cast(BinaryIO, _Reader(self._program)))

    def _read_first(self, timeout_s: float) -> bytes:
        """Return enough of its output to recognise the format."""
        deadline = time.monotonic() + timeout_s
        first = data = self._program.read()
        while data and len(first) < _text_in(first) + len(JPEG) and not PART.search(first):
            self._text = _first_line(first)
            if len(first) > MAX_TEXT_BYTES or time.monotonic() > deadline:
                return first
            data = self._program.read()
            first += data
        if len(first) > _text_in(first):
            self._text = ""
        return first

    def _open_jpegs(self, data: bytes, timeout_s: float) -> MjpegStream:
        parser = JpegParser()
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            pictures = parser.feed(data)
            while pictures:
                try:
                    jpeg, _ = inspect_jpeg(pictures[-1])
                except PictureError:
                    pictures.pop()
                    continue
                size = jpeg.width, jpeg.height
                output = _Reader(self._program)
                return MjpegStream(output, output, parser, pictures, size, timeout_s)
            data = self._program.read()
            if not data:
                break
        raise SourceError(parser.fault or "the command writes no whole picture")

    def grab(self) -> bool:
        """Wait for the next picture.

        Raises:
            SourceError: If the command ended or is silent; quotes its last error line.
        """
        try:
            grabbed = self.output.grab()
        except SourceError as error:
            raise SourceError(self._program.explain(str(error))) from None
        if not self._program.waited:
            # Pictures that gathered in the pipe during opening would distort the measured rate.
            self.arrivals.pause()
        self._update_info()
        return grabbed

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture | None:
        """Return the last grabbed picture; see :class:`Source`."""
        picture = self.output.retrieve(jpeg_up_to, pixels_from)
        self._update_info()
        return picture

    def _update_info(self) -> None:
        """Copy the output's info if it has changed."""
        if self._output_info is not self.output.info:
            self._output_info = self.output.info
            # Always live: a paused command's pictures would grow old in the pipe.
            self.info = replace(self._output_info, live=True)

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return nothing: commands have no controls."""
        return self.output.controls()

    def set_control(self, name: str, value: Value) -> Value:
        """Reject every value: there are no controls.

        Raises:
            ControlError: Always.
        """
        return self.output.set_control(name, value)

    def close(self) -> None:
        """End the command and everything it has started."""
        self._program.kill()
        self.output.close()
        self._program.close()


class _Reader:
    """A program's output; closing this does not close the output."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Wait for output; see :meth:`Program.read`."""
        return self._program.read(size)

    def close(self) -> None:
        """Do nothing: :class:`CommandSource` ends the program."""


def _text_in(data: bytes) -> int:
    """Return how many bytes of text ``data`` begins with."""
    found = TEXT.match(data)
    return found.end() if found else 0


def _first_line(text: bytes) -> str:
    lines = text.decode("ascii", "replace").split("\n")
    return next((line.strip() for line in lines if line.strip()), "")[:MAX_LINE]
