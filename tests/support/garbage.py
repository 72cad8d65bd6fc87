"""Spares the tests from searching for garbage where there is none."""

import gc
from collections.abc import Generator

import pytest

__all__ = ["pytest_collection"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without searching for garbage, and leave what was collected out for good.

    Modules and tests are a million objects that live as long as the process. To go through them
    again and again took a quarter of collecting, and a sixth of the unit tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
