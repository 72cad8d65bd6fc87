"""One encoded picture, as it travels from its camera to its viewers, or is kept."""

from dataclasses import dataclass

__all__ = ["JPEG", "Unit"]

JPEG = "jpeg"
"""The codec of a picture that is a JPEG: like a key picture, it needs no other."""


# Nobody may change it. It is not frozen because that would make each five times as dear.
@dataclass(slots=True)
class Unit:
    """One access unit: the bytes of exactly one picture.

    Attributes:
        data: In Annex B format; before each key picture come its parameter sets.
        key: Whether it can be decoded by itself. Any other one needs the one before it.
        seq: The frame's number, counted together with the camera's other pictures; only grows.
        at_unix: When it was captured, in Unix seconds; never before the unit before it.
        codec: What a decoder must be configured for, by RFC 6381, such as ``avc1.64001f``.
        width: In pixels, as it is to be shown.
        height: In pixels, as it is to be shown.
        early_s: By how much its own picture was captured before ``at_unix``; less than 0 if after.
            Not 0 with B-frames only, which are sent after a picture that is shown after them:
            then ``at_unix`` is of the picture that comes out of a decoder with this unit.
    """

    data: bytes
    key: bool
    seq: int
    at_unix: float
    codec: str
    width: int
    height: int
    early_s: float = 0.0

    @property
    def shown_unix(self) -> float:
        """When its own picture was captured: pictures are shown in the order of these times."""
        return self.at_unix - self.early_s
