"""Kill a recording server, and compare what is left with what a viewer saw."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from server.recording.disk.check import check
from server.recording.disk.index import Index
from server.recording.disk.layout import recordings
from server.recording.disk.recording_file import read_facts
from tests.support.clients.client import Viewer
from tests.support.recordings.small_disk import Rows, assert_plays, rebuilt, rows_of
from tests.support.servers.server import PortholeServer

__all__ = ["KILLED", "Loss", "kill_once"]

# The second has no video, so a low-priority process encodes H.264 from its pictures.
KILLED = """
[[camera]]
name = "door"
source = "file:{film}"
record = "always"
motion = true
timelapse = 0.5

[[camera]]
name = "pattern"
source = "test:?size=320x180"
fps = 5
record = "always"
"""


@dataclass(frozen=True)
class Loss:
    """What a kill has cost.

    Attributes:
        lost_s: By camera: how much older the end of its recordings is than the newest picture that
            a viewer had.
        torn: The number of files that ended in half a fragment.
        rows: The index's rows after a server's check at start.
    """

    lost_s: dict[str, float]
    torn: int
    rows: Rows


def kill_once(config: Path, state: Path, frames: int) -> Loss:
    """Kill a server that records while a viewer watches; check what is left.

    Every file must play as it is, and the index must equal one rebuilt from the files.

    Args:
        config: The server's settings, such as :data:`KILLED`.
        state: Its folder, which may hold earlier recordings.
        frames: Kill it once a viewer has received this many frames of the first camera.
    """
    media, newest = state / "media", dict[str, float]()
    before = {key for key, _ in recordings(media)}
    server = PortholeServer("--config", str(config), "--port", "0", state=state, environment={})
    viewer = Viewer("127.0.0.1", server.port, keep_events=False)
    counts = {"door": 0, "pattern": 0}

    def note(header: dict[str, object], _: bytes) -> None:
        camera, at = str(header["camera"]), float(str(header["at"]))
        counts[camera] += 1
        newest[camera] = max(at, newest.get(camera, 0.0))

    viewer.on_frame = note
    try:
        viewer.connect()
        viewer.call("watch", {"camera": "door", "video": ["h264"]})
        viewer.call("watch", {"camera": "pattern"})
        new = lambda: {key.partition("_")[0] for key, _ in recordings(media) if key not in before}  # noqa: E731
        viewer.pump(lambda: counts["door"] % 5 == 0 and new() == {"door", "pattern"}, 60)
        viewer.pump(lambda: counts["door"] >= frames, 60)
    finally:
        server.kill()
        viewer.close()
    ends = dict[str, float]()
    torn = 0
    for _, path in recordings(media):
        facts = read_facts(path)
        torn += not facts.whole
        if facts.reason == "always":
            ends[facts.camera] = max(facts.end_unix, ends.get(facts.camera, 0.0))
        assert_plays(path)
    index = Index(media)
    check(media, index, thorough=False)
    rows = rows_of(index)
    index.close()
    aside = state.with_name("aside")
    assert rows == rebuilt(media, aside)
    shutil.rmtree(aside)
    return Loss({name: newest[name] - ends[name] for name in newest}, torn, rows)
