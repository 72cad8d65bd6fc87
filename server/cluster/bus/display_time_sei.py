"""Embeds in a video unit how early its picture is (``Unit.early_s``).

Nodes of earlier versions pass units on unchanged, so the value travels in the unit itself, where
decoders skip it: as unregistered user data SEI, ITU-T H.264, D.1.6, and H.265, D.2.7.
"""

from server.capture.streams.units.annex_b import START
from server.capture.streams.units.display import MAX_EARLY_S

__all__ = ["add_early", "take_early"]

# UUID of our SEI message. It has no zeros, which would have to be escaped.
KIND = bytes.fromhex("706f7274686f6c652d6561726c792121")

USER_DATA = 5
END = b"\x80"

# Headers of an SEI NAL unit, and of an access unit delimiter, which must come first in a picture.
SEI = {"avc": b"\x06", "hev": b"\x4e\x01"}
DELIMITER = {"avc": START + b"\x09", "hev": START + b"\x46\x01"}
DELIMITER_MORE = 1

MICROSECONDS = 1e6


def add_early(data: bytes, codec: str, early_s: float) -> bytes:
    """Return a unit's bytes with ``early_s`` embedded.

    Args:
        data: The unit's bytes, in Annex B format.
        codec: As in :class:`server.capture.frames.unit.Unit`.
        early_s: As in :class:`server.capture.frames.unit.Unit`.
    """
    payload = KIND + b"%d" % round(early_s * MICROSECONDS)
    sei = START + _of(SEI, codec) + bytes((USER_DATA, len(payload))) + payload + END
    delimiter = _of(DELIMITER, codec)
    at = len(delimiter) + DELIMITER_MORE if data.startswith(delimiter) else 0
    return data[:at] + sei + data[at:]


def take_early(data: bytes, codec: str) -> tuple[bytes, float]:
    """Undo :func:`add_early`; return the unit's original bytes and ``early_s``.

    Raises:
        ValueError: If the value is missing or impossible.
    """
    head = START + _of(SEI, codec)
    at = data.find(KIND, 0, 64)
    begin = at - len(head) - 2
    if begin < 0 or not data.startswith(head + bytes((USER_DATA,)), begin):
        raise ValueError("the value is missing")
    end = at + data[at - 1]
    early_s = int(data[at + len(KIND) : end]) / MICROSECONDS
    if abs(early_s) > MAX_EARLY_S or not data.startswith(END, end):
        raise ValueError("the value is impossible")
    return data[:begin] + data[end + len(END) :], early_s


def _of(kinds: dict[str, bytes], codec: str) -> bytes:
    return kinds["avc" if codec.startswith("avc") else "hev"]
