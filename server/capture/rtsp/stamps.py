"""Derives decoding timestamps: RTP only has the times at which to show pictures. No I/O."""

from collections import deque

__all__ = ["DecodeStamps"]

# H.264 and H.265 allow this many pictures to wait for one that is shown before them.
MAX_DELAY = 16


class DecodeStamps:
    """Turns display timestamps into increasing decoding timestamps.

    With B-frames a picture is sent after some that are shown later. Its decoding time is the
    display time of the picture that leaves the decoder when it enters.
    """

    def __init__(self) -> None:
        self._newest: deque[int] = deque(maxlen=MAX_DELAY + 1)
        self._latest: int | None = None
        self._delay = 0  # In pictures.

    def see(self, shown: int, key: bool) -> int:
        """Return the decoding timestamp of the next picture.

        Args:
            shown: Its display timestamp.
            key: Whether it can be decoded by itself.
        """
        if self._latest is None or (key and shown < self._latest):
            self._newest.clear()  # The clock was set back.
            self._latest = shown
        self._newest.append(shown)
        if shown >= self._latest:
            self._latest = shown
            if not self._delay:
                return shown
        else:
            later = sum(one > shown for one in self._newest)
            self._delay = max(self._delay, min(later, MAX_DELAY))
        in_order = sorted(self._newest)
        return in_order[max(0, len(in_order) - 1 - self._delay)]
