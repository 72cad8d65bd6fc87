"""The harness that `make screens` runs, with one small view of its own."""

from contextlib import closing
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Page

from tests.screens.scenes.film import SCENES
from tests.screens.sheet import write_sheet
from tests.screens.shoot import shoot
from tests.screens.stage import SIZES, Stage, live
from tests.screens.views import VIEWS


def small(stage: Stage) -> Page:
    return live(stage.open(stage.server([("one", "One", "test:?size=320x180")]).url))


def test_view_yields_a_picture_in_each_colour_scheme(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shooting a view writes one picture per scheme, and a sheet that shows them."""
    monkeypatch.setitem(VIEWS, "small", small)
    phone = SIZES[0]
    with closing(Stage(browser, tmp_path)) as stage:
        taken = shoot(stage, "small", [phone], tmp_path)
    write_sheet(tmp_path)

    assert [path.name for path in taken] == ["small-phone-light.png", "small-phone-dark.png"]
    light, dark = (cv2.imread(str(path)) for path in taken)
    assert light is not None
    assert dark is not None
    assert light.shape == dark.shape == (844 * 2, 390 * 2, 3)
    assert light.mean() > dark.mean() + 20
    assert "small-phone-dark.png" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_scenes_move() -> None:
    """Each scene is a picture that has changed a moment later."""
    for name, scene in SCENES.items():
        now, later = scene(0.1), scene(0.35)

        assert now.shape == (720, 1280, 3), name
        assert now.std() > 0.03, name
        assert abs(now - later).max() > 0.1, name
