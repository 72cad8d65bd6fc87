"""Finds out what a source delivers, measured over a few seconds, or why it delivers nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from server.capture.frames.arrivals import Figures
from server.capture.frames.frame import Jpeg, Picture, size_of
from server.capture.opening import open_reader
from server.capture.sources.reader import Demand, Reader
from server.config.address import Address
from server.config.url import must_verify
from server.errors import PictureError, SourceEnded, SourceError

__all__ = ["Finding", "examine"]

# How long a source is measured, and the limit if its rate or groups are still unknown by then.
MEASURE_S = 2.0
MAX_MEASURE_S = 5.0

# How long to wait for a key frame: the slowest cameras send one every ten seconds.
KEY_FRAME_S = 30.0

# Every picture as it arrives, in any form.
ANY = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 100)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a source delivers; None where unknown.

    Attributes:
        source: Its address without passwords.
        ok: Whether it delivers pictures.
        reason: Why it does not, for people; otherwise empty.
        width: Of its pictures, in pixels.
        height: Of its pictures, in pixels.
        fps: Pictures that arrive per second; also None if each is fetched on demand.
        codec: Its encoding.
        group: Pictures from one key frame to the next; 1 if each can be decoded by itself.
        kbps: Its bit rate in kilobits per second.
        first_picture_ms: Time to open it and get its first picture, in milliseconds.
        passed_through: Whether its pictures can be sent to viewers unchanged.
        polled: Whether each picture is fetched on demand.
        verified: Whether its TLS certificate was verified; None without TLS.
    """

    source: str
    ok: bool
    reason: str = ""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    codec: str | None = None
    group: int | None = None
    kbps: int | None = None
    first_picture_ms: int | None = None
    passed_through: bool | None = None
    polled: bool | None = None
    verified: bool | None = None

    def __str__(self) -> str:
        """Return one line for people."""
        if not self.ok:
            return f"{self.source}: no picture: {self.reason}"
        rate = "fetched one by one" if self.polled else "unknown fps"
        parts = [
            f"{self.width} x {self.height}",
            f"{self.fps:.3g} fps" if self.fps else rate,
            self.codec or "unknown codec",
            f"a key frame every {self.group} pictures" if self.group and self.group > 1 else "",
            f"{self.kbps} kbit/s" if self.kbps else "",
            "passed through" if self.passed_through else "",
            ""
            if self.verified is None
            else f"certificate {'' if self.verified else 'not '}verified",
            f"first frame after {self.first_picture_ms} ms",
        ]
        return f"{self.source}: {', '.join(filter(None, parts))}"


def examine(address: Address, timeout_s: float, say: Callable[[str], None]) -> Finding:
    """Return what a source delivers; takes a few seconds.

    Args:
        address: The source's address.
        timeout_s: How long it may take to open, and to deliver.
        say: Called with what it is waiting for.
    """
    started = time.monotonic()
    try:
        reader = open_reader(address, address.name, timeout_s)
        try:
            picture = _wait_for_picture(reader, timeout_s, say)
            took_s = time.monotonic() - started
            figures = Figures() if reader.info.polled else _measure(reader)
        finally:
            reader.close()
    except SourceError as error:
        return Finding(address.public, ok=False, reason=str(error))
    width, height = size_of(picture)
    verified = must_verify(address.verify, urlsplit(address.target).hostname or "")
    return Finding(
        source=address.public,
        ok=True,
        width=width,
        height=height,
        fps=round(figures.fps, 2) or None,
        codec=reader.info.codec or None,
        group=figures.group or None,
        kbps=round(figures.kbps) or None,
        first_picture_ms=round(took_s * 1000),
        passed_through=isinstance(picture, Jpeg),
        polled=reader.info.polled,
        verified=verified if address.scheme in ("https", "rtsps") else None,
    )


def _wait_for_picture(reader: Reader, timeout_s: float, say: Callable[[str], None]) -> Picture:
    """Return the first picture.

    Raises:
        SourceError: If there is none in time.
    """
    started = time.monotonic()
    said = broken = ""
    while True:
        waiting_for = reader.figures.waiting_for
        if waiting_for != said and waiting_for:
            say(f"waiting for {waiting_for}")
            said = waiting_for
        limit_s = max(timeout_s, KEY_FRAME_S) if waiting_for else timeout_s
        if time.monotonic() - started > limit_s:
            why = broken or (f"still waiting for {waiting_for}" if waiting_for else "")
            raise SourceError(f"none came within {limit_s:g} s" + (f": {why}" if why else ""))
        try:
            reading = reader.read(ANY)
        except PictureError as error:
            broken = str(error)
            continue
        if reading is not None and reading.picture is not None:
            return reading.picture


def _measure(reader: Reader) -> Figures:
    """Measure a source's arrivals; figures that stay unknown are 0."""
    started = time.monotonic()
    while (elapsed_s := time.monotonic() - started) < MAX_MEASURE_S:
        if elapsed_s > MEASURE_S and reader.figures.fps and reader.figures.group:
            break
        try:
            reader.read(ANY)
        except PictureError:
            continue
        except SourceEnded:
            break
    return reader.figures
