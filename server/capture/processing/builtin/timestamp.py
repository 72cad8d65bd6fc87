"""Writes the time of capture, to the tenth of a second, into a corner of the picture."""

from collections.abc import Callable
from datetime import UTC, datetime

from server.capture.frames.frame import Image
from server.capture.processing.builtin.lettering import Lettering
from server.capture.processing.info import Info

__all__ = ["make_timestamp"]


def make_timestamp(options: dict[str, str]) -> Callable[[Image, Info], None]:
    """Return a processor that writes the time in ``zone``, local or utc, into ``corner``."""
    zone = UTC if options.get("zone") == "utc" else None
    ending = " UTC" if zone else ""
    lettering = Lettering(options.get("corner", "bottom-right"))

    def timestamp(image: Image, info: Info) -> None:
        at = datetime.fromtimestamp(info.at, zone)
        lettering.write(image, f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 100_000}{ending}")

    return timestamp
