"""The pieces that H.264 and H.265 are made of: NAL units, and the bits within them."""

import re
from collections.abc import Iterator

__all__ = ["Bits", "split_annex_b"]

START_CODE = re.compile(b"\x00\x00\x01")
ESCAPED = re.compile(b"\x00\x00\x03")


def split_annex_b(data: bytes) -> Iterator[memoryview]:
    """Yield the NAL units of a byte stream in Annex B format, each without its start code."""
    view = memoryview(data)
    begin = -1
    for found in START_CODE.finditer(data):
        if begin >= 0:
            yield from _without_zeros(view, begin, found.start())
        begin = found.end()
    if begin >= 0:
        yield from _without_zeros(view, begin, len(data))


def _without_zeros(view: memoryview, begin: int, end: int) -> Iterator[memoryview]:
    # A NAL unit never ends with a zero: those belong to the next start code.
    while end > begin and not view[end - 1]:
        end -= 1
    if end > begin:
        yield view[begin:end]


class Bits:
    """Reads a NAL unit bit by bit, without its emulation prevention bytes.

    Args:
        nal: A whole NAL unit.
        skip: How many bytes of header to skip.
    """

    def __init__(self, nal: bytes, skip: int) -> None:
        payload = ESCAPED.sub(b"\x00\x00", bytes(nal))[skip:]
        self._bits = int.from_bytes(payload)
        self._left = 8 * len(payload)

    def take(self, count: int) -> int:
        """Return the next bits as a number.

        Raises:
            ValueError: If there are not as many.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError("it ends too early")
        return (self._bits >> self._left) & ((1 << count) - 1)

    def take_ue(self) -> int:
        """Return the next unsigned number in Exp-Golomb code (H.264, 9.1).

        Raises:
            ValueError: If there is none.
        """
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("it holds an impossible number")
        return (1 << zeros) - 1 + self.take(zeros)
