"""When pictures are to be decoded: RTP tells when they are to be shown. No I/O."""

from collections import deque

__all__ = ["DecodeStamps"]

# H.264 and H.265 let as many pictures wait for one that is shown before them.
MAX_DELAY = 16


class DecodeStamps:
    """Makes stamps that grow of those that pictures are shown by.

    With B-frames a picture is sent after some that are shown later. The picture that comes is then
    decoded when the one is shown that comes out of the decoder with it.
    """

    def __init__(self) -> None:
        self._newest: deque[int] = deque(maxlen=MAX_DELAY + 1)
        self._latest: int | None = None
        self._delay = 0

    def see(self, shown: int, key: bool) -> int:
        """Return when the next picture is to be decoded.

        Args:
            shown: When it is to be shown.
            key: Whether it can be decoded by itself.
        """
        if self._latest is None or (key and shown < self._latest):
            self._newest.clear()  # The clock was set: no key picture is shown before earlier ones.
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
