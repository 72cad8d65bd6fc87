"""What every node has: parts that are opened in order and closed in reverse."""

import logging
import sys
from pathlib import Path

import pytest

from server import runtime as runtime_module
from server.capture.camera import Camera
from server.config.load import load_settings
from server.loop import hub
from server.runtime import Runtime


class Recording:
    """A part that writes down when it was opened and closed."""

    def __init__(self, name: str, events: list[str]) -> None:
        self._name = name
        self._events = events

    def open(self) -> None:
        self._events.append(f"+{self._name}")

    def close(self) -> None:
        self._events.append(f"-{self._name}")


class Failing(Recording):
    def close(self) -> None:
        super().close()
        raise ValueError("cannot be closed")


class Hanging(Recording):
    def close(self) -> None:
        super().close()
        hub.sleep(60)


@pytest.fixture
def node(tmp_path: Path) -> Runtime:
    """A camera node that is asked to end as soon as it has begun."""
    made = Runtime(load_settings(["door=test:"], None, tmp_path, {}, {}))
    made.prepare()
    made.shut_down()
    return made


def test_native_threads_give_the_hub_its_turn_soon(node: Runtime) -> None:
    """Beside a thread that works in Python, as the one that writes recordings, each system call of
    the hub could take 5 ms.
    """
    usual = 0.005
    sys.setswitchinterval(usual)  # Others may have run a node in this process before.
    try:
        node.run()
        assert sys.getswitchinterval() <= 0.0005
    finally:
        sys.setswitchinterval(usual)


def test_parts_are_closed_in_reverse(node: Runtime) -> None:
    """What was opened last is the first to go, wherever a part was put."""
    events: list[str] = []
    first, second, last = (Recording(name, events) for name in ("first", "second", "last"))
    node.add(last)
    node.add(first, second, before=node.sources)

    node.run(on_shutdown=lambda: events.append("shutdown"))

    assert events == ["+first", "+second", "+last", "shutdown", "-last", "-second", "-first"]
    assert node.own["door"].closed


def test_a_part_that_fails_keeps_no_other_open(
    node: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be closed is logged, and the rest is closed all the same."""
    events: list[str] = []
    node.add(Recording("first", events), Failing("second", events))

    node.run()

    assert events == ["+first", "+second", "-second", "-first"]
    assert "Failing could not be closed" in caplog.text


def test_a_part_that_hangs_does_not_hold_the_node(
    node: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All parts have one deadline, and the node ends without who misses it."""
    monkeypatch.setattr(runtime_module, "SHUTDOWN_DEADLINE_S", 0.05)
    node.add(Hanging("last", []))

    node.run()

    assert "not everything could be closed in time" in caplog.text


def test_a_source_that_is_not_released_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On every kind of node; it was said on those with people only."""
    monkeypatch.setattr(runtime_module, "SHUTDOWN_DEADLINE_S", 0.05)
    node = Runtime(load_settings(["door=test:"], None, tmp_path, {}, {}))
    stuck = hub.Signal()
    monkeypatch.setattr(Camera, "_run", lambda camera: stuck.wait())
    node.shut_down()

    with caplog.at_level(logging.WARNING):
        node.run()

    assert "camera=door does not release its source" in caplog.text
    stuck.set()


def test_what_happens_is_told_here_and_on_the_bus(node: Runtime) -> None:
    """A node without people tells nobody here; the bus hears of cameras, not of the server."""
    here: list[tuple[object, ...]] = []
    elsewhere: list[tuple[object, ...]] = []

    class Bus:
        def notify(self, *notice: object) -> None:
            elsewhere.append(notice)

    node.node = Bus()  # type: ignore[assignment]
    node.notify("info", "nobody hears this", None)
    node.on_notice = lambda *notice: here.append(notice)
    node.notify("info", "the server", None)
    node.notify("warning", "a camera", "door", "ann")

    assert here == [("info", "the server", None, None), ("warning", "a camera", "door", "ann")]
    assert elsewhere == [("warning", "a camera", "door", "ann")]
