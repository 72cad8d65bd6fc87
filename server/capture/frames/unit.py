"""One encoded picture, as it is sent to viewers or kept."""

from dataclasses import dataclass

__all__ = ["JPEG", "Unit"]

JPEG = "jpeg"
"""The codec of a picture that is a JPEG: like a key frame, it needs no other."""


# Immutable by convention: frozen dataclasses take five times as long to create.
@dataclass(slots=True)
class Unit:
    """One access unit: the bytes of exactly one picture.

    Attributes:
        data: In Annex B format; a key frame is preceded by its parameter sets.
        key: Whether it can be decoded by itself; any other unit needs the one before it.
        seq: The frame's number, counted together with the camera's other pictures; always grows.
        at_unix: When it was captured, in Unix seconds; never earlier than the previous unit.
        codec: The RFC 6381 codec string for decoders, such as ``avc1.64001f``.
        width: As displayed, in pixels.
        height: As displayed, in pixels.
        early_s: How long before ``at_unix`` its own picture was captured; negative if after.
            Nonzero only with B-frames, which are sent after a picture that is displayed after
            them: then ``at_unix`` belongs to the picture that a decoder returns for this unit.
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
        """When its own picture was captured; pictures are displayed in the order of these times."""
        return self.at_unix - self.early_s
