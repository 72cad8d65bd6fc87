"""RTP packets with H.264 or H.265, as cameras send them."""

import struct
from collections.abc import Callable, Iterable, Iterator

__all__ = ["interleave", "packetize", "rtp"]

HEADER = struct.Struct("!BBHII")


def rtp(
    payload: bytes,
    number: int,
    stamp: int,
    marker: bool = False,
    payload_type: int = 96,
    source: int = 7,
) -> bytes:
    """Return a packet; ``number`` and ``stamp`` wrap around."""
    second = payload_type | marker << 7
    return HEADER.pack(0x80, second, number & 0xFFFF, stamp & 0xFFFFFFFF, source) + payload


def interleave(packet: bytes, channel: int = 0) -> bytes:
    """Return a packet as it is interleaved in an RTSP connection."""
    return bytes((0x24, channel)) + len(packet).to_bytes(2, "big") + packet


def packetize(
    units: Iterable[bytes],
    codec: str,
    mtu: int = 1400,
    together: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[bytes, bool]]:
    """Yield payloads, each with whether a NAL unit ends there.

    Args:
        units: NAL units of one picture.
        codec: ``h264`` or ``hevc``.
        mtu: Maximum length of a payload.
        together: Called with each unit; returns whether to aggregate it with the one before.
    """
    waiting: list[bytes] = []
    for unit in units:
        if waiting and not together():
            yield from _flush(waiting, codec, mtu)
            waiting = []
        waiting.append(unit)
    yield from _flush(waiting, codec, mtu)


def _flush(units: list[bytes], codec: str, mtu: int) -> Iterator[tuple[bytes, bool]]:
    if len(units) > 1:
        head = b"\x78" if codec == "h264" else b"\x60\x01"
        yield head + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units), True
    for unit in units if len(units) == 1 else []:
        yield from _fragments(unit, codec, mtu)


def _fragments(unit: bytes, codec: str, mtu: int) -> Iterator[tuple[bytes, bool]]:
    if len(unit) <= mtu:
        yield unit, True
        return
    if codec == "h264":
        head, kind, rest = bytes((unit[0] & 0xE0 | 28,)), unit[0] & 31, unit[1:]
    else:
        head, kind = bytes((unit[0] & 0x81 | 49 << 1, unit[1])), unit[0] >> 1 & 63
        rest = unit[2:]
    for at in range(0, len(rest), mtu):
        begins, ends = at == 0, at + mtu >= len(rest)
        yield head + bytes((kind | begins << 7 | ends << 6,)) + rest[at : at + mtu], ends
