"""Sources in child processes, and helpers to read from them."""

import gc
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from server.capture.frames.frame import Image
from server.capture.isolation.reader import IsolatedReader
from server.capture.sources.reader import Demand
from server.config.address import parse_address
from server.errors import PictureError, SourceError
from tests.support.servers.fork_children import Forks

Open = Callable[..., IsolatedReader]

NOW = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 0)
"""Any picture, and its pixels."""

NO_DEMAND = Demand(due=lambda: math.inf, jpeg_up_to=lambda: 0)
"""No demand: nobody watches."""

AS_SENT = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 100)
"""Any picture, as its camera sent it."""


@pytest.fixture
def isolate(forked_children: Forks) -> Iterator[Open]:
    """Open isolated sources; close them at the end and check that nothing is left behind."""
    forked_children.connect()
    opened: list[IsolatedReader] = []
    descriptors = len(os.listdir("/proc/self/fd"))

    def isolate(
        text: str, name: str = "door", timeout_s: float = 5.0, **more: str
    ) -> IsolatedReader:
        source = IsolatedReader(parse_address(text, Path()), name, timeout_s, **more)
        opened.append(source)
        return source

    yield isolate
    for source in opened:
        source.close()
        assert not Path(f"/proc/{source._process.pid}").exists()
    if opened:
        opened.clear()
        del source  # This also frees its shared memory.
    gc.collect()
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until ``condition`` holds; fail if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {timeout_s:g} s"
        time.sleep(0.005)


def picture(source: IsolatedReader, timeout_s: float = 10.0) -> Image:
    """Return the next picture."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        reading = source.read(NOW)
        if reading is not None and reading.picture is not None:
            assert isinstance(reading.picture, np.ndarray)
            return reading.picture
    raise AssertionError(f"no picture within {timeout_s:g} s")


def loss(source: IsolatedReader, timeout_s: float = 10.0) -> str:
    """Read until the source fails; return why."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        started = time.monotonic()
        try:
            source.read(NOW)
            assert time.monotonic() - started < 1, "read must return quickly"
        except PictureError:
            continue
        except SourceError as error:
            return str(error)
    raise AssertionError(f"not lost after {timeout_s:g} s")
