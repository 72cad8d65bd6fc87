"""Reads the bits of a header."""

__all__ = ["Bits"]

# Longer codes are damage: a 32-bit number has 32 leading zeros.
MAX_ZEROS = 32


class Bits:
    """The bits of some bytes, in order.

    Args:
        data: The bytes.
        skipped: The number of bytes to skip.
    """

    def __init__(self, data: bytes, skipped: int = 0) -> None:
        self._number = int.from_bytes(data, "big")
        self._left = 8 * (len(data) - skipped)

    def take(self, count: int = 1) -> int:
        """Return the next bits as a number.

        Raises:
            ValueError: If there are fewer.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError("a header is cut off")
        return self._number >> self._left & (1 << count) - 1

    def unsigned(self) -> int:
        """Return the next number in Exp-Golomb code.

        Raises:
            ValueError: If there is none.
        """
        zeros = 0
        while not self.take():
            zeros += 1
            if zeros > MAX_ZEROS:
                raise ValueError("a number in a header is too long")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """Return the next signed number in Exp-Golomb code.

        Raises:
            ValueError: If there is none.
        """
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)
