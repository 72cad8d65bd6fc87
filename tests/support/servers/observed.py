"""The server with two test hooks: ``python -m tests.support.servers.observed run ...``.

SIGUSR1 makes it print the number of green threads, which no metric shows; SIGUSR2 blocks its hub
for :data:`STANDSTILL_S`, as a bug would.
"""

import manage  # Must be first: it patches the standard library.

# isort: split
import gc
import os
import signal

import greenlet

from server.loop import native

STANDSTILL_S = 3.0


def print_greenlets(*_: object) -> None:
    """Print the number of green threads that have not ended."""
    # By type: isinstance asks the object, and a proxy of a dead object raises.
    kinds = (one for one in gc.get_objects() if issubclass(type(one), greenlet.greenlet))
    count = sum(not one.dead for one in kinds)
    os.write(1, f"greenlets {count}\n".encode())


def stand_still(*_: object) -> None:
    """Block the hub: signals are handled on its thread."""
    native.sleep(STANDSTILL_S)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, print_greenlets)
    signal.signal(signal.SIGUSR2, stand_still)
    manage.cli()
