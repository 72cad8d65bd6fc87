"""Take screenshots of views, and publish some of them in the documentation."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page

from tests.screens.sheet import SCHEMES, picture_name
from tests.screens.stage import Size, Stage
from tests.screens.views import VIEWS

__all__ = ["FLAGS", "publish", "shoot"]

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    "--hide-scrollbars",
]

# Pictures in the documentation: name, view, size, scheme, and width there.
PUBLISHED = (
    ("dashboard", "grid", "laptop", "light", 1280),
    ("focus", "focus", "laptop", "dark", 1280),
    ("wall", "grid-16", "wall", "dark", 1600),
    ("states", "states", "laptop", "light", 1280),
    ("phone", "grid", "phone", "light", 390),
    ("phone-focus", "focus", "phone", "dark", 390),
)
MAX_BYTES = 250_000


def shoot(stage: Stage, view: str, sizes: Iterable[Size], folder: Path) -> list[Path]:
    """Take a view's pictures, light and dark; return their paths."""
    taken = []
    for size in sizes:
        stage.begin(size)
        try:
            pages = VIEWS[view](stage)
            for name, page in [(view, pages)] if isinstance(pages, Page) else pages or ():
                for scheme in SCHEMES:
                    path = folder / picture_name(name, size.name, scheme)
                    _take(page, scheme, path)
                    taken.append(path)
        finally:
            stage.clear()
    return taken


def _take(page: Page, scheme: str, path: Path) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    # Two frames: the colours change in the first, which is on screen by the second.
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    page.screenshot(path=path, animations="disabled")


def publish(folder: Path, target: Path) -> None:
    """Write the documentation's pictures at the best quality that ``MAX_BYTES`` allows."""
    for name, view, size, scheme, width in PUBLISHED:
        picture = cv2.imread(str(folder / picture_name(view, size, scheme)))
        assert picture is not None, f"there is no picture of {view}"
        if picture.shape[1] > 2 * width or size == "wall":
            height = round(picture.shape[0] * width / picture.shape[1])
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        (target / f"{name}.webp").write_bytes(_compress(picture))


def _compress(picture: np.ndarray) -> bytes:
    for quality in range(94, 60, -4):
        data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(data) <= MAX_BYTES:
            break
    return data
