"""Writes a fixed line of text into a corner of every picture."""

from collections.abc import Callable

from server.capture.frames.frame import Image
from server.capture.processing.builtin.lettering import Lettering
from server.capture.processing.info import Info

__all__ = ["make_caption"]


def make_caption(options: dict[str, str]) -> Callable[[Image, Info], None]:
    """Return a processor that writes ``text`` into ``corner``."""
    text = options["text"]
    lettering = Lettering(options.get("corner", "top-left"))

    def caption(image: Image, _info: Info) -> None:
        lettering.write(image, text)

    return caption
