"""What a canvas of the page shows, beside what it should show."""

import base64
from typing import Any

import numpy as np

__all__ = ["difference"]


def difference(pixels: str, reference: Any) -> float:
    """Return the mean difference between what was painted and a picture, in levels of 255."""
    height, width, _ = reference.shape
    painted = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)
    return float(np.abs(painted[:, :, :3].astype(int) - reference).mean())
