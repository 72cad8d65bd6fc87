"""The page as somebody uses it who has a keyboard only."""

from typing import Any

from playwright.sync_api import Page

__all__ = ["WHERE", "step", "step_to"]

# Everything that may take the Tab key is passed well before this.
MAX_STOPS = 60

# Where the keyboard focus is: what it is called, and whether a person can see that it is there.
WHERE = """async () => {
  // What slides into sight when it has the focus is there after a frame, however short that is.
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  // A tile wears the ring of its button, as a shadow without blur.
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
    """Press a key, and return where the keyboard focus then is; it must be somewhere in sight."""
    page.keyboard.press(key)
    where = page.evaluate(WHERE)
    assert where["visible"], f"after {key} the focus is not to be seen: {where}"
    return where


def step_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press a key until something of a name has the keyboard focus."""
    passed = []
    for _ in range(MAX_STOPS):
        passed.append(step(page, key)["name"])
        if passed[-1] == name:
            return
    raise AssertionError(f"{key} leads past {passed}, and not to {name!r}")
