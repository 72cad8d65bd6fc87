"""Use the page with the keyboard only."""

from typing import Any

from playwright.sync_api import Page

__all__ = ["WHERE", "step", "step_to"]

# More Tab presses than the page has stops.
MAX_STOPS = 60

# The focused element: its name, and whether its focus is visible.
WHERE = """async () => {
  // An element that slides in on focus is visible after one frame, however short.
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  // A tile shows its button's focus ring, as a shadow without blur.
  const RING = /rgb[^,]*(, [^,]*)* 0px 0px 0px [2-9]/;
  const element = document.activeElement;
  const ring = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  };
  const tile = element.closest('.tile');
  const { left, top, right, bottom, width, height } = (tile ?? element).getBoundingClientRect();
  const seen = width > 0 && height > 0
    && right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
  const marked = ring(element)
    || (element.matches('.tile-open') && RING.test(getComputedStyle(tile).boxShadow));
  return {
    name: element.id || element.getAttribute('aria-label') || element.textContent.trim(),
    camera: tile?.dataset.camera ?? null,
    dialog: element.closest('dialog') !== null,
    visible: element.matches(':focus-visible') && marked && seen,
  };
}"""


def step(page: Page, key: str = "Tab") -> Any:
    """Press a key, and return the newly focused element, which must be visible."""
    page.keyboard.press(key)
    where = page.evaluate(WHERE)
    assert where["visible"], f"after {key} the focus is not visible: {where}"
    return where


def step_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press a key until an element with this name has the focus."""
    passed = []
    for _ in range(MAX_STOPS):
        passed.append(step(page, key)["name"])
        if passed[-1] == name:
            return
    raise AssertionError(f"{key} leads past {passed}, and not to {name!r}")
