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
"""Whatever picks what a viewer is sent."""


class SocketViewer(VideoViewer):
    """One camera on one dashboard: a frame needs credit, and nothing unsent before it.

    Args:
        websocket: Where frames are sent.
        credit: How many.
        last_seq: The newest frame that the dashboard has had.
        choice: Picks its rendition and video; None for JPEG of a fixed rendition.
        codecs: What it decodes, such as ``h264``.
        link: What its link carries.
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
        """Why no JPEG can be sent now; None if one can."""
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
        if obstacle is None and frame.painted:  # Nothing else is acknowledged.
            self.credit.spend(frame.seq, now, packet.size)
        return obstacle

    def miss(self, obstacle: str) -> None:
        """Note a missed frame, which more credit or a smaller picture might have carried."""
        if obstacle == "credit":
            self.credit.miss()
        if self.choice is not None:
            self.choice.miss()
