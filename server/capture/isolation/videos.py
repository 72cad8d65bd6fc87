"""The child's videos: passes on the source's own, encodes others, and numbers the pictures."""

import json
import os
import time
from typing import TYPE_CHECKING

from server.capture.frames.encoding import Encoding
from server.capture.frames.frame import Jpeg, Picture
from server.capture.frames.numbering import UNCOUNTED, Place
from server.capture.isolation.channel import Message
from server.capture.isolation.units import GapReason, UnitHead, UnitSender
from server.capture.sources.source import video_of
from server.capture.streams.units.display import LEAST_STEP_S
from server.errors import PictureError

if TYPE_CHECKING:
    from server.capture.sources.source import Source
    from server.capture.streams.units.encoder import VideoEncoder
    from server.capture.streams.units.maker import Encoded

__all__ = ["FULL_TRACK", "Videos", "discard"]

FULL_TRACK = 0
"""The number of the full-size video, which may be the source's own."""

# The largest delay, in intervals, that the following pictures make up for.
CATCH_UP = 1.5

# A smaller backward step of the system clock is measurement noise.
CLOCKS_APART_S = 0.1

# How early a picture may be encoded, in intervals: the next one would be even further off.
EARLY = 0.25


class Videos:
    """Sends the units of one source's videos. For the thread that reads the source.

    Args:
        source: The source.

    Attributes:
        at_unix: When its newest picture arrived, in Unix seconds.
    """

    def __init__(self, source: "Source") -> None:
        self._source = source
        self._own = video_of(source)
        self._sender: UnitSender | None = None
        self._passing = False
        self._lazy = False  # Whether units may be sent several at a time.
        self._rested = False  # Whether the pictures being read arrived during a rest.
        self._encoders: dict[int, VideoEncoder] = {}
        self._interval_s = 0.0
        self._due = 0.0  # When to encode the next picture.
        self._number = 0  # The newest picture's.
        self._noted = 0  # The number after the last read of the source.
        self._encoded = 0  # The number of the last encoded picture.
        self._begun = 0  # The number that counting began with; 0 while pictures are not counted.
        self.at_unix = 0.0

    def configure(self, message: Message) -> None:
        """Apply the server's request in a ``Kind.VIDEO`` message."""
        if message.fd >= 0:
            self.close()
            self._sender = UnitSender(message.fd)
        if self._sender is None:
            return
        wanted = json.loads(message.payload)
        self._sender.lazy = self._lazy = wanted["lazy"]
        self._sender.flush()
        if wanted["pass"] and not self._passing:
            self._sender.restart(FULL_TRACK)
        self._passing = wanted["pass"]
        self._interval_s = 1 / wanted["limit"] if wanted["limit"] else 0.0
        encodings = {int(track): Encoding(*one) for track, one in wanted["encode"].items()}
        self._set_encoders(self._sender, encodings, wanted["rate"])
        counted = self._passing or bool(encodings)
        if not counted:
            self._begun = 0
        elif not self._begun:
            self._begun = max(1, self._number)  # The newest picture may still be encoded.
        if self._own is not None:
            self._own.set_on_unit(self._send_own if counted else None)

    def _set_encoders(
        self, sender: UnitSender, encodings: dict[int, Encoding], rate: float
    ) -> None:
        """Keep the encoders that are still wanted unchanged, and create the others."""
        kept = {
            track: one
            for track, one in self._encoders.items()
            if encodings.get(track) == one.encoding
        }
        new = {track: one for track, one in encodings.items() if track not in kept}
        if new:
            from server.capture.streams.units.encoder import VideoEncoder

            for track, encoding in new.items():
                sender.restart(track)
                kept[track] = VideoEncoder(encoding, rate)
        # The widest first: each smaller one is scaled from the one before.
        order = sorted(kept, key=lambda track: -kept[track].encoding.width)
        self._encoders = {track: kept[track] for track in order}

    def rest(self, awaited: bool) -> float:
        """Return how many seconds the source need not be read; if not 0, send all waiting units.

        Args:
            awaited: Whether somebody waits for a picture.
        """
        own = self._own
        if own is None or self._sender is None:
            return 0.0
        own.lazy = self._lazy and self._passing and not self._encoders and not awaited
        rest_s = own.rest() if own.lazy else 0.0
        if rest_s:
            self._sender.flush()
            self._rested = True
        return rest_s

    @property
    def gathered(self) -> bool:
        """Whether more pictures have queued up, and nobody waits for one."""
        return self._own is not None and self._own.lazy and self._own.behind

    @property
    def caught_up(self) -> bool:
        """Whether the newest picture is current, and not one that queued up during a rest."""
        self._rested = self._rested and self._own is not None and self._own.behind
        return not self._rested

    def request_key(self, track: int) -> None:
        """Make a key frame soon, if the video is encoded here."""
        if track in self._encoders:
            self._encoders[track].request_key()

    def note_grabbed(self, grabbed: bool) -> None:
        """Note that the source was read.

        A picture counts even without a unit: at the end of a file, the decoder still returns those
        that it holds.
        """
        if self._own is None or not self._begun or (grabbed and self._number == self._noted):
            self.at_unix = time.time()
            self._number += grabbed
        self._noted = self._number

    @property
    def at_key(self) -> bool:
        """Whether the newest picture can be decoded by itself."""
        return self._own is None or self._own.at_key

    @property
    def place(self) -> Place:
        """The newest picture's number in its source."""
        return Place(self._begun, self._number) if self._begun else UNCOUNTED

    @property
    def width(self) -> int:
        """The width of the widest encoded video, in pixels; 0 if there is none."""
        return max((one.encoding.width for one in self._encoders.values()), default=0)

    def is_due(self) -> bool:
        """Return whether the newest picture is due to be encoded."""
        if not self._encoders or self._number == self._encoded:
            return False
        now, interval_s = time.monotonic(), self._interval_s
        if now < self._due - EARLY * interval_s:
            return False
        self._due = max(self._due + interval_s, now + (1 - CATCH_UP) * interval_s)
        return True

    def encode(self, picture: Picture) -> None:
        """Encode the newest picture and send its units."""
        self._encoded = self._number
        image = picture.pixels if isinstance(picture, Jpeg) else picture
        if image is None or self._sender is None:
            return
        for track, encoder in self._encoders.items():
            image = encoder.scale(image)
            if not self._sender.is_whole(track):
                encoder.request_key()
            try:
                unit = encoder.encode(image)
            except PictureError:
                self._sender.lose(track, GapReason.DAMAGED)
            else:
                self._send(track, unit)

    def lose(self) -> None:
        """Note a picture that cannot be decoded, which spoils the rest of its group."""
        if self._passing and self._sender is not None:
            self._sender.lose(FULL_TRACK, GapReason.DAMAGED)

    def close(self) -> None:
        """Close the socket."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _send_own(self, encoded: "Encoded | None") -> None:
        """Number the next picture of the source's own video; send it if it can be passed on."""
        assert self._own is not None
        self._number += 1
        before_unix = self.at_unix
        self.at_unix = time.time() - (time.monotonic() - self._own.came_at)
        # Keep times increasing: the two clocks are not read at the same moment.
        if 0 <= before_unix - self.at_unix < CLOCKS_APART_S:
            self.at_unix = before_unix + LEAST_STEP_S
        if not self._passing or self._sender is None:
            return
        if encoded is not None:
            self._send(FULL_TRACK, encoded)
        elif self._source.info.video:
            self._sender.lose(FULL_TRACK, GapReason.DAMAGED)

    def _send(self, track: int, encoded: "Encoded") -> None:
        assert self._sender is not None
        data, key, codec, width, height, early_s = encoded
        head = UnitHead(track, key, self.place, self.at_unix, width, height, codec, early_s)
        self._sender.send(head, data)


def discard(message: Message) -> None:
    """Close the descriptor of a message that came too late for its source."""
    if message.fd >= 0:
        os.close(message.fd)
