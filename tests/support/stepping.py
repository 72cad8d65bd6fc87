"""The server as it is, by a clock that can be set: ``python -m tests.support.stepping``.

The file that ``STEP_FILE`` names holds by how many seconds the clock is wrong.
"""

import os
import time
from pathlib import Path

right = time.time
step_file = Path(os.environ["STEP_FILE"])


def wrong() -> float:
    """Return what a clock says that somebody has set."""
    return right() + float(step_file.read_text())


# Before anything else takes hold of it.
time.time = wrong

import manage  # noqa: E402

if __name__ == "__main__":
    manage.cli()
