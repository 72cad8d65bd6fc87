"""Set up views: cameras that show scenes, real servers, pages in a real browser."""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from server.users.users import UsersFile
from tests.screens.camera import SceneCamera
from tests.screens.scenes.film import film
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer

__all__ = [
    "CAMERAS",
    "PASSWORD",
    "SIZES",
    "Size",
    "Stage",
    "live",
    "log_in",
    "open_focus",
    "settle",
]

PASSWORD = "correct horse battery"

# Name, title and scene; the second half are mirrored neighbours of the first.
CAMERAS = (
    ("harbour", "Harbour", "harbour"),
    ("street", "Market Street", "street"),
    ("printer", "Printer 2", "printer"),
    ("reef", "Reef tank", "aquarium"),
    ("seedlings", "Seedlings", "greenhouse"),
    ("packing", "Packing line", "belt"),
    ("dome", "Observatory", "sky"),
    ("rack-b", "Rack B", "rack"),
    ("mole", "South mole", "harbour"),
    ("station", "Station Road", "street"),
    ("printer-3", "Printer 3", "printer"),
    ("reef-2", "Quarantine tank", "aquarium"),
    ("nursery", "Nursery", "greenhouse"),
    ("sorting", "Sorting", "belt"),
    ("all-sky", "All-sky", "sky"),
    ("rack-c", "Rack C", "rack"),
)
LARGE, SMALL = (1280, 720), (640, 360)

PATIENCE_MS = 20_000

# Everything on screen is live, and has been for long enough to have figures.
ALL_LIVE = """() => [...document.querySelectorAll('.tile[data-camera]')].every((tile) => {
  const { top, bottom, left, right } = tile.getBoundingClientRect();
  const off = bottom < 1 || top > innerHeight - 1 || right < 1 || left > innerWidth - 1;
  return off || tile.dataset.state === 'live';
})"""


@dataclass(frozen=True)
class Size:
    """A window size."""

    name: str
    width: int
    height: int
    scale: int = 1
    touch: bool = False


SIZES = (
    Size("phone", 390, 844, 2, True),
    Size("sideways", 844, 390, 2, True),
    Size("laptop", 1280, 800),
    # The same laptop, zoomed to 200 %.
    Size("zoomed", 640, 400, 2),
    Size("wall", 1920, 1080),
)


