"""The server with an adjustable clock: ``python -m tests.support.servers.stepping``.

``STEP_FILE`` names a file with the clock's error in seconds.
"""

import os
import time
from pathlib import Path

right = time.time
step_file = Path(os.environ["STEP_FILE"])


def wrong() -> float:
    """Return the adjusted time."""
    return right() + float(step_file.read_text())


# Before anything else imports it.
time.time = wrong

import manage  # noqa: E402

if __name__ == "__main__":
    manage.cli()
