"""Says with a unit by how much its own picture is early, in a way that any decoder skips.

Nodes of earlier versions know nothing of it and hand a unit on as it came. So it travels in the
unit itself, as user data that is not registered: ITU-T H.264, D.1.6, and H.265, D.2.7.
"""

from server.capture.streams.units.annex_b import START
from server.capture.streams.units.display import MAX_EARLY_S

__all__ = ["add_early", "take_early"]

# The kind of information, as in any UUID. No zeros: they would have to be escaped.
KIND = bytes.fromhex("706f7274686f6c652d6561726c792121")

USER_DATA = 5
END = b"\x80"

# The header of such a unit; and a unit that has to be a picture's first, but for what follows its
# own header.
SEI = {"avc": b"\x06", "hev": b"\x4e\x01"}
DELIMITER = {"avc": START + b"\x09", "hev": START + b"\x46\x01"}
DELIMITER_MORE = 1

MICROSECONDS = 1e6


def add_early(data: bytes, codec: str, early_s: float) -> bytes:
    """Return a unit's bytes with what they say.

    Args:
        data: Of the unit, in Annex B format.
        codec: As in :class:`server.capture.frames.unit.Unit`.
        early_s: Likewise.
    """
    said = KIND + b"%d" % round(early_s * MICROSECONDS)
    sei = START + _of(SEI, codec) + bytes((USER_DATA, len(said))) + said + END
    delimiter = _of(DELIMITER, codec)
    at = len(delimiter) + DELIMITER_MORE if data.startswith(delimiter) else 0
    return data[:at] + sei + data[at:]


def take_early(data: bytes, codec: str) -> tuple[bytes, float]:
    """Return a unit's bytes as they were before :func:`add_early`, and what they say.

    Raises:
        ValueError: If they say nothing, or something impossible.
    """
    head = START + _of(SEI, codec)
    at = data.find(KIND, 0, 64)
    begin = at - len(head) - 2
    if begin < 0 or not data.startswith(head + bytes((USER_DATA,)), begin):
        raise ValueError("it does not say how early it is")
    end = at + data[at - 1]
    early_s = int(data[at + len(KIND) : end]) / MICROSECONDS
    if abs(early_s) > MAX_EARLY_S or not data.startswith(END, end):
        raise ValueError("it cannot be so early")
    return data[:begin] + data[end + len(END) :], early_s


def _of(kinds: dict[str, bytes], codec: str) -> bytes:
    return kinds["avc" if codec.startswith("avc") else "hev"]
