"""One camera on one connected dashboard."""

from server.delivery.adaptation import RenditionSelector
from server.delivery.choice import FixedChoice, VideoSelector
from server.delivery.credit import Credit
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Room
from server.delivery.link import Link
from server.delivery.video import Burst, VideoFrame, VideoViewer
from server.web.socket.websocket import WebSocket

__all__ = ["Choice", "SocketViewer"]

Choice = RenditionSelector | FixedChoice | VideoSelector
"""Picks the rendition or video that a viewer gets."""


class SocketViewer(VideoViewer):
    """One camera on one dashboard: sends a frame if there is credit and no unsent data.

    Args:
        websocket: Frames are sent over it.
        credit: How many frames may be sent.
        last_seq: Number of the newest frame that the dashboard has had.
        choice: Picks the rendition and video; None for JPEG of a fixed rendition.
        codecs: Codecs the dashboard decodes, such as ``h264``.
        link: Estimate of the link's capacity.
    """

    room: Room

    def __init__(
        self,
        websocket: WebSocket,
        credit: Credit,
        last_seq: int,
        choice: Choice | None,
        codecs: frozenset[str],
        link: Link,
    ) -> None:
        self.last_seq = last_seq
        self.credit = credit
        self.choice = choice
        self.codecs = codecs
        self.link = link
        self._websocket = websocket

    @property
    def obstacle(self) -> str | None:
        """Why no JPEG can be sent now; None if it can."""
        if not self.credit.ready:
            return "credit"
        return "unsent" if self._websocket.busy else None

    def send(self, frame: EncodedFrame, now: float) -> str | None:
        """Write the frame's packet without blocking; return the obstacle if it was not sent."""
        credit = self.credit
        if not credit.ready:
            return "credit"
        packet = frame.packet
        obstacle = self._websocket.offer(packet)
        if obstacle is None:
            credit.spend(frame.seq, now, packet.size)
        return obstacle

    def send_video(self, frame: VideoFrame | Burst, now: float) -> str | None:
        """Write the frames' packet without blocking; return the obstacle if it was not sent."""
        link = self.link
        if not self.credit.may_flow(now, link.bare_s, link.max_bytes):
            return "credit"
        packet = frame.packet
        obstacle = self._websocket.offer(packet)
        if obstacle is None and frame.painted:  # Only painted frames are acknowledged.
            self.credit.spend(frame.seq, now, packet.size)
        return obstacle

    def miss(self, obstacle: str) -> None:
        """Note a missed frame, so that the credit or the choice can adapt."""
        if obstacle == "credit":
            self.credit.miss()
        if self.choice is not None:
            self.choice.miss()
