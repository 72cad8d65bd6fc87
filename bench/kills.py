"""Kills a recording server repeatedly, and measures what is missing from the recordings.

``python -m bench.kills`` starts a server with a camera that sends H.264 and one without video, both
recorded, one with motion detection and a time lapse as well. A viewer watches both. After a random
time the server gets SIGKILL. Then every file must play to its end; the check at the next start must
produce the same index, events and films included, as rebuilding it from the files; and at most 2 s
of what the viewer saw of the camera with video may be missing. Exit code 1 if it is more.
"""

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path

from tests.support.cameras.films import make_film
from tests.support.recordings.kills import KILLED, kill_once

__all__ = ["main"]

FILM = ("-t", "10", "-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p")

MAX_LOST_S = 2.0

# At 25 fps, so a file may have just begun, or have a dozen fragments.
FRAMES = (60, 300)


def main() -> int:
    """Run from the command line; print what each kill cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="default: 20", metavar="N")
    parser.add_argument("--seed", type=int, default=1, help="of when to kill; default: 1")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    lost_s: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="porthole-kills-") as name:
        folder = Path(name)
        config = folder / "porthole.toml"
        config.write_text(KILLED.format(film=make_film(folder / "film.mp4", *FILM)))
        for number in range(1, arguments.kills + 1):
            loss = kill_once(config, folder / "state", rng.randint(*FRAMES))
            for camera, seconds in loss.lost_s.items():
                lost_s.setdefault(camera, []).append(seconds)
            files, events = map(len, loss.rows)
            told = ", ".join(f"{camera} {one:.2f} s" for camera, one in loss.lost_s.items())
            print(
                f"{number:3}: missing of {told}; {loss.torn} torn; {files} files and {events} "
                f"events play, and the index matches them",
                flush=True,
            )
    for camera, all_s in lost_s.items():
        print(
            f"{camera}: {statistics.median(all_s):.2f} s missing on median, "
            f"{max(all_s):.2f} s at most"
        )
    return int(max(lost_s["door"]) > MAX_LOST_S)


if __name__ == "__main__":
    sys.exit(main())
