"""Shared by the references: their command line, and a picture source of negligible cost."""

import argparse
import time
from pathlib import Path

from bench.support.content import FPS, Pixels, load_pixels

__all__ = ["LoopingCamera", "announce", "part", "read_arguments"]


class LoopingCamera:
    """Pictures from memory at 30 fps, so that only the reference's own cost is measured.

    ``read`` blocks until the next one, like ``cv2.VideoCapture.read``.
    """

    def __init__(self, folder: Path) -> None:
        self._pictures: list[Pixels] = load_pixels(folder)
        self._count = 0
        self._due = time.monotonic()

    def read(self) -> tuple[Pixels, float]:
        """Return a picture and its time in Unix seconds."""
        self._due = max(self._due + 1 / FPS, time.monotonic() - 1)
        time.sleep(max(0.0, self._due - time.monotonic()))
        self._count += 1
        return self._pictures[self._count % len(self._pictures)], time.time()


def read_arguments() -> Path:
    """Return the folder of pictures from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    folder: Path = parser.parse_args().pictures
    return folder


def announce(name: str, port: int) -> None:
    """Print the line with this server's address."""
    print(f"{name} at http://127.0.0.1:{port}/", flush=True)


def part(jpeg: bytes, at_unix: float) -> bytes:
    """Return a multipart part as the recipes write it, with the two headers that the bench reads.

    The recipes send the boundary first, so a browser shows a picture only when the next one comes;
    the bench counts a picture as soon as its last byte has arrived.
    """
    head = (
        f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
        f"X-Timestamp: {at_unix:.6f}\r\n\r\n"
    )
    return head.encode() + jpeg + b"\r\n"
