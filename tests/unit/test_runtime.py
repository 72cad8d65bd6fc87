"""The runtime of every node: parts that are opened in order and closed in reverse."""

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
    """A part that records when it is opened and closed."""

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
    """A camera node that is asked to stop as soon as it starts."""
    made = Runtime(load_settings(["door=test:"], None, tmp_path, {}, {}))
    made.prepare()
    made.shut_down()
    return made


def test_thread_switch_interval_is_short(node: Runtime) -> None:
    """Next to a thread busy in Python, such as the writer, a system call could take 5 ms."""
    usual = 0.005
    sys.setswitchinterval(usual)  # Other tests may have run a node in this process before.
    try:
        node.run()
        assert sys.getswitchinterval() <= 0.0005
    finally:
        sys.setswitchinterval(usual)


def test_parts_are_closed_in_reverse(node: Runtime) -> None:
    """The last part opened is the first to close, wherever it was added."""
    events: list[str] = []
    first, second, last = (Recording(name, events) for name in ("first", "second", "last"))
    node.add(last)
    node.add(first, second, before=node.sources)

    node.run(on_shutdown=lambda: events.append("shutdown"))

    assert events == ["+first", "+second", "+last", "shutdown", "-last", "-second", "-first"]
    assert node.own["door"].closed


def test_failing_part_does_not_keep_others_open(
    node: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure to close is logged, and the other parts are still closed."""
    events: list[str] = []
    node.add(Recording("first", events), Failing("second", events))

    node.run()

    assert events == ["+first", "+second", "-second", "-first"]
    assert "Failing could not be closed" in caplog.text


def test_hanging_part_does_not_block_shutdown(
    node: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All parts share one deadline, and the node exits without those that miss it."""
    monkeypatch.setattr(runtime_module, "SHUTDOWN_DEADLINE_S", 0.05)
    node.add(Hanging("last", []))

    node.run()

    assert "not everything could be closed in time" in caplog.text


def test_unreleased_source_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every node reports a source that is not released; only those with users used to."""
    monkeypatch.setattr(runtime_module, "SHUTDOWN_DEADLINE_S", 0.05)
    node = Runtime(load_settings(["door=test:"], None, tmp_path, {}, {}))
    stuck = hub.Signal()
    monkeypatch.setattr(Camera, "_run", lambda camera: stuck.wait())
    node.shut_down()

    with caplog.at_level(logging.WARNING):
        node.run()

    assert "camera=door does not release its source" in caplog.text
    stuck.set()


def test_notices_go_to_users_and_the_bus(node: Runtime) -> None:
    """A node without users shows no notices; the bus gets those of cameras, not of the server."""
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
