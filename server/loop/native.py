"""The standard library as it was before eventlet patched it, for code on native threads.

Also works without eventlet, so that a camera's child process need not load it. In the server's
process ``manage.py`` loads eventlet first, whose patcher still has the originals.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["select", "sleep", "socket", "threading"]


def _original(name: str) -> Any:
    patcher = sys.modules.get("eventlet.patcher")
    return patcher.original(name) if patcher else importlib.import_module(name)


sleep: Callable[[float], None] = _original("time").sleep
"""Pause this native thread; ``time.sleep`` may be green and would start a second hub."""

socket: Any = _original("socket")
"""The ``socket`` module whose sockets block."""

select: Any = _original("select")
"""The ``select`` module whose ``poll`` blocks."""

threading: Any = _original("threading")
"""The ``threading`` module whose threads are real."""
