"""Reads a camera over HTTP for a while, in a separate process; prints the cost as JSON.

``python -m bench.support.reading READER URL SECONDS``; ``own`` is Porthole's reader, ``opencv`` the
one that it replaced: FFmpeg's, through OpenCV, which returns each JPEG undecoded.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.support.process import rss_bytes

__all__ = ["READERS"]

TIMEOUT_S = 5.0


def main() -> None:
    """Read, and print CPU time per picture, seconds to the first one, and resident memory."""
    reader, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    started = time.monotonic()
    read = READERS[reader](url)
    read()
    first_s = time.monotonic() - started
    pictures, began, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() < began + seconds:
        read()
        pictures += 1
    spent_s = time.process_time() - cpu
    print(
        json.dumps(
            {
                "us": spent_s / pictures * 1e6,
                "fps": pictures / (time.monotonic() - began),
                "first_s": first_s,
                "mb": rss_bytes(os.getpid()) / 1e6,
            }
        )
    )


def _open_own(url: str) -> Callable[[], None]:
    from server.capture.sources.source import open_source
    from server.config.address import parse_address

    source = open_source(parse_address(url, Path()), "bench", TIMEOUT_S)

    def read() -> None:
        source.grab()
        source.retrieve(100)

    return read


def _open_opencv(url: str) -> Callable[[], None]:
    import cv2

    from server.capture.frames.jpeg import inspect_jpeg

    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    capture.set(cv2.CAP_PROP_FORMAT, -1.0)

    def read() -> None:
        capture.grab()
        inspect_jpeg(capture.retrieve()[1].tobytes())

    return read


READERS = {"own": _open_own, "opencv": _open_opencv}


if __name__ == "__main__":
    main()
