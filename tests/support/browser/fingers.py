"""Touch and pointer input on a page."""

import itertools
import time

from playwright.sync_api import CDPSession, Locator

# When each finger acts, in Unix seconds.
MOMENTS = itertools.count(time.time(), 0.05)


def middle(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def touch(fingers: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    # Fingers keep their timing however slow the machine is.
    moment = next(MOMENTS)
    fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at, "timestamp": moment})
