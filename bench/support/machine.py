"""Describes the machine that the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

__all__ = ["describe"]

LIBRARIES = ("eventlet", "Flask-SocketIO", "python-engineio", "opencv-python", "numpy")


def describe() -> str:
    """Return cores, processor, kernel, Python, libraries and the load, in one paragraph."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {libraries}; load before the run {load}"
    )
