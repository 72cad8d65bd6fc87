"""Fixtures for sources in child processes."""

from tests.unit.capture.isolation.isolated import isolate
from tests.unit.capture.isolation.network_camera import camera

__all__ = ["camera", "isolate"]
