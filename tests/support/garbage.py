"""Disable garbage collection where it finds nothing."""

import gc
from collections.abc import Generator

import pytest

__all__ = ["pytest_collection"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without garbage collection, then freeze what was collected.

    Modules and tests are a million objects that live as long as the process. Scanning them
    repeatedly used to take a quarter of the time to collect tests, and a sixth of the unit tests'.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
