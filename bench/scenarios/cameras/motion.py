"""What does motion detection in a video cost, decoding included, for different scenes?"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.support.content import FPS, KBPS, SIZE
from bench.support.stand import Stand
from bench.support.table import Table
from server.capture.isolation import motion_sampler
from server.capture.isolation.channel import Kind, Message
from server.capture.motion.settings import MotionSettings
from server.capture.streams.demuxer import Demuxer
from server.capture.streams.video import Video
from server.errors import SourceError

__all__ = ["run"]

SECONDS = 24
GROUPS_S = (2, 10)

# A still picture with a sensor's noise, and a box that crosses it within 2 s, five times.
STILL = "testsrc=size={0}x{1}:rate={fps}:d=0.02,loop=-1:1,noise=alls={noise}:allf=t"
MOVING = (
    STILL + "[back];color=white:size=120x120:rate={fps}[box];"
    "[back][box]overlay=x='mod(t\\,6)*600-120':y=300:shortest=1"
)
SCENES = {
    "still": (STILL, 2, ("-crf", "26")),
    "still, noisy, at a fixed rate": (STILL, 8, ("-b:v", f"{KBPS}k")),
    "something passes a third of the time": (MOVING, 2, ("-crf", "26")),
}


def run(stand: Stand) -> Iterator[Table]:
    """Detect motion in films like a camera's process, as fast as possible."""
    table = Table(
        f"Motion detection in H.264, {SIZE[0]}x{SIZE[1]} at {FPS} fps",
        ("scene", "key frame every", "% of a core", "looks / s", "events"),
    )
    with tempfile.TemporaryDirectory(prefix="porthole-bench-motion-") as folder:
        for name, (source, noise, rate) in SCENES.items():
            for group_s in GROUPS_S:
                stand.say(f"motion, {name}, {group_s} s")
                path = _make(Path(folder, "film.mp4"), source, noise, rate, group_s)
                stand.quiet.wait(stand.say)
                cores, looks, events = _look_at(path)
                table.add(name, f"{group_s} s", f"{100 * cores:.1f}", f"{looks:.1f}", events)
    table.notes = ["CPU time of the thread that reads the camera, for motion detection only."]
    yield table


def _make(path: Path, source: str, noise: int, rate: tuple[str, ...], group_s: int) -> Path:
    made = source.format(*SIZE, fps=FPS, noise=noise)
    group = ("-g", str(group_s * FPS), "-keyint_min", str(group_s * FPS), "-sc_threshold", "0")
    # Like a camera's encoder: arithmetic coding, loop filter and one reference frame.
    like = ("-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "main", "-refs", "1")
    encoder = ("-c:v", "libx264", *like, *rate, *group)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", made, "-t", str(SECONDS)]
    subprocess.run([*command, *encoder, "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


class _Clock:
    """A clock that shows the film's time, but the real CPU time of this thread."""

    now = 1000.0
    thread_time = staticmethod(time.thread_time)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


class _Film(Video):
    """A film whose pictures arrive by a simulated clock."""

    def __init__(self, path: Path, clock: _Clock) -> None:
        def explain(error: Exception) -> SourceError:
            return SourceError(str(error))

        super().__init__(Demuxer(str(path), path.name, explain, {}), live=True)
        self._ours = clock

    def grab(self) -> bool:
        packet = self._demuxer.read()
        if packet is None:
            return False
        self._ours.now += 1 / FPS
        self._take(packet._replace(arrived_at=self._ours.now))
        return True


def _look_at(path: Path) -> tuple[float, float, int]:
    """Return the share of a core, looks per second, and the number of events."""
    clock, told = _Clock(), list[Any]()
    film = _Film(path, clock)
    worked_s, looks = 0.0, 0
    with (
        patch.object(motion_sampler, "time", clock),
        patch.object(motion_sampler, "send_event_report", lambda link, one: told.append(one)),
    ):
        watch = motion_sampler.MotionSampler(film, link=None)  # type: ignore[arg-type]
        wanted = json.dumps(MotionSettings().describe()).encode()
        watch.configure(Message(Kind.MOTION, wanted, -1))
        while film.grab():
            began_s = time.thread_time()
            if watch.is_due():
                watch.decode_and_examine()
                looks += 1
            worked_s += time.thread_time() - began_s
    film.close()
    return worked_s / SECONDS, looks / SECONDS, sum(one.ended for one in told)
