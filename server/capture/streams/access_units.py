"""Recognises packets that continue a picture, so that it can be put together again.

FFmpeg's parser begins a new packet at each parameter set. Some encoders repeat these before every
slice of a key frame; decoded one by one, its parts would each make a torn picture, and so would
all pictures that refer to it.
"""

__all__ = ["continues_picture"]

START = b"\0\0\1"

# The beginning of a picture is in its first slice, which follows a few short units.
MAX_UNITS = 32


def continues_picture(codec: str, data: memoryview | bytes) -> bool:
    """Return whether a packet's first slice is not the first one of its picture.

    Args:
        codec: ``h264`` or ``hevc``; False for others.
        data: In Annex B format. Other formats contain no start code, which gives False.
    """
    if codec not in ("h264", "hevc"):
        return False
    # Parameter sets are short; a slice's first bytes follow soon.
    head = bytes(data[:4096])
    at = 0
    for _ in range(MAX_UNITS):
        at = head.find(START, at) + len(START)
        if at < len(START) or at + 2 >= len(head):
            return False
        if codec == "h264":
            kind = head[at] & 31
            if kind in (1, 2, 5):
                # first_mb_in_slice, in an Exp-Golomb code: a leading 1 is 0.
                return not head[at + 1] & 0x80
        else:
            kind = head[at] >> 1 & 63
            if kind < 32:
                # first_slice_segment_in_pic_flag
                return not head[at + 2] & 0x80
    return False
