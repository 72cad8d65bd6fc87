"""A server whose hub is busy while it is watched: ``python -m tests.support.servers.busy``.

To others it looks like one on an overloaded CPU; it uses no CPU time itself.
"""

import manage  # Must be first: it patches the standard library.

# isort: split
from typing import Any

from server.app import App
from server.loop import hub, native

BUSY_S = 0.7
FREE_S = 0.02

run = App.run


def block_hub(app: App) -> None:
    """Block the hub most of the time."""
    while not any(camera.describe()["viewers"] for camera in app.cameras.values()):
        hub.sleep(0.1)
    hub.sleep(1)
    while True:
        native.sleep(BUSY_S)  # The original sleep, not the hub's: nothing else runs meanwhile.
        hub.sleep(FREE_S)


def run_busily(self: App, *arguments: Any, **options: Any) -> None:
    """Serve with a busy hub."""
    hub.spawn(block_hub, self)
    run(self, *arguments, **options)


if __name__ == "__main__":
    App.run = run_busily  # type: ignore[method-assign]
    manage.cli()