class Stage:
    """Sets up one view after another.

    Args:
        browser: Where pages are opened.
        folder: Holds films and state folders.
    """

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self._size = SIZES[0]
        self._shared: tuple[object, PortholeServer] | None = None
        self._view = ExitStack()

    def close(self) -> None:
        """Stop everything."""
        self.clear()
        self._drop_shared()

    def begin(self, size: Size) -> None:
        """Start afresh, for pages of a given size."""
        self.clear()
        self._size = size

    def clear(self) -> None:
        """Stop what was set up for one view only."""
        self._view.close()
        self._view = ExitStack()

    def film(self, name: str, size: tuple[int, int] = LARGE) -> Path:
        """Return a camera's film."""
        number, scene = next(
            (number, scene) for number, (key, _, scene) in enumerate(CAMERAS) if key == name
        )
        path = self._folder / f"{name}-{size[0]}.avi"
        if not path.exists():
            # Under a temporary name until complete: a run may be interrupted while drawing.
            part = path.with_suffix(".part.avi")
            film(scene, part, size, mirrored=number >= len(CAMERAS) // 2)
            part.rename(path)
        return path

    def camera(self, name: str) -> SceneCamera:
        """Return a network camera for this view."""
        camera = SceneCamera(self.film(name, SMALL))
        self._view.callback(camera.close)
        return camera

    def cameras(self, count: int = 6) -> list[tuple[str, str, str]]:
        """Return the first cameras, this many, as name, title and source."""
        size = SMALL if count > 9 else LARGE
        return [
            (name, title, f"file:{self.film(name, size)}") for name, title, _ in CAMERAS[:count]
        ]

    def video_cameras(self, count: int) -> list[tuple[str, str, str]]:
        """Return the first cameras, this many, sending H.264."""
        return [(name, title, f"file:{self._h264(name)}") for name, title, _ in CAMERAS[:count]]

    def _h264(self, name: str) -> Path:
        path = self._folder / f"{name}.mp4"
        if not path.exists():
            options = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency")
            part = path.with_suffix(".part.mp4")
            subprocess.run(
                [
                    *("ffmpeg", "-v", "error", "-y", "-i", str(self.film(name)), *options),
                    *("-pix_fmt", "yuv420p", "-g", "30", "-b:v", "1900k", str(part)),
                ],
                check=True,
                timeout=120,
            )
            part.rename(path)
        return path

    def shared(self, count: int = 6, people: bool = False) -> PortholeServer:
        """Return a server with this many cameras, shared by consecutive views."""
        key = (count, people)
        if self._shared is None or self._shared[0] != key:
            self._drop_shared()
            self._shared = key, self._start(ExitStack(), self.cameras(count), people=people)
        return self._shared[1]

    def server(
        self,
        cameras: Iterable[tuple[str, str, str]],
        *arguments: str,
        each: str = "",
        beside: Mapping[str, str] | None = None,
    ) -> PortholeServer:
        """Return a server for this view alone.

        Args:
            cameras: Name, title and source of each.
            arguments: Command-line arguments.
            each: More settings for each camera.
            beside: Files beside the settings, name to text.
        """
        return self._start(self._view, cameras, *arguments, each=each, beside=beside)

    @staticmethod
    def tell(server: PortholeServer, event: str, **payload: Any) -> None:
        """Send commands as another user, who may do everything."""
        viewer = Viewer("127.0.0.1", server.port)
        try:
            viewer.connect()
            reply = viewer.call(event, payload)
            assert reply["ok"], reply
        finally:
            viewer.close()

    def keep(self, close: Callable[[], Any]) -> None:
        """Register something to close after this view."""
        self._view.callback(close)

    def open(self, url: str, before: Callable[[Page], None] | None = None) -> Page:
        """Open an address in a fresh browser context; return the page."""
        size = self._size
        context = self._browser.new_context(
            viewport={"width": size.width, "height": size.height},
            device_scale_factor=size.scale,
            has_touch=size.touch,
            is_mobile=size.touch,
            bypass_csp=True,
        )
        self._view.callback(context.close)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        if before is not None:
            before(page)
        page.goto(url)
        return page

    def _start(
        self,
        stack: ExitStack,
        cameras: Iterable[tuple[str, str, str]],
        *arguments: str,
        people: bool = False,
        each: str = "",
        beside: Mapping[str, str] | None = None,
    ) -> PortholeServer:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="porthole-screens-")))
        if people:
            file = UsersFile(state)
            file.add_user("ada", "operator", None, PASSWORD)
            file.add_user("vera", "viewer", None, PASSWORD)
            file.add_user("dora", "viewer", ["elsewhere"], PASSWORD)
        for file_name, text in (beside or {}).items():
            (state / file_name).write_text(text)
        settings = state / "porthole.toml"
        settings.write_text(
            "\n".join(
                f'[[camera]]\nname = "{name}"\ntitle = "{title}"\nsource = "{source}"\n{each}\n'
                for name, title, source in cameras
            )
        )
        server = PortholeServer(
            *("--config", str(settings), "--port", "0", *arguments), state=state, environment={}
        )
        stack.callback(server.stop)
        server.stack = stack  # type: ignore[attr-defined]
        return server

    def _drop_shared(self) -> None:
        if self._shared is not None:
            self._shared[1].stack.close()  # type: ignore[attr-defined]
            self._shared = None


def live(page: Page) -> Page:
    """Wait until everything on screen is live and has its figures."""
    page.wait_for_function("() => document.querySelector('.tile[data-camera]')")
    page.wait_for_function(ALL_LIVE)
    # Rates are counted over a second; latency is a median of several frames.
    page.wait_for_timeout(1800)
    page.wait_for_function(ALL_LIVE)
    return page


def settle(page: Page, milliseconds: int = 400) -> Page:
    """Give the page time to draw its latest messages."""
    page.wait_for_timeout(milliseconds)
    return page


def open_focus(page: Page, number: int) -> Page:
    """Focus a camera with the pointer."""
    page.locator(".tile[data-camera] .tile-open").nth(number).click()
    page.wait_for_selector(".grid[data-view='focus']")
    return page


def log_in(stage: Stage, name: str, password: str = PASSWORD) -> Page:
    """Return the page after logging in, or the login page if that is refused."""
    page = stage.open(stage.shared(people=True).url + "login")
    page.locator("[name=name]").fill(name)
    page.locator("[name=password]").fill(password)
    page.locator("[name=password]").press("Enter")
    return page
