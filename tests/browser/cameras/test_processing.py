"""User code in the frame path of a real server: bad code harms only its own camera."""

import re
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.chromium import show_tab
from tests.support.browser.kept_context import lasting_port
from tests.support.clients.client import Crowd, Viewer
from tests.support.servers.server import PATIENCE_S, PortholeServer

Connect = Callable[..., Viewer]

CODE = """
import re
import time


def sleepy(image, info):
    time.sleep(0.2)


def burning(image, info):
    begun = time.monotonic()
    while time.monotonic() - begun < 0.2:
        sum(range(1000))


def raising(image, info):
    image[:] = (0, 0, 255)
    raise ValueError("no such luck")


def shapeless(image, info):
    return image[:, :, 0]


def annotate(image, info):
    image[:40] = (0, 255, 0)
"""

# A page paints six cameras while two of them are slow on purpose.
PAGE_MS = 4 * PATIENCE_S * 1000

BAD = ("sleepy", "burning", "raising", "shapeless")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """A server with one healthy camera, one processed well, and four with bad code."""
    folder = tmp_path_factory.mktemp("processing")
    (folder / "mine.py").write_text(CODE)
    tables = ['[[camera]]\nname = "healthy"\nsource = "test:?size=320x180&fps=10"\n']
    tables += [
        f'[[camera]]\nname = "{name}"\nsource = "test:?size=320x180&fps=10"\n'
        f'process = ["mine:{name}"]\n'
        for name in ("annotate", *BAD)
    ]
    file = folder / "porthole.toml"
    file.write_text("\n".join(tables))
    server = PortholeServer(
        "--config", str(file), "--port", lasting_port(), state=folder / "state", environment={}
    )
    yield server
    assert server.stop() == 0
    assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)


def processing(viewer: Viewer, camera: str) -> dict[str, Any]:
    """Return the newest state of a camera's only processor."""
    states = [data for event, data in viewer.events if event == "camera" and data["name"] == camera]
    return states[-1]["process"][0] if states else {"state": "", "message": ""}


def round_trip_ms(crowd: Crowd, viewer: Viewer) -> float:
    """Return the round-trip time of one control event, while all viewers are served."""
    begun = time.perf_counter()
    number = viewer.ask("clock", {"t": time.time()})
    crowd.run(PATIENCE_S, until=lambda: viewer.reply(number) is not None)
    assert viewer.reply(number)["ok"]
    return (time.perf_counter() - begun) * 1000


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Viewers that are served together."""
    made = Crowd()
    yield made
    made.close()


# The measured rate, less than 20 on a busy machine.
LEAVES = r"; [0-9.]+ fps leave \d+ ms"


def test_bad_code_affects_only_its_own_camera(
    server: PortholeServer, connect: Connect, crowd: Crowd
) -> None:
    """Code that sleeps, burns CPU, raises or returns nonsense leaves other cameras undisturbed.

    Frames of the healthy camera keep their pace, control events are answered promptly, and STATE
    names each bad one's fault.
    """
    control = connect(server)
    crowd.add(control)
    viewers = {name: connect(server) for name in ("healthy", "annotate", *BAD)}
    for name, viewer in viewers.items():
        assert viewer.call("watch", {"camera": name})["ok"]
        crowd.add(viewer)

    def wrong() -> dict[str, str]:
        return {name: processing(control, name)["state"] for name in BAD}

    crowd.run(
        4 * PATIENCE_S,
        until=lambda: (
            wrong()
            == {"sleepy": "slow", "burning": "slow", "raising": "skipped", "shapeless": "skipped"}
        ),
    )
    before = {name: len(viewer.arrivals) for name, viewer in viewers.items()}
    begun = time.monotonic()
    took_ms = [round_trip_ms(crowd, control) for _ in range(50)]
    crowd.run(20, until=lambda: len(viewers["sleepy"].arrivals) - before["sleepy"] >= 8)
    seconds = time.monotonic() - begun
    rates = {
        name: (len(viewer.arrivals) - before[name]) / seconds for name, viewer in viewers.items()
    }

    assert wrong()["sleepy"] == "slow", wrong()
    assert re.search(LEAVES, processing(control, "sleepy")["message"])
    assert re.search(LEAVES, processing(control, "burning")["message"])
    assert "raised ValueError: no such luck (mine.py" in processing(control, "raising")["message"]
    assert "returned uint8 (180, 320);" in processing(control, "shapeless")["message"]
    assert median(took_ms) < 50
    ends = 2 / seconds  # One more frame may have been due at each end.
    assert 0 < rates["sleepy"] <= 5 + ends
    # Compared with each other, because absolute rates depend on the machine.
    assert rates["healthy"] > 2 * (rates["sleepy"] - ends)
    assert rates["raising"] > rates["healthy"] / 2
    for name in ("annotate", "shapeless"):
        image = cv2.imdecode(np.frombuffer(viewers[name].last_jpeg, np.uint8), cv2.IMREAD_COLOR)
        is_green = bool((np.abs(image[5:35].astype(int) - (0, 255, 0)) < 20).all())
        assert is_green == (name == "annotate")


def test_tile_names_the_failing_processor(server: PortholeServer, page: Page) -> None:
    """The tile says which code fails and how; the panel lists the state of each processor."""
    page.set_default_timeout(PAGE_MS)
    page.goto(server.url)

    said = page.locator('.tile[data-camera="raising"] .trouble')
    healthy = page.locator('.tile[data-camera="annotate"]')
    row = page.locator("[data-panel] .processing li")
    expect(said).to_contain_text(
        "raising: raised ValueError: no such luck (mine.py, line", timeout=PAGE_MS
    )
    expect(said).to_be_visible(timeout=PAGE_MS)
    expect(healthy.locator("canvas")).to_be_visible(timeout=PAGE_MS)
    expect(healthy.locator(".trouble")).not_to_contain_text("annotate", timeout=PAGE_MS)
    healthy.locator(".tile-open").click()
    show_tab(page, "Statistics")
    expect(row).to_contain_text("annotate", timeout=PAGE_MS)
    expect(row).to_contain_text("Working", timeout=PAGE_MS)
    expect(row.locator(".processing-ms")).to_have_text(
        re.compile(r"^\d+(\.\d)? ms$"), timeout=PAGE_MS
    )
