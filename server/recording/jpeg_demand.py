"""A viewer that is sent nothing; it makes the camera encode JPEG, so that this can be kept."""

import sys

from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Room

__all__ = ["JpegDemand"]


class JpegDemand:
    """A viewer that keeps the encoder running and claims to have every frame already."""

    room: Room
    obstacle = None

    def __init__(self) -> None:
        self.last_seq = sys.maxsize

    def send(self, frame: EncodedFrame, now: float) -> str | None:
        """Cannot happen: no frame is new to it."""
        raise AssertionError("no frame is new to it")

    def miss(self, obstacle: str) -> None:
        """Cannot happen: it has no obstacle."""
