"""The built-in processors, which need no code from users: one file each."""

from server.capture.processing.builtin.caption import make_caption
from server.capture.processing.builtin.mask import make_mask
from server.capture.processing.builtin.motion import make_motion
from server.capture.processing.builtin.timestamp import make_timestamp

__all__ = ["BUILT_IN"]

BUILT_IN = {
    "caption": make_caption,
    "mask": make_mask,
    "motion": make_motion,
    "timestamp": make_timestamp,
}
"""By name, the factory that makes the processor from its options in the settings."""
