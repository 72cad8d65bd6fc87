"""Tries a source before it is added: returns a picture, or a short reason why there is none."""

import re
import time
from http import HTTPStatus
from typing import NamedTuple

from server.capture.frames.frame import Frame, Jpeg, Picture
from server.capture.opening import open_reader
from server.capture.sources.reader import Demand
from server.config.address import Address
from server.delivery.encoder import encode_jpeg, pass_through
from server.errors import EncodeError, LoginRefused, PictureError, RequestError, SourceError
from server.loop import hub
from server.loop.concurrency import ConcurrencyLimit, LimitBusy
from server.manage.reach import ReachError, check_reachable

__all__ = ["TrialPicture", "Trials", "short_reason"]

# Sources opened at the same time: each is a process that loads OpenCV.
MAX_TRIALS = 2
MAX_WAIT_S = 10.0

OPEN_S = 5.0
PICTURE_S = 8.0

WIDTH = 640
QUALITY = 75


class TrialPicture(NamedTuple):
    """A picture of a source.

    Attributes:
        jpeg: At most :data:`WIDTH` pixels wide.
        width: Of the source's pictures, in pixels.
        height: In pixels.
    """

    jpeg: bytes
    width: int
    height: int


class Trials:
    """Opens sources for one picture each, a few at a time."""

    def __init__(self) -> None:
        self._limit = ConcurrencyLimit(MAX_TRIALS, MAX_WAIT_S)

    def picture(self, address: Address) -> TrialPicture:
        """Return a source's picture; blocks this green thread for a few seconds.

        Raises:
            RequestError: ``unavailable`` with a short reason, never in the words of the server that
                was tried; ``forbidden`` if :func:`check_reachable` forbids the address;
                ``rate_limited`` if too many are being tried.
        """
        try:
            with self._limit.take():
                check_reachable(address)
                return hub.run_native(_take, address)
        except LimitBusy:
            raise RequestError(
                "rate_limited", "other addresses are being tried; wait a few seconds"
            ) from None
        except ReachError as error:
            raise RequestError("forbidden", str(error)) from None
        except (SourceError, EncodeError) as error:
            raise RequestError("unavailable", short_reason(error)) from None


def short_reason(error: Exception) -> str:
    """Return why a source delivers no picture, as one of a fixed set of messages.

    A server's own words must not be shown: this machine may reach servers that an admin may not.
    """
    text = str(error)
    if isinstance(error, LoginRefused):
        return "it refuses the user name or the password"
    status = re.search(r"\banswers (\d{3})\b", text)
    if status and int(status[1]) in list(HTTPStatus):
        found = HTTPStatus(int(status[1]))
        if found in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return f"it refuses the user name or the password ({found.value})"
        return f"it answers {found.value} {found.phrase}"
    for sign, reason in REASONS:
        if re.search(sign, text, re.IGNORECASE):
            return reason
    return "it sends nothing that can be shown as a picture"


# Patterns of our own messages, and the reasons shown for them.
REASONS = (
    (r"link-local", "it is a link-local address, where cameras are not allowed"),
    (r"host .* is unknown", "there is no such host; check the spelling"),
    (r"refused\b", "nothing answers at this address and port"),
    (r"did not answer|timed out|within [\d.]+ s|sends? nothing", "it does not answer in time"),
    (r"unreachable|no route|cannot be reached", "it cannot be reached from here"),
    (r"group 'video'|permission|permitted", "this server has no permission to open it"),
    (r"another program|busy", "another program is using it, or it is not a camera"),
    (r"does not exist|there is no|no such", "there is no such device or file"),
    (r"holds no pictures", "the file contains no pictures"),
    (r"certificate", "its TLS certificate is not valid"),
)


def _take(address: Address) -> TrialPicture:
    """Open a source and return a picture of it; runs natively."""
    reader = open_reader(address, "trial", OPEN_S)
    try:
        deadline = time.monotonic() + PICTURE_S
        demand = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 0)
        while time.monotonic() < deadline:
            try:
                reading = reader.read(demand)
            except PictureError:
                continue  # The next one may be whole.
            if reading is not None and reading.picture is not None:
                return _encode(reading.picture)
    finally:
        reader.close()
    raise SourceError(f"no picture within {PICTURE_S:g} s")


def _encode(picture: Picture) -> TrialPicture:
    frame = Frame(picture, 1, time.time())
    if isinstance(picture, Jpeg):
        encoded = pass_through(frame, "trial", "full")
        return TrialPicture(encoded.jpeg, picture.width, picture.height)
    height, width = picture.shape[:2]
    return TrialPicture(encode_jpeg(frame, "trial", "full", QUALITY, WIDTH)[0].jpeg, width, height)
