"""The contact sheet: all pictures at a glance, as a page to click through and as one picture."""

from pathlib import Path

import cv2
import numpy as np

from tests.screens.stage import SIZES

__all__ = ["SCHEMES", "picture_name", "write_sheet"]

SCHEMES = ("light", "dark")

THUMB_HEIGHT = 225
MARGIN = 12
TITLE = 30
GROUND = (43, 37, 32)
INK = (232, 236, 238)

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Porthole, every state</title>
<style>
  body {{ margin: 2rem; background: #20252b; color: #e8ecee; font: 15px/1.4 sans-serif; }}
  section {{ display: flex; gap: 12px; align-items: start; margin: 0 0 2rem; overflow-x: auto; }}
  img {{ height: 300px; border-radius: 6px; display: block; }}
</style>
<h1>Porthole, every state</h1>
{rows}
</html>
"""


def picture_name(view: str, size: str, scheme: str) -> str:
    """Return the file name of a view's picture."""
    return f"{view}-{size}-{scheme}.png"


def write_sheet(folder: Path) -> None:
    """Write ``index.html`` and ``sheet.jpg`` for the pictures in the folder."""
    rows, strips = [], []
    for view in sorted({path.stem.rsplit("-", 2)[0] for path in folder.glob("*-*-*.png")}):
        names = [
            name
            for size in SIZES
            for scheme in SCHEMES
            if (folder / (name := picture_name(view, size.name, scheme))).exists()
        ]
        links = "".join(
            f'<a href="{name}"><img src="{name}" alt="{name}" loading="lazy"></a>' for name in names
        )
        rows.append(f"<h2>{view}</h2>\n<section>{links}</section>")
        strips.append(_strip(view, [folder / name for name in names]))
    (folder / "index.html").write_text(PAGE.format(rows="\n".join(rows)), encoding="utf-8")
    if strips:
        width = max(strip.shape[1] for strip in strips)
        filled = [
            cv2.copyMakeBorder(
                strip, 0, 0, 0, width - strip.shape[1], cv2.BORDER_CONSTANT, value=GROUND
            )
            for strip in strips
        ]
        cv2.imwrite(str(folder / "sheet.jpg"), np.vstack(filled))


def _strip(view: str, paths: list[Path]) -> np.ndarray:
    parts = [np.full((THUMB_HEIGHT, MARGIN, 3), GROUND, np.uint8)]
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None, path
        width = round(picture.shape[1] * THUMB_HEIGHT / picture.shape[0])
        parts.append(cv2.resize(picture, (width, THUMB_HEIGHT), interpolation=cv2.INTER_AREA))
        parts.append(parts[0])
    row = np.hstack(parts)
    head = np.full((TITLE, row.shape[1], 3), GROUND, np.uint8)
    cv2.putText(head, view, (MARGIN, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.55, INK, 1, cv2.LINE_AA)
    return np.vstack([head, row])
