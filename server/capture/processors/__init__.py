"""What can be done to pictures without writing any code: one file each."""

from server.capture.processors.caption import make_caption
from server.capture.processors.mask import make_mask
from server.capture.processors.motion import make_motion
from server.capture.processors.timestamp import make_timestamp

__all__ = ["BUILT_IN"]

BUILT_IN = {
    "caption": make_caption,
    "mask": make_mask,
    "motion": make_motion,
    "timestamp": make_timestamp,
}
"""By name: what makes the function, from the options that the settings give it."""
