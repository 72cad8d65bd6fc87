"""What does reading an MJPEG camera over HTTP cost, compared with the former reader?"""

import json
import subprocess
import sys
from collections.abc import Iterator

from bench.support.process import ROOT
from bench.support.reading import READERS
from bench.support.stand import Stand
from bench.support.table import Table, spread

__all__ = ["run"]

TITLES = {"own": "Porthole's own", "opencv": "FFmpeg's, through OpenCV, as it was before"}


def run(stand: Stand) -> Iterator[Table]:
    """Measure both readers alternately on one camera."""
    table = Table(
        "Reading MJPEG over HTTP, 1280x720 at 30 fps: one process",
        ("reader", "µs of CPU per picture", "pictures / s", "first picture after s", "resident MB"),
    )
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in READERS}
    with stand.camera() as url:
        for _ in range(stand.repeats):
            for name in READERS:
                stand.say(f"reading, {name}")
                stand.quiet.wait(stand.say)
                command = (
                    sys.executable,
                    "-m",
                    "bench.support.reading",
                    name,
                    url,
                    str(stand.seconds),
                )
                done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
                measured[name].append(json.loads(done.stdout))
    for name, runs in measured.items():
        columns = (("us", 0), ("fps", 1), ("first_s", 2), ("mb", 0))
        table.add(TITLES[name], *(spread([one[key] for one in runs], n) for key, n in columns))
    table.notes = [
        "Each picture is kept as JPEG and its markers are checked. The time to the first picture "
        "includes loading the libraries."
    ]
    yield table
