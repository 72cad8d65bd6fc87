"""The child's videos: which are wanted, and the pictures they are made of, numbered."""

import json
import os
import time
from typing import TYPE_CHECKING, Any

from server.capture.frames.numbering import UNCOUNTED, Place
from server.capture.isolation.channel import Message
from server.capture.isolation.units import UnitHead, UnitSender, Why
from server.capture.sources.source import video_of

if TYPE_CHECKING:
    from server.capture.sources.source import Source
    from server.capture.streams.units.maker import Encoded

__all__ = ["Videos"]

FULL = 0
"""The number of the video that may be the source's own."""


class Videos:
    """Sends the units of one source's videos. For the thread that reads the source.

    Args:
        source: The source.
    """

    def __init__(self, source: "Source") -> None:
        self._source = source
        self._own = video_of(source)
        self._sender: UnitSender | None = None
        self._passing = False
        self._number = 0
        self._begun = 0
        self._at_unix = 0.0

    def configure(self, message: Message) -> None:
        """Take what the server wants from now on: see ``Kind.VIDEO``."""
        if message.fd >= 0:
            self.close()
            self._sender = UnitSender(message.fd)
        wanted: dict[str, Any] = json.loads(message.payload)
        passing = self._sender is not None and bool(wanted["pass"])
        counted = passing
        if not counted:
            self._begun = 0
        elif not self._begun:
            self._begun = self._number + 1
        if passing and not self._passing and self._sender is not None:
            self._sender.restart(FULL)
        self._passing = passing
        if self._own is not None:
            self._own.pass_on(self._send if counted else None)

    def note_grabbed(self, grabbed: bool) -> float:
        """Note that the source was read; return when its newest picture came, in Unix seconds."""
        if self._own is None or not self._begun:
            self._at_unix = time.time()
            self._number += grabbed
        return self._at_unix

    @property
    def at_key(self) -> bool:
        """Whether the newest picture can be decoded by itself."""
        return self._own is None or self._own.at_key

    @property
    def place(self) -> Place:
        """Which picture the newest one is."""
        return Place(self._begun, self._number) if self._begun else UNCOUNTED

    def lose(self) -> None:
        """Note that a picture could not be decoded: neither can the rest of its group."""
        if self._passing and self._sender is not None:
            self._sender.lose(FULL, Why.DAMAGED)

    def close(self) -> None:
        """Send no more."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _send(self, encoded: "Encoded | None") -> None:
        """Send the next picture of the source's own video, if it can be passed on."""
        self._number += 1
        self._at_unix = time.time()
        if not self._passing or self._sender is None:
            return
        if encoded is None:
            if self._source.info.video:
                self._sender.lose(FULL, Why.DAMAGED)
            return
        data, key, codec, width, height = encoded
        head = UnitHead(FULL, key, self.place, self._at_unix, width, height, codec)
        self._sender.send(head, data)


def discard(message: Message) -> None:
    """Close what came with a message that is for a source which is closed already."""
    if message.fd >= 0:
        os.close(message.fd)
