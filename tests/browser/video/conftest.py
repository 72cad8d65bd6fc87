"""A viewer of video in a page without the dashboard."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.cameras.video_clip import Clip, encode_clip

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def clip() -> Clip:
    """One second of moving pictures; every eighth is a key frame."""
    return encode_clip()


@pytest.fixture
def run(blank: Page, clip: Clip) -> Run:
    """Run a script with a viewer: ``rig``, ``Rig``, ``counts``, ``clip``, ``until``, ``sleep``."""

    def evaluate(script: str, *, shown: Clip = clip, arg: object = None) -> Any:
        return blank.evaluate(
            """async ([clip, arg, script]) => {
              const url = new URL('tests/support/browser/video_rig.js', document.baseURI);
              const { Rig, countDecoders, until, sleep } = await import(url);
              const counts = countDecoders();
              const rig = new Rig(clip);
              const Body = Object.getPrototypeOf(async () => {}).constructor;
              const names = ['rig', 'Rig', 'counts', 'clip', 'arg', 'until', 'sleep'];
              try {
                return await new Body(...names, script)(rig, Rig, counts, clip, arg, until, sleep);
              } finally {
                rig.viewer.close();
                counts.stop();
              }
            }""",
            [shown.for_page(), arg, script],
        )

    return evaluate
