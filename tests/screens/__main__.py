"""Take screenshots of every state: ``make screens``, or ``make screens ARGS="grid focus"``.

The pictures go to ``screens/``, with a contact sheet; look at them. With ``ARGS=--docs`` the best
also go to ``docs/img/``.
"""

import argparse
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.screens.sheet import write_sheet
from tests.screens.shoot import FLAGS, publish, shoot
from tests.screens.stage import SIZES, Stage
from tests.screens.views import VIEWS
from tests.support.browser.chromium import CHROMIUM

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    """Take the screenshots; return the exit code: 1 if a view could not be set up."""
    parser = argparse.ArgumentParser(prog="make screens", description=__doc__)
    parser.add_argument("views", nargs="*", metavar="VIEW", help="all, unless some are named")
    parser.add_argument("--size", choices=[size.name for size in SIZES])
    parser.add_argument("--to", type=Path, default=ROOT / "screens")
    parser.add_argument("--docs", action="store_true", help="write docs/img/ too")
    options = parser.parse_args()
    unknown = set(options.views) - set(VIEWS)
    if unknown:
        parser.error(f"no view {', '.join(sorted(unknown))}; there are {', '.join(VIEWS)}")

    options.to.mkdir(parents=True, exist_ok=True)
    films = options.to / "films"
    films.mkdir(exist_ok=True)
    failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stage = Stage(browser, films)
        try:
            for name in options.views or VIEWS:
                began = time.monotonic()
                sizes = [size for size in SIZES if options.size in (None, size.name)]
                try:
                    taken = shoot(stage, name, sizes, options.to)
                except Exception as error:  # noqa: BLE001 - told, and the others are still taken.
                    failed.append(name)
                    print(f"{name}: {error}", file=sys.stderr, flush=True)
                    continue
                told = f"{len(taken)} pictures" if taken else "cannot be had here"
                print(f"{name}: {told}, {time.monotonic() - began:.0f} s", flush=True)
        finally:
            stage.close()
            browser.close()
    write_sheet(options.to)
    if options.docs:
        publish(options.to, ROOT / "docs" / "img")
    print(f"look at {options.to / 'index.html'} or {options.to / 'sheet.jpg'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
