"""A camera behind an unreliable network: never two connections, never a false "live"."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.cameras.bad_camera import BadCamera
from tests.support.cameras.dropping_proxy import DroppingProxy
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

STALL_AFTER_S = 1.0
SLACK_S = 0.5


@pytest.fixture
def proxy() -> Iterator[DroppingProxy]:
    """A camera that serves one client at a time, behind a proxy that can fail."""
    camera = BadCamera(fps=25)
    proxy = DroppingProxy(camera.port)
    yield proxy
    proxy.close()
    camera.close()


class Watch:
    """A viewer of one camera, and the states it receives."""

    def __init__(self, server: PortholeServer, viewer: Viewer) -> None:
        self.states: list[tuple[float, str]] = []
        """Each STATE, with the seconds since the last picture."""
        self._url = server.url + "api/cameras"
        self._viewer = viewer
        self._last_at = 0.0
        viewer.on_frame = self._see
        viewer.call("watch", {"camera": "field"})

    def _see(self, header: dict[str, Any], _jpeg: bytes) -> None:
        self._last_at = header["at"]

    def go_on(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Watch until a condition holds, and read STATE ten times a second."""
        deadline = time.monotonic() + timeout_s
        while not until():
            assert time.monotonic() < deadline, f"still not true after {timeout_s:g} s"
            next_at = time.monotonic() + 0.1
            self._viewer.pump(lambda next_at=next_at: time.monotonic() > next_at, 5)  # type: ignore[misc]
            with urllib.request.urlopen(self._url, timeout=10) as answer:
                (camera,) = json.load(answer)
            self.states.append((time.time() - self._last_at, camera["state"]))

    def go_on_for(self, seconds: float) -> None:
        """Watch for this long."""
        until = time.monotonic() + seconds
        self.go_on(lambda: time.monotonic() > until, seconds + 10)

    def see_one_after(self, at_unix: float, timeout_s: float) -> float:
        """Watch until a picture with a later timestamp arrives; return how long that took."""
        began = time.monotonic()
        self.go_on(lambda: self._last_at > at_unix, timeout_s)
        return time.monotonic() - began


@pytest.fixture
def watch(start_server: Start, connect: Connect, proxy: DroppingProxy) -> Watch:
    """The camera, watched for long enough to have figures."""
    server = start_server(
        f"field=http://127.0.0.1:{proxy.port}/live",
        *("--read-timeout", "1", "--stall-after", str(STALL_AFTER_S)),
    )
    watch = Watch(server, connect(server))
    watch.see_one_after(0.0, 20)
    watch.go_on_for(3.5)
    return watch


def test_silent_camera_is_never_live(watch: Watch, proxy: DroppingProxy) -> None:
    """A suspended camera is not shown live without a new picture.

    One that was suspended for 20 s used to be live again for 2.5 s after its time-out: its kernel
    still accepts connections.
    """
    proxy.behave("suspend")
    watch.states.clear()
    watch.go_on_for(5.0)

    late = [state for silent_s, state in watch.states if silent_s > STALL_AFTER_S + SLACK_S]
    assert len(late) > 15
    assert set(late) <= {"stalled", "retrying"}
    proxy.behave("good")
    assert watch.see_one_after(time.time(), 20) < 5


def test_camera_that_hangs_up_is_reconnected_immediately(
    watch: Watch, proxy: DroppingProxy
) -> None:
    """A closed stream is reopened within seconds, with never more than one connection.

    Many cameras end a stream now and then, and serve one client at a time.
    """
    proxy.behave("close")
    proxy.behave("good")

    # Half a second here; the rest is for a busy machine.
    assert watch.see_one_after(time.time(), 20) < 3
    watch.go_on_for(0.5)
    proxy.behave("good")
    assert proxy.most == 1
